//! The sizes of a checkpoint's model, from the shapes of a few tensors.

use super::family::{Family, foreign};
use super::normalisation::{IMAGENET_MEAN, IMAGENET_STD, OPENAI_MEAN, OPENAI_STD};
use crate::checkpoint::error::CheckpointError;
use crate::checkpoint::index::TensorIndex;
use crate::geometry::{Grid, LongSide};
use crate::model::{Activation, ModelConfig, PositionResize, TextConfig, TextKind, TextPooling, VisionConfig};

/// The side of DINOv2's crops, in pixels. DINOv2's training ends at 518 pixels, but its models are used, and were
/// evaluated, at this size.
const DINO_V2_CROP: usize = 224;

/// Returns the config with the sizes that the shapes give. The other settings have the most usual values.
///
/// # Errors
/// [`CheckpointError::Missing`] or [`CheckpointError::Shape`] if a tensor that gives a size is missing;
/// [`CheckpointError::Foreign`] if no vision transformer has these sizes.
pub(super) fn config_from_shapes(index: &TensorIndex, family: Family) -> Result<ModelConfig, CheckpointError> {
    if family.is_clip() { config_of_clip(index, family) } else { config_of_vit(index, family) }
}

/// The shapes of the tensors that give the sizes.
struct Shapes<'a>(&'a TensorIndex);

impl Shapes<'_> {
    /// Returns the shape of a tensor with `N` axes.
    fn of<const N: usize>(&self, name: &str) -> Result<[usize; N], CheckpointError> {
        let tensor = self.0.tensors.get(name).ok_or_else(|| CheckpointError::Missing(name.to_owned()))?;
        tensor.shape.as_slice().try_into().map_err(|_rank| CheckpointError::Shape {
            name: name.to_owned(),
            expected: vec![0; N],
            found: tensor.shape.clone(),
        })
    }

    /// Returns the number of layers: one more than the highest number after `prefix`.
    fn layers(&self, prefix: &str) -> usize {
        let numbers = self.0.tensors.keys().filter_map(|name| {
            let number = name.strip_prefix(prefix)?.split('.').next()?;
            number.parse::<usize>().ok()
        });
        numbers.max().map_or(0, |last| last.saturating_add(1))
    }
}

/// Returns the config of a CLIP.
fn config_of_clip(index: &TensorIndex, family: Family) -> Result<ModelConfig, CheckpointError> {
    let vision = clip_vision(index, family)?;
    let text = clip_text(index, family)?;
    let shapes = Shapes(index);
    let embedding = match family {
        Family::HuggingFace => shapes.of::<2>("visual_projection.weight")?[0],
        _ => shapes.of::<2>("visual.proj")?[1],
    };
    Ok(ModelConfig { vision, text: Some(text), embedding })
}

/// Returns one of two names: Hugging Face's, or the name that OpenCLIP and OpenAI share.
fn clip_name(family: Family, hugging_face: &'static str, open_clip: &'static str) -> &'static str {
    if family == Family::HuggingFace { hugging_face } else { open_clip }
}

/// Returns the name of the first MLP matrix of the first layer, after the prefix of the layers.
fn clip_mlp(family: Family) -> &'static str {
    clip_name(family, "0.mlp.fc1.weight", "0.mlp.c_fc.weight")
}

fn clip_vision(index: &TensorIndex, family: Family) -> Result<VisionConfig, CheckpointError> {
    let name = |hugging_face, open_clip| clip_name(family, hugging_face, open_clip);
    let shapes = Shapes(index);
    let [width, _, patch, _] =
        shapes.of(name("vision_model.embeddings.patch_embedding.weight", "visual.conv1.weight"))?;
    let [positions, _] =
        shapes.of(name("vision_model.embeddings.position_embedding.weight", "visual.positional_embedding"))?;
    let side = side_of(index, positions.saturating_sub(1))?;
    let [mlp_width, _] = shapes.of(&format!("{}{}", family.blocks(), clip_mlp(family)))?;
    let position_resize = match family {
        Family::HuggingFace => PositionResize::Size,
        _ => PositionResize::Antialias,
    };
    Ok(VisionConfig {
        width,
        layers: shapes.layers(family.blocks()),
        heads: 1,
        patch,
        image_size: side * patch,
        long_side: LongSide::Truncated,
        mlp_width,
        activation: Activation::Gelu,
        ln_pre: index.tensors.contains_key(name("vision_model.pre_layrnorm.weight", "visual.ln_pre.weight")),
        registers: 0,
        eps: 1e-5,
        position_grid: Grid { rows: side, columns: side },
        position_resize,
        projection: true,
        projection_bias: false,
        mean: OPENAI_MEAN,
        std: OPENAI_STD,
    })
}

fn clip_text(index: &TensorIndex, family: Family) -> Result<TextConfig, CheckpointError> {
    let name = |hugging_face, open_clip| clip_name(family, hugging_face, open_clip);
    let shapes = Shapes(index);
    let blocks = family.text_blocks().unwrap_or_default();
    let [vocabulary, width] =
        shapes.of(name("text_model.embeddings.token_embedding.weight", "token_embedding.weight"))?;
    let [context, _] =
        shapes.of(name("text_model.embeddings.position_embedding.weight", "positional_embedding"))?;
    let [mlp_width, _] = shapes.of(&format!("{blocks}{}", clip_mlp(family)))?;
    Ok(TextConfig {
        kind: TextKind::Clip,
        width,
        layers: shapes.layers(blocks),
        heads: 1,
        mlp_width,
        activation: Activation::Gelu,
        eps: 1e-5,
        vocabulary,
        context,
        pooling: TextPooling::End,
        projection: true,
        centred: false,
    })
}

/// Returns the config of a vision transformer without a text tower.
fn config_of_vit(index: &TensorIndex, family: Family) -> Result<ModelConfig, CheckpointError> {
    let hugging = matches!(family, Family::HuggingFaceVit | Family::HuggingFaceDinov2);
    let either = |hugging_face: &'static str, dino: &'static str| if hugging { hugging_face } else { dino };
    let shapes = Shapes(index);
    let [width, _, patch, _] =
        shapes.of(either("embeddings.patch_embeddings.projection.weight", "patch_embed.proj.weight"))?;
    let [_, positions, _] = shapes.of(either("embeddings.position_embeddings", "pos_embed"))?;
    // In timm's models with registers, the class token contains its position, so the table has no row for it.
    let side = side_of(index, positions.saturating_sub(usize::from(family != Family::TimmRegisters)))?;
    let registers = match ["embeddings.register_tokens", "register_tokens", "reg_token"]
        .into_iter()
        .find(|name| index.tensors.contains_key(*name))
    {
        None => 0,
        Some(name) => shapes.of::<3>(name)?[1],
    };
    let first = if family == Family::HuggingFaceVit { "0.intermediate.dense.weight" } else { "0.mlp.fc1.weight" };
    let [mlp_width, _] = shapes.of(&format!("{}{first}", family.blocks()))?;
    let trained = side * patch;
    let is_dino_v2 = matches!(family, Family::DinoV2 | Family::TimmRegisters | Family::HuggingFaceDinov2);
    Ok(ModelConfig {
        vision: VisionConfig {
            width,
            layers: shapes.layers(family.blocks()),
            heads: 1,
            patch,
            image_size: if is_dino_v2 { trained.min(whole_patches(DINO_V2_CROP, patch)) } else { trained },
            long_side: LongSide::Truncated,
            mlp_width,
            activation: Activation::Gelu,
            ln_pre: index.tensors.contains_key("norm_pre.weight"),
            registers,
            eps: if family == Family::HuggingFaceVit { 1e-12 } else { 1e-6 },
            position_grid: Grid { rows: side, columns: side },
            position_resize: match (registers > 0, hugging) {
                (true, _) => PositionResize::Antialias,
                (false, true) => PositionResize::Size,
                (false, false) => PositionResize::DinoScale,
            },
            projection: false,
            projection_bias: false,
            mean: IMAGENET_MEAN,
            std: IMAGENET_STD,
        },
        text: None,
        embedding: width,
    })
}

/// Rounds `pixels` down to a whole number of patches.
pub(super) fn whole_patches(pixels: usize, patch: usize) -> usize {
    pixels - pixels % patch.max(1)
}

/// Returns the side of a square of this many patches.
///
/// # Errors
/// [`CheckpointError::Foreign`] if the patches do not make a square.
fn side_of(index: &TensorIndex, patches: usize) -> Result<usize, CheckpointError> {
    let side = patches.isqrt();
    if side > 0 && side * side == patches {
        return Ok(side);
    }
    let reason = format!(
        "its {} positions are not a square of patches and a CLS token; choose a model for square pictures",
        patches + 1
    );
    Err(foreign(index, &reason))
}
