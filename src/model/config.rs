//! What a pack says about its model, and the tensors that follow from it.

use serde::{Deserialize, Serialize};

use super::{ModelError, TensorSpec, text::TextTransformer, vision::VisionTransformer};
use crate::geometry::{Grid, LongSide};

/// The pointwise function inside an MLP.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Activation {
    /// x * sigmoid(1.702 x): OpenAI's weights.
    QuickGelu,
    /// The exact, erf-based GELU: OpenCLIP's LAION weights, DINO, BERT.
    Gelu,
}

/// Whose bicubic fits the position table to another grid (all with a = -0.75, align_corners false).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum PositionResize {
    /// torch's `interpolate(size=...)`.
    #[default]
    Size,
    /// DINO's: 0.1 is added to the target before the scale is computed.
    DinoScale,
    /// OpenCLIP's: antialiased when shrinking.
    Antialias,
}

/// A vision transformer.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct VisionConfig {
    pub width: usize,
    pub layers: usize,
    pub heads: usize,
    pub patch: usize,
    /// Side of the square crop that the model was trained on, in pixels.
    pub image_size: usize,
    /// How photos were resized to it.
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
    /// Numbers per head.
    pub fn head_width(&self) -> usize {
        self.width / self.heads
    }

    /// CLS and registers: the tokens that are no patch.
    pub fn leading_tokens(&self) -> usize {
        1 + self.registers
    }
}

/// The family of a text tower.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum TextKind {
    /// Pre-norm, causal, a final norm and a projection.
    Clip,
    /// Post-norm, both ways, a norm after the embedding.
    Bert,
}

/// How a text's tokens become one vector.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum TextPooling {
    /// The last token, which ends the text.
    End,
    Mean,
}

/// A text transformer.
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
    /// The longest text in tokens, its start and end included.
    pub context: usize,
    pub pooling: TextPooling,
    pub projection: bool,
    /// Whether a mean text is subtracted from each unit text (and the difference made unit again).
    #[serde(default)]
    pub centred: bool,
}

/// An image tower, and where there is a text tower too, the space that both share.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ModelConfig {
    pub vision: VisionConfig,
    /// None in a self-supervised model that was not aligned with texts.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub text: Option<TextConfig>,
    /// Size of the image embedding.
    pub embedding: usize,
}

impl ModelConfig {
    /// Every tensor that the model needs.
    pub fn tensors(&self) -> Vec<TensorSpec> {
        let mut tensors = VisionTransformer::tensors(&self.vision, self.embedding);
        if let Some(text) = &self.text {
            tensors.extend(TextTransformer::tensors(text, self.embedding));
            tensors.push(TensorSpec::new("logit_scale", [1]));
        }
        tensors
    }

    /// Whether the project's shaders take towers of this shape, on a GPU whose workgroups share so many bytes.
    pub fn suits_shaders(&self, workgroup_storage: usize) -> bool {
        let suits = |width: usize, heads: usize, mlp_width: usize| {
            crate::shaders::attend(width / heads, workgroup_storage) && mlp_width.is_multiple_of(4)
        };
        let VisionConfig { width, heads, mlp_width, patch, .. } = self.vision;
        let text = self.text.as_ref().is_none_or(|text| suits(text.width, text.heads, text.mlp_width));
        // A patch's channels are an input's numbers.
        text && suits(width, heads, mlp_width) && patch.is_multiple_of(2) && self.embedding.is_multiple_of(4)
    }

    /// Refuses configs that no model can have, before anything is allocated for them.
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
            return Err(ModelError::Config(format!("vision.registers is {}", self.vision.registers)));
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
            return Err(ModelError::Config("without a text projection both must be equally wide".into()));
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

/// The towers on one device, and what the CPU needs to read them out.
pub struct Model {
    pub config: ModelConfig,
    pub vision: VisionTransformer,
    /// None in a model that knows no texts.
    pub text: Option<TextTransformer>,
    pub readout: crate::decompose::Readout,
    /// 1 where there are no texts to tell apart.
    pub logit_scale: f32,
}

impl Model {
    /// Loads the towers tensor by tensor.
    ///
    /// # Errors
    /// Where the config is impossible, or a tensor is missing or malformed.
    pub fn load(
        config: ModelConfig,
        source: &mut dyn super::TensorSource,
        backend: impl Into<super::Backend>,
    ) -> Result<Self, ModelError> {
        config.check()?;
        let backend = backend.into();
        let readout = crate::decompose::Readout::load(&config.vision, config.embedding, source)?;
        let vision = VisionTransformer::load(&config.vision, config.embedding, source, &backend)?;
        let (text, logit_scale) = match &config.text {
            None => (None, 1.0),
            Some(text) => {
                let text = TextTransformer::load(text, config.embedding, source, &backend)?;
                (Some(text), source.tensor("logit_scale", &[1])?[0])
            }
        };
        Ok(Self { config, vision, text, readout, logit_scale })
    }

    /// The text tower.
    ///
    /// # Errors
    /// [`ModelError::NoTextTower`].
    pub fn text_tower(&self) -> Result<&TextTransformer, ModelError> {
        self.text.as_ref().ok_or(ModelError::NoTextTower)
    }
}
