//! The settings of a model: sizes and variants.

use serde::{Deserialize, Serialize};

use super::error::ModelError;
use crate::geometry::{Grid, LongSide};
use crate::shaders;

/// The pointwise function inside an MLP.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Activation {
    /// x * sigmoid(1.702 x), for OpenAI's weights.
    QuickGelu,
    /// The exact GELU with erf, for OpenCLIP's LAION weights, DINO and BERT.
    Gelu,
}

/// How the position table is resized to another grid (docs/PAPERS.md, 1.5). All variants are bicubic with a =
/// -0.75 and align_corners false, except where noted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum PositionResize {
    /// As torch's `interpolate(size=...)`.
    #[default]
    Size,
    /// As in DINO: 0.1 is added to the target size before the scale is computed.
    DinoScale,
    /// As in OpenCLIP: antialiased when shrinking, with a = -0.5.
    Antialias,
}

/// The settings of a vision transformer.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct VisionConfig {
    pub width: usize,
    pub layers: usize,
    pub heads: usize,
    pub patch: usize,
    /// The side of the square crop of the training, in pixels.
    pub image_size: usize,
    /// How photos were resized for the training.
    #[serde(default)]
    pub long_side: LongSide,
    pub mlp_width: usize,
    pub activation: Activation,
    pub ln_pre: bool,
    #[serde(default)]
    pub registers: usize,
    pub eps: f64,
    /// The grid of the stored position table.
    pub position_grid: Grid,
    #[serde(default)]
    pub position_resize: PositionResize,
    pub projection: bool,
    pub projection_bias: bool,
    pub mean: [f32; 3],
    pub std: [f32; 3],
}

impl VisionConfig {
    /// Returns the width of a head.
    pub fn head_width(&self) -> usize {
        self.width / self.heads
    }

    /// Returns the number of CLS and register tokens, which are no patches.
    pub fn leading_tokens(&self) -> usize {
        1 + self.registers
    }
}

/// The family of a text tower.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum TextKind {
    /// Pre-norm, causal, with a final norm and a projection.
    Clip,
    /// Post-norm, not causal, with a norm after the embedding.
    Bert,
}

/// How the tokens of a text become one vector.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum TextPooling {
    /// The last token, which marks the end of the text.
    End,
    Mean,
}

/// The settings of a text transformer.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct TextConfig {
    pub kind: TextKind,
    pub width: usize,
    pub layers: usize,
    pub heads: usize,
    pub mlp_width: usize,
    pub activation: Activation,
    pub eps: f64,
    pub vocabulary: usize,
    /// The largest number of tokens of a text, including the start and end tokens.
    pub context: usize,
    pub pooling: TextPooling,
    pub projection: bool,
    /// Whether a mean text is subtracted from each unit text. The difference is normalised again.
    #[serde(default)]
    pub centred: bool,
}

/// The settings of an image tower, and of a text tower that shares its embedding space.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ModelConfig {
    pub vision: VisionConfig,
    /// None for a self-supervised model that was not aligned with texts.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub text: Option<TextConfig>,
    /// Size of the image embedding.
    pub embedding: usize,
}

impl ModelConfig {
    /// Returns whether the project's shaders support towers of this shape, on a GPU whose workgroups share
    /// `workgroup_storage` bytes.
    pub fn suits_shaders(&self, workgroup_storage: usize) -> bool {
        let suits = |width: usize, heads: usize, mlp_width: usize| {
            shaders::supports_head_width(width / heads, workgroup_storage) && mlp_width.is_multiple_of(4)
        };
        let VisionConfig { width, heads, mlp_width, patch, .. } = self.vision;
        let text = self.text.as_ref().is_none_or(|text| suits(text.width, text.heads, text.mlp_width));
        // The inputs of the patch embedding are 3 * patch * patch numbers.
        text && suits(width, heads, mlp_width) && patch.is_multiple_of(2) && self.embedding.is_multiple_of(4)
    }

    /// Rejects configs that no model can have, before anything is allocated for them.
    ///
    /// # Errors
    /// [`ModelError::Config`] names the field.
    pub fn check(&self) -> Result<(), ModelError> {
        let VisionConfig { width, layers, heads, patch, image_size, mlp_width, position_grid, .. } = self.vision;
        within("vision.width", width, 8192)?;
        within("vision.layers", layers, 128)?;
        within("vision.heads", heads, 128)?;
        within("vision.patch", patch, 128)?;
        within("vision.image_size", image_size, 2048)?;
        within("vision.mlp_width", mlp_width, 65_536)?;
        within("vision.position_grid", position_grid.rows.max(position_grid.columns), 256)?;
        within("vision.position_grid", position_grid.len(), 65_536)?;
        within("embedding", self.embedding, 8192)?;
        if self.vision.registers > 64 {
            return Err(ModelError::Config(format!(
                "vision.registers is {}, more than 64",
                self.vision.registers
            )));
        }
        if image_size < patch {
            return Err(ModelError::Config(format!(
                "one patch ({patch}) is larger than the image ({image_size})"
            )));
        }
        whole_heads("vision", width, heads)?;
        if !self.vision.projection && width != self.embedding {
            return Err(ModelError::Config(
                "without a projection the embedding must be as wide as the tower".into(),
            ));
        }
        if self.vision.std.iter().any(|std| !(*std > 0.0)) {
            return Err(ModelError::Config("vision.std must be positive".into()));
        }
        self.text.as_ref().map_or(Ok(()), |text| text.check(self.embedding))
    }
}

impl TextConfig {
    fn check(&self, embedding: usize) -> Result<(), ModelError> {
        within("text.width", self.width, 8192)?;
        within("text.layers", self.layers, 128)?;
        within("text.heads", self.heads, 128)?;
        within("text.mlp_width", self.mlp_width, 65_536)?;
        within("text.vocabulary", self.vocabulary, 1_000_000)?;
        within("text.context", self.context, 8192)?;
        whole_heads("text", self.width, self.heads)?;
        if !self.projection && self.width != embedding {
            return Err(ModelError::Config(
                "without a text projection the text tower must be as wide as the embedding".into(),
            ));
        }
        Ok(())
    }
}

fn within(what: &str, value: usize, most: usize) -> Result<(), ModelError> {
    match value {
        value if (1..=most).contains(&value) => Ok(()),
        value => Err(ModelError::Config(format!("{what} is {value}, not between 1 and {most}"))),
    }
}

fn whole_heads(tower: &str, width: usize, heads: usize) -> Result<(), ModelError> {
    match width % heads {
        0 => Ok(()),
        _ => Err(ModelError::Config(format!("{tower}.width {width} is no multiple of its {heads} heads"))),
    }
}
