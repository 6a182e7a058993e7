//! Where weights come from.

use crate::checkpoint::CheckpointError;

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

/// Hands out tensors in f32, by the project's own names.
pub trait TensorSource {
    /// The values of `name`, rows first.
    ///
    /// # Errors
    /// Names the tensor when it is missing, of another shape, or not finite.
    fn tensor(&mut self, name: &str, shape: &[usize]) -> Result<Vec<f32>, CheckpointError>;
}
