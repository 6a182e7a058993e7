//! A layer norm.

use burn::tensor::{Device, Tensor};

use super::error::{ShaderError, in_fours};
use super::launch::Buffer;
use super::shader::Shader;

/// The gain, shift and epsilon of a layer norm.
#[derive(Debug)]
pub struct Norm {
    gamma: Buffer,
    beta: Buffer,
    width: usize,
    eps: f32,
}

impl Norm {
    /// Copies the gain and the shift to the GPU.
    ///
    /// # Errors
    /// When the width is no multiple of four, or the device is no GPU.
    pub fn new(gamma: Vec<f32>, beta: Vec<f32>, eps: f32, device: &Device) -> Result<Self, ShaderError> {
        let width = gamma.len();
        in_fours(width)?;
        Ok(Self {
            gamma: Buffer::new(gamma, [width], device)?,
            beta: Buffer::new(beta, [width], device)?,
            width,
            eps,
        })
    }

    /// Normalises each token of `[sequences, tokens, width]`.
    ///
    /// # Errors
    /// When the tensor is not on the GPU.
    pub fn apply(&self, tokens: Tensor<3>) -> Result<Tensor<3>, ShaderError> {
        let shape = tokens.dims();
        let tokens = Buffer::of(tokens)?;
        let normed = tokens.allocate(shape);
        let shader = Shader::Norm { width: self.width, eps: self.eps.to_bits() };
        shader.launch([shape[0] * shape[1], 1], &[&tokens, &self.gamma, &self.beta], &[&normed], &[]);
        Ok(normed.tensor())
    }
}
