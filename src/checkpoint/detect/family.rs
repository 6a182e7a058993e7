//! The families of checkpoints: who named the tensors, and which settings follow from the family.

use std::collections::BTreeMap;
use std::fmt;

use super::normalisation::{IMAGENET_MEAN, IMAGENET_STD, OPENAI_MEAN, OPENAI_STD};
use crate::checkpoint::error::CheckpointError;
use crate::checkpoint::index::{TensorIndex, TensorLocation};
use crate::checkpoint::layouts::TensorNames;
use crate::model::Activation;

/// A family of checkpoints whose tensors have the same names.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Family {
    /// Hugging Face's `CLIPModel`.
    HuggingFace,
    /// OpenCLIP, and TinyCLIP's own release.
    OpenClip,
    /// OpenAI's own release: OpenCLIP's names, and always Quick GELU.
    OpenAi,
    /// DINO's own release, DoRA's, and timm's plain vision transformers, which have the same names.
    Dino,
    /// DINOv2's own release, with and without registers, and timm's DINOv2 without registers.
    DinoV2,
    /// timm's DINOv2 with registers.
    TimmRegisters,
    /// Hugging Face's `ViTModel`.
    HuggingFaceVit,
    /// Hugging Face's `Dinov2Model` and `Dinov2WithRegistersModel`.
    HuggingFaceDinov2,
}

impl Family {
    /// Recognises the family of a file from its tensors' names.
    ///
    /// # Errors
    /// [`CheckpointError::Foreign`] says which other kind of model the file seems to hold.
    pub(super) fn of(index: &TensorIndex) -> Result<Self, CheckpointError> {
        let has = |anchor: &str| index.tensors.keys().any(|name| ends_in(name, anchor));
        let holds = |part: &str| index.tensors.keys().any(|name| name.contains(part));
        if has(Self::HuggingFace.anchors()[0]) {
            return Ok(Self::HuggingFace);
        }
        if has(Self::OpenClip.anchors()[0]) {
            // Only OpenAI's modules keep the resolution as a buffer.
            return Ok(if index.torch_script || has("input_resolution") { Self::OpenAi } else { Self::OpenClip });
        }
        let reason = if holds("visual.layer1.") || holds("visual.attnpool.") {
            "its image tower is a ResNet, and headlamp opens vision transformers only; choose a ViT variant"
        } else if holds("visual.trunk.") {
            "its image tower is one of timm's, and headlamp reads OpenCLIP's own vision transformers only; choose one of \
             those"
        } else if holds("vision_model.embeddings.patch_embedding.bias") {
            "it is a SigLIP, which has no CLS token, so headlamp cannot decompose it; choose a CLIP"
        } else if holds("mlp.w12.") || holds("mlp.weights_in.") {
            "its MLPs are SwiGLU (as in DINOv2's ViT-g), which headlamp does not build; choose a smaller model of the \
             series"
        } else if has(Self::HuggingFaceVit.anchors()[0]) {
            return Ok(if holds(".layernorm_before.") { Self::HuggingFaceVit } else { Self::HuggingFaceDinov2 });
        } else if has("norm_pre.weight") && !has("patch_embed.proj.bias") {
            "it is timm's image tower of a CLIP, and its weights contain neither the activation nor the epsilon of its \
             norms; open the weights of the whole CLIP instead, which OpenCLIP publishes as \
             open_clip_model.safetensors"
        } else if has(Self::Dino.anchors()[0]) {
            return Ok(match (has("reg_token"), holds(".ls1.gamma")) {
                (true, _) => Self::TimmRegisters,
                (false, true) => Self::DinoV2,
                (false, false) => Self::Dino,
            });
        } else {
            "its tensors have neither the names of a CLIP (Hugging Face's, OpenCLIP's) nor the names of a vision \
             transformer with a CLS token (DINO's, timm's, Hugging Face's); choose the weights of such a model"
        };
        Err(foreign(index, reason))
    }

    /// Returns the table of the family's names.
    pub fn names(self) -> TensorNames {
        match self {
            Self::HuggingFace => TensorNames::CLIP,
            Self::OpenClip | Self::OpenAi => TensorNames::OPEN_CLIP,
            Self::Dino => TensorNames::DINO,
            Self::DinoV2 => TensorNames::DINO_V2,
            Self::TimmRegisters => TensorNames::TIMM_REGISTERS,
            Self::HuggingFaceVit => TensorNames::VIT,
            Self::HuggingFaceDinov2 => TensorNames::DINOV2,
        }
    }

    /// Returns whether the family's models were trained with texts.
    pub fn is_clip(self) -> bool {
        matches!(self, Self::HuggingFace | Self::OpenClip | Self::OpenAi)
    }

    /// Returns the prefix of a layer's names in the image tower.
    pub(super) fn blocks(self) -> &'static str {
        match self {
            Self::HuggingFace => "vision_model.encoder.layers.",
            Self::OpenClip | Self::OpenAi => "visual.transformer.resblocks.",
            Self::Dino | Self::DinoV2 | Self::TimmRegisters => "blocks.",
            Self::HuggingFaceVit | Self::HuggingFaceDinov2 => "encoder.layer.",
        }
    }

    /// Returns the prefix of a layer's names in the text tower; `None` if there is no text tower.
    pub(super) fn text_blocks(self) -> Option<&'static str> {
        match self {
            Self::HuggingFace => Some("text_model.encoder.layers."),
            Self::OpenClip | Self::OpenAi => Some("transformer.resblocks."),
            _ => None,
        }
    }

    /// Returns the activation of the MLPs, if it is the same in all models of the family.
    pub(super) fn activation(self) -> Option<Activation> {
        match self {
            Self::HuggingFace | Self::OpenClip => None,
            // OpenAI's own code has no other activation.
            Self::OpenAi => Some(Activation::QuickGelu),
            _ => Some(Activation::Gelu),
        }
    }

    /// Returns the channels' means and standard deviations, if nearly all models of the family share them.
    pub(super) fn normalisation(self) -> Option<([f32; 3], [f32; 3])> {
        match self {
            Self::HuggingFace | Self::OpenClip => None,
            Self::OpenAi => Some((OPENAI_MEAN, OPENAI_STD)),
            _ => Some((IMAGENET_MEAN, IMAGENET_STD)),
        }
    }

    /// Returns the number of heads of a tower of this width, if the family's own code allows only one.
    pub(super) fn heads(self, width: usize) -> Option<usize> {
        match self {
            Self::OpenAi => Some(width / 64),
            Self::HuggingFace | Self::OpenClip => None,
            // ViT-Ti, S, B, L and g. A ViT-H of width 1280 may have heads of width 64 or 80.
            _ => matches!(width, 192 | 384 | 768 | 1024 | 1536).then_some(width / 64),
        }
    }

    /// Returns one tensor name for each part of the model: image tower, text tower, logit scale. Every checkpoint of
    /// the family has these names, and each part may have its own prefix.
    fn anchors(self) -> &'static [&'static str] {
        match self {
            Self::HuggingFace => &[
                "vision_model.embeddings.class_embedding",
                "text_model.embeddings.token_embedding.weight",
                "logit_scale",
            ],
            Self::OpenClip | Self::OpenAi => &["visual.class_embedding", "token_embedding.weight", "logit_scale"],
            Self::Dino | Self::DinoV2 | Self::TimmRegisters => &["cls_token"],
            Self::HuggingFaceVit | Self::HuggingFaceDinov2 => &["embeddings.cls_token"],
        }
    }
}

impl fmt::Display for Family {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Self::HuggingFace => "Hugging Face CLIP",
            Self::OpenClip => "OpenCLIP",
            Self::OpenAi => "OpenAI CLIP",
            Self::Dino => "DINO-style",
            Self::DinoV2 => "DINOv2-style",
            Self::TimmRegisters => "timm DINOv2",
            Self::HuggingFaceVit => "Hugging Face ViT",
            Self::HuggingFaceDinov2 => "Hugging Face Dinov2",
        })
    }
}

/// Returns the error for a file whose model headlamp does not open.
pub(super) fn foreign(index: &TensorIndex, reason: &str) -> CheckpointError {
    CheckpointError::Foreign { file: index.file.clone(), reason: reason.to_owned() }
}

/// Returns whether `name` is `anchor`, or a prefix that ends in a dot and then `anchor`.
fn ends_in(name: &str, anchor: &str) -> bool {
    name.strip_suffix(anchor).is_some_and(|prefix| prefix.is_empty() || prefix.ends_with('.'))
}

/// Renames the tensors to the family's own names, without prefixes. A training checkpoint has its model under a key,
/// a distributed training has it under `module.`, DINO has its tower under `backbone.`, and TinyCLIP has each tower
/// under a wrapper.
pub(super) fn without_prefixes(mut index: TensorIndex, family: Family) -> TensorIndex {
    // If a file holds several models (a teacher and a student, or an average), the first of these keys counts.
    const CONTAINERS: [&str; 5] = ["", "state_dict", "model_state_dict", "model", "teacher"];
    let mut renamed: BTreeMap<String, TensorLocation> = BTreeMap::new();
    for anchor in family.anchors().iter().copied() {
        let prefixes = index.tensors.keys().filter(|name| ends_in(name, anchor));
        let prefix = prefixes.map(|name| &name[..name.len() - anchor.len()]).min_by_key(|prefix| {
            let container = prefix.split('.').next().unwrap_or_default();
            let rank = CONTAINERS.iter().position(|known| *known == container);
            (rank.unwrap_or(CONTAINERS.len()), prefix.len())
        });
        let Some(prefix) = prefix else { continue };
        for (name, tensor) in &index.tensors {
            if let Some(name) = name.strip_prefix(prefix) {
                renamed.entry(name.to_owned()).or_insert_with(|| tensor.clone());
            }
        }
    }
    index.tensors = renamed;
    index
}
