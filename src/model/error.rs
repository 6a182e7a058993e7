//! Why a model cannot be built or run.

use super::tensor_source::TensorError;
use crate::shaders::ShaderError;

/// A model that cannot be built or run.
#[derive(Debug, thiserror::Error)]
pub enum ModelError {
    /// The config contradicts itself, or exceeds what the program supports.
    #[error("the model's config cannot be used: {0}")]
    Config(String),
    /// A tensor is missing or malformed. The source's message says which.
    #[error(transparent)]
    Tensor(#[from] TensorError),
    /// A self-supervised model was asked about a text.
    #[error(
        "this model has no text tower, so it cannot score phrases: align it with `headlamp align`, or open a model that \
            was trained with texts"
    )]
    NoTextTower,
    /// The input does not fit the model.
    #[error("{0}")]
    Input(String),
    /// The device failed or did not answer.
    #[error("the compute device failed ({}); reload, or choose the CPU", .0.lines().next().unwrap_or_default())]
    Device(String),
    /// The embedding is not finite. Statistics and galleries would keep such numbers for ever.
    #[error(
        "the model's output for this picture is not finite: open the model again, or choose the CPU if it runs on a GPU"
    )]
    NotFinite,
}

impl From<ShaderError> for ModelError {
    fn from(error: ShaderError) -> Self {
        match error {
            ShaderError::NotInFours(_) => Self::Config(error.to_string()),
            ShaderError::Device(reason) => Self::Device(reason),
        }
    }
}
