//! The mean of some tokens.

use burn::tensor::Tensor;

use super::error::ShaderError;
use super::launch::Buffer;
use super::shader::Shader;

/// Returns the mean of the `count` tokens of each sequence from `first` on: `[sequences, tokens, width]` to
/// `[sequences, 1, width]`.
///
/// # Errors
/// When the tensor is not on the GPU.
pub fn pool(tokens: Tensor<3>, first: usize, count: usize) -> Result<Tensor<3>, ShaderError> {
    let [sequences, all, width] = tokens.dims();
    let tokens = Buffer::of(tokens)?;
    let pooled = tokens.allocate([sequences, 1, width]);
    Shader::Pool { width }.launch([sequences, 1], &[&tokens], &[&pooled], &[all, first, count]);
    Ok(pooled.tensor())
}
