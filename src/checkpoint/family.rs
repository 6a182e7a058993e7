//! Whose names a checkpoint has, and what goes with that.

use std::collections::BTreeMap;
use std::fmt;

use super::CheckpointError;
use super::index::{Index, Located};
use super::known::{IMAGENET_MEAN, IMAGENET_STD, OPENAI_MEAN, OPENAI_STD};
use super::layouts::Names;
use crate::model::Activation;

/// Whose names a checkpoint has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Family {
    /// Hugging Face's `CLIPModel`.
    HuggingFace,
    /// OpenCLIP, and TinyCLIP's own release.
    OpenClip,
    /// OpenAI's own release: OpenCLIP's names, and QuickGELU always.
    OpenAi,
    /// DINO's own release, and DoRA's; timm's plain vision transformers, which have the same names.
    Dino,
    /// DINOv2's own release, with and without registers; timm's without.
    DinoV2,
    /// timm's DINOv2 with registers.
    TimmRegisters,
    /// Hugging Face's `ViTModel`.
    HuggingFaceVit,
    /// Hugging Face's `Dinov2Model` and `Dinov2WithRegistersModel`.
    HuggingFaceDinov2,
}

impl Family {
    /// Recognises the names of a file.
    ///
    /// # Errors
    /// [`CheckpointError::Foreign`] says which other kind of model it seems to be.
    pub(super) fn of(index: &Index) -> Result<Self, CheckpointError> {
        let has = |anchor: &str| index.tensors.keys().any(|name| ends_in(name, anchor));
        let holds = |part: &str| index.tensors.keys().any(|name| name.contains(part));
        if has(Self::HuggingFace.anchors()[0]) {
            return Ok(Self::HuggingFace);
        }
        if has(Self::OpenClip.anchors()[0]) {
            // What OpenAI's modules keep as buffers, and nobody else's.
            return Ok(if index.torch_script || has("input_resolution") { Self::OpenAi } else { Self::OpenClip });
        }
        let reason = if holds("visual.layer1.") || holds("visual.attnpool.") {
            "its image tower is a ResNet; headlamp opens vision transformers only"
        } else if holds("visual.trunk.") {
            "its image tower is one of timm's; headlamp reads OpenCLIP's own vision transformers"
        } else if holds("vision_model.embeddings.patch_embedding.bias") {
            "it is a SigLIP, which has no CLS token to take apart"
        } else if holds("mlp.w12.") || holds("mlp.weights_in.") {
            "its MLPs are SwiGLU's (as in DINOv2's ViT-g), which headlamp does not build; its smaller siblings open"
        } else if has(Self::HuggingFaceVit.anchors()[0]) {
            return Ok(if holds(".layernorm_before.") { Self::HuggingFaceVit } else { Self::HuggingFaceDinov2 });
        } else if has("norm_pre.weight") && !has("patch_embed.proj.bias") {
            "it is timm's image tower of a CLIP, whose weights tell neither its activation nor its norms' epsilon; \
             open the whole CLIP's weights instead, which OpenCLIP publishes as open_clip_model.safetensors"
        } else if has(Self::Dino.anchors()[0]) {
            return Ok(match (has("reg_token"), holds(".ls1.gamma")) {
                (true, _) => Self::TimmRegisters,
                (false, true) => Self::DinoV2,
                (false, false) => Self::Dino,
            });
        } else {
            "it has neither the names of a CLIP (Hugging Face's, OpenCLIP's) nor those of a vision transformer \
             with a CLS token (DINO's, timm's, Hugging Face's)"
        };
        Err(foreign(index, reason))
    }

    pub fn names(self) -> Names {
        match self {
            Self::HuggingFace => Names::CLIP,
            Self::OpenClip | Self::OpenAi => Names::OPEN_CLIP,
            Self::Dino => Names::DINO,
            Self::DinoV2 => Names::DINO_V2,
            Self::TimmRegisters => Names::TIMM_REGISTERS,
            Self::HuggingFaceVit => Names::VIT,
            Self::HuggingFaceDinov2 => Names::DINOV2,
        }
    }

    /// Whether its models were trained with texts.
    pub fn is_clip(self) -> bool {
        matches!(self, Self::HuggingFace | Self::OpenClip | Self::OpenAi)
    }

    /// What a layer's names begin with in the image tower.
    pub(super) fn blocks(self) -> &'static str {
        match self {
            Self::HuggingFace => "vision_model.encoder.layers.",
            Self::OpenClip | Self::OpenAi => "visual.transformer.resblocks.",
            Self::Dino | Self::DinoV2 | Self::TimmRegisters => "blocks.",
            Self::HuggingFaceVit | Self::HuggingFaceDinov2 => "encoder.layer.",
        }
    }

    /// What a layer's names begin with in the text tower.
    pub(super) fn text_blocks(self) -> Option<&'static str> {
        match self {
            Self::HuggingFace => Some("text_model.encoder.layers."),
            Self::OpenClip | Self::OpenAi => Some("transformer.resblocks."),
            _ => None,
        }
    }

    /// What its MLPs compute, where that is the same in all its models.
    pub(super) fn activation(self) -> Option<Activation> {
        match self {
            Self::HuggingFace | Self::OpenClip => None,
            // OpenAI's own code knows no other.
            Self::OpenAi => Some(Activation::QuickGelu),
            _ => Some(Activation::Gelu),
        }
    }

    /// Mean and deviation of the pictures' channels, where they are the same for nearly all its models.
    pub(super) fn normalisation(self) -> Option<([f32; 3], [f32; 3])> {
        match self {
            Self::HuggingFace | Self::OpenClip => None,
            Self::OpenAi => Some((OPENAI_MEAN, OPENAI_STD)),
            _ => Some((IMAGENET_MEAN, IMAGENET_STD)),
        }
    }

    /// Heads of a tower of this width, where the family's own code knows no others.
    pub(super) fn heads(self, width: usize) -> Option<usize> {
        match self {
            Self::OpenAi => Some(width / 64),
            Self::HuggingFace | Self::OpenClip => None,
            // ViT-Ti, S, B, L and g; an H of 1280 may have heads of 64 or of 80.
            _ => matches!(width, 192 | 384 | 768 | 1024 | 1536).then_some(width / 64),
        }
    }

    /// Names of which every checkpoint of the family has one, each at the head of a part that may have a prefix of
    /// its own: image tower, text tower, scale.
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

pub(super) fn foreign(index: &Index, reason: &str) -> CheckpointError {
    CheckpointError::Foreign { file: index.file.clone(), reason: reason.to_owned() }
}

/// Whether `name` is `anchor`, or ends in it after a dot.
fn ends_in(name: &str, anchor: &str) -> bool {
    name.strip_suffix(anchor).is_some_and(|prefix| prefix.is_empty() || prefix.ends_with('.'))
}

/// Renames the tensors to the family's own names. A training checkpoint keeps its model under a key, a distributed
/// one under `module.`, DINO its tower under `backbone.`, TinyCLIP each tower under a wrapper.
pub(super) fn without_prefixes(mut index: Index, family: Family) -> Index {
    // Where several models lie in one file (teacher and student, an average), the first of these.
    const CONTAINERS: [&str; 5] = ["", "state_dict", "model_state_dict", "model", "teacher"];
    let mut renamed: BTreeMap<String, Located> = BTreeMap::new();
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
