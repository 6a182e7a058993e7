//! A loaded model: its towers on one device.

use super::backend::Backend;
use super::config::ModelConfig;
use super::error::ModelError;
use super::readout::load_readout;
use super::tensor_source::TensorSource;
use super::text::TextTransformer;
use super::vision::VisionTransformer;
use crate::decompose::Readout;

/// The towers of a model on one device, and the readout of the vision tower on the CPU.
pub struct Model {
    pub config: ModelConfig,
    pub vision: VisionTransformer,
    /// None when the model has no text tower.
    pub text: Option<TextTransformer>,
    pub readout: Readout,
    /// The factor of the cosines before softmax. 1 when the model has no text tower.
    pub logit_scale: f32,
}

impl Model {
    /// Loads the model tensor by tensor.
    ///
    /// # Errors
    /// When the config is invalid, or a tensor is missing or malformed.
    pub fn load(
        config: ModelConfig,
        source: &mut dyn TensorSource,
        backend: impl Into<Backend>,
    ) -> Result<Self, ModelError> {
        config.check()?;
        let backend = backend.into();
        let readout = load_readout(&config.vision, config.embedding, source)?;
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

    /// Returns the text tower.
    ///
    /// # Errors
    /// [`ModelError::NoTextTower`].
    pub fn text_tower(&self) -> Result<&TextTransformer, ModelError> {
        self.text.as_ref().ok_or(ModelError::NoTextTower)
    }
}
