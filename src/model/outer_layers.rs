//! Norms and linear layers outside of the blocks, on any backend.

use std::ops::Range;

use burn::nn;
use burn::tensor::Tensor;

use super::backend::Backend;
use super::error::ModelError;
use super::layer_weights::{load_layer, load_linear, load_norm};
use super::tensor_source::TensorSource;
use crate::shaders;

#[derive(Debug)]
pub(super) enum Norm {
    Burn(nn::LayerNorm),
    Shaders(shaders::Norm),
}

#[derive(Debug)]
pub(super) enum Linear {
    Burn(nn::Linear),
    Shaders(shaders::Matrix),
}

impl Norm {
    pub fn load(
        prefix: &str,
        width: usize,
        eps: f64,
        source: &mut dyn TensorSource,
        backend: &Backend,
    ) -> Result<Self, ModelError> {
        match backend {
            Backend::Shaders(device) => {
                let gamma = source.tensor(&format!("{prefix}.gamma"), &[width])?;
                let beta = source.tensor(&format!("{prefix}.beta"), &[width])?;
                Ok(Self::Shaders(shaders::Norm::new(gamma, beta, eps as f32, device)?))
            }
            _ => Ok(Self::Burn(load_norm(prefix, width, eps, source, &backend.device())?)),
        }
    }

    /// Normalises each token of `[sequences, tokens, width]`.
    pub fn apply(&self, tokens: Tensor<3>) -> Result<Tensor<3>, ModelError> {
        match self {
            Self::Burn(norm) => Ok(norm.forward(tokens)),
            Self::Shaders(norm) => Ok(norm.apply(tokens)?),
        }
    }
}

impl Linear {
    /// Loads a layer. A missing bias counts as zero.
    pub fn load(
        prefix: &str,
        [inputs, outputs]: [usize; 2],
        biased: bool,
        source: &mut dyn TensorSource,
        backend: &Backend,
    ) -> Result<Self, ModelError> {
        match backend {
            Backend::Shaders(device) => {
                let (weights, biases) = match biased {
                    true => load_layer(prefix, inputs, outputs, source)?,
                    false => (source.tensor(&format!("{prefix}.weight"), &[outputs, inputs])?, vec![0.0; outputs]),
                };
                Ok(Self::Shaders(shaders::Matrix::new(&weights, biases, device)?))
            }
            _ => Ok(Self::Burn(load_linear(prefix, [inputs, outputs], biased, source, &backend.device())?)),
        }
    }

    /// Applies the layer: `[sequences, tokens, inputs]` to `[sequences, tokens, outputs]`.
    pub fn apply(&self, tokens: Tensor<3>) -> Result<Tensor<3>, ModelError> {
        match self {
            Self::Burn(linear) => Ok(linear.forward(tokens)),
            Self::Shaders(matrix) => Ok(matrix.apply(tokens, shaders::Activation::None)?),
        }
    }

    /// Adds the layer's outputs for `tokens` to the last tokens of the residual stream, `[sequences, N, outputs]`.
    pub fn add_to(&self, stream: Tensor<3>, tokens: Tensor<3>) -> Result<Tensor<3>, ModelError> {
        match self {
            Self::Burn(linear) => {
                let count = tokens.dims()[1];
                let leading = stream.dims()[1] - count;
                let added = stream.clone().narrow(1, leading, count) + linear.forward(tokens);
                Ok(Tensor::cat(vec![stream.narrow(1, 0, leading), added], 1))
            }
            Self::Shaders(matrix) => Ok(matrix.add_to(stream, tokens)?.0),
        }
    }
}

/// Returns the mean of the `counted` tokens of `[sequences, N, width]`, as `[sequences, 1, width]`.
pub(super) fn pool(tokens: Tensor<3>, counted: Range<usize>, backend: &Backend) -> Result<Tensor<3>, ModelError> {
    let (first, count) = (counted.start, counted.len());
    match backend {
        Backend::Shaders(_) => Ok(shaders::pool(tokens, first, count)?),
        _ if count == 1 => Ok(tokens.narrow(1, first, 1)),
        _ => Ok(tokens.narrow(1, first, count).mean_dim(1)),
    }
}
