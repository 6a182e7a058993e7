//! Norms and linear layers outside of the blocks, on whatever runs the tower.

use std::ops::Range;

use burn::nn;
use burn::tensor::Tensor;

use super::block::{load_layer, load_linear, load_norm};
use super::{Backend, ModelError, TensorSource};
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
            Self::Shaders(norm) => norm.apply(tokens),
        }
    }
}

impl Linear {
    /// A layer with biases, or one whose biases are zero for want of any.
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

    /// `[sequences, tokens, inputs]` to `[sequences, tokens, outputs]`.
    pub fn apply(&self, tokens: Tensor<3>) -> Result<Tensor<3>, ModelError> {
        match self {
            Self::Burn(linear) => Ok(linear.forward(tokens)),
            Self::Shaders(matrix) => matrix.apply(tokens, shaders::Activation::None),
        }
    }

    /// The residual stream `[sequences, N, outputs]` with what the layer makes of `tokens`, its last ones, added.
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

/// The mean of some tokens of `[sequences, N, width]`: `[sequences, 1, width]`.
pub(super) fn pool(tokens: Tensor<3>, counted: Range<usize>, backend: &Backend) -> Result<Tensor<3>, ModelError> {
    let (first, count) = (counted.start, counted.len());
    match backend {
        Backend::Shaders(_) => shaders::pool(tokens, first, count),
        _ if count == 1 => Ok(tokens.narrow(1, first, 1)),
        _ => Ok(tokens.narrow(1, first, count).mean_dim(1)),
    }
}
