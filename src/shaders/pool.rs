//! The mean of some tokens.

use super::launch::GpuTensor;
use super::shader::Shader;

/// Returns the mean of the `count` tokens of each sequence from `first` on: `[sequences, tokens, width]` to
/// `[sequences, 1, width]`.
pub fn pool(tokens: &GpuTensor<3>, first: usize, count: usize) -> GpuTensor<3> {
    let [sequences, all, width] = tokens.dims();
    let pooled = tokens.allocate([sequences, 1, width]);
    Shader::Pool { width }.launch([sequences, 1], &[&tokens.memory], &[&pooled.memory], &[all, first, count]);
    pooled
}
