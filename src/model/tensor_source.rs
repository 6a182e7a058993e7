//! The source of a model's weights, as the model sees it.

use std::error::Error;

/// Why a [`TensorSource`] cannot give a tensor.
#[derive(Debug, thiserror::Error)]
pub enum TensorError {
    /// The source has no tensor of this name.
    #[error("tensor `{0}` is missing: the file is incomplete, or of another model")]
    Missing(String),
    /// Any other error of the source.
    #[error(transparent)]
    Source(Box<dyn Error + Send + Sync>),
}

/// The name and shape of one tensor that a model needs, in the project's own layout.
///
/// Matrices are `[out, in]`, as PyTorch stores them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TensorSpec {
    pub name: String,
    pub shape: Vec<usize>,
}

impl TensorSpec {
    pub(super) fn new(name: impl Into<String>, shape: impl Into<Vec<usize>>) -> Self {
        Self { name: name.into(), shape: shape.into() }
    }
}

/// Gives tensors in f32, by the project's own names.
pub trait TensorSource {
    /// Returns the values of `name`, row by row.
    ///
    /// # Errors
    /// Names the tensor when it is missing, has another shape, or is not finite.
    fn tensor(&mut self, name: &str, shape: &[usize]) -> Result<Vec<f32>, TensorError>;
}
