//! A layer norm.

use super::error::{ShaderError, in_fours};
use super::launch::{Gpu, GpuTensor};
use super::shader::Shader;

/// The gain, shift and epsilon of a layer norm.
#[derive(Debug)]
pub struct Norm {
    gamma: GpuTensor<1>,
    beta: GpuTensor<1>,
    width: usize,
    eps: f32,
}

impl Norm {
    /// Copies the gain and the shift to the GPU.
    ///
    /// # Errors
    /// When the width is no multiple of four.
    pub fn new(gamma: Vec<f32>, beta: Vec<f32>, eps: f32, gpu: &Gpu) -> Result<Self, ShaderError> {
        let width = gamma.len();
        in_fours(width)?;
        Ok(Self {
            gamma: GpuTensor::new(gamma, [width], gpu),
            beta: GpuTensor::new(beta, [width], gpu),
            width,
            eps,
        })
    }

    /// Normalises each token of `[sequences, tokens, width]`.
    pub fn apply(&self, tokens: &GpuTensor<3>) -> GpuTensor<3> {
        let shape = tokens.dims();
        let normed = tokens.allocate(shape);
        let shader = Shader::Norm { width: self.width, eps: self.eps.to_bits() };
        let read = [&tokens.memory, &self.gamma.memory, &self.beta.memory];
        shader.launch([shape[0] * shape[1], 1], &read, &[&normed.memory], &[]);
        normed
    }
}
