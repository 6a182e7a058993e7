//! Norms and linear layers outside of the blocks, on any backend.

use std::ops::Range;

use burn::nn;
use burn::tensor::Tensor;

use super::backend::Backend;
use super::error::ModelError;
use super::layer_weights::{load_layer, load_linear, load_norm};
use super::tensor::DeviceTensor;
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
            Backend::Shaders(gpu) => {
                let gamma = source.tensor(&format!("{prefix}.gamma"), &[width])?;
                let beta = source.tensor(&format!("{prefix}.beta"), &[width])?;
                Ok(Self::Shaders(shaders::Norm::new(gamma, beta, eps as f32, gpu)?))
            }
            _ => Ok(Self::Burn(load_norm(prefix, width, eps, source, &backend.cpu())?)),
        }
    }

    /// Normalises each token of `[sequences, tokens, width]`.
    pub fn apply(&self, tokens: DeviceTensor<3>) -> Result<DeviceTensor<3>, ModelError> {
        match self {
            Self::Burn(norm) => Ok(norm.forward(tokens.on_cpu()?).into()),
            Self::Shaders(norm) => Ok(norm.apply(&tokens.on_gpu()?).into()),
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
            Backend::Shaders(gpu) => {
                let (weights, biases) = match biased {
                    true => load_layer(prefix, inputs, outputs, source)?,
                    false => (source.tensor(&format!("{prefix}.weight"), &[outputs, inputs])?, vec![0.0; outputs]),
                };
                Ok(Self::Shaders(shaders::Matrix::new(&weights, biases, gpu)?))
            }
            _ => Ok(Self::Burn(load_linear(prefix, [inputs, outputs], biased, source, &backend.cpu())?)),
        }
    }

    /// Applies the layer: `[sequences, tokens, inputs]` to `[sequences, tokens, outputs]`.
    pub fn apply(&self, tokens: DeviceTensor<3>) -> Result<DeviceTensor<3>, ModelError> {
        match self {
            Self::Burn(linear) => Ok(linear.forward(tokens.on_cpu()?).into()),
            Self::Shaders(matrix) => Ok(matrix.apply(&tokens.on_gpu()?, shaders::Activation::None).into()),
        }
    }

    /// Adds the layer's outputs for `tokens` to the last tokens of the residual stream, `[sequences, N, outputs]`.
    pub fn add_to(&self, stream: DeviceTensor<3>, tokens: DeviceTensor<3>) -> Result<DeviceTensor<3>, ModelError> {
        match self {
            Self::Burn(linear) => {
                let (stream, tokens) = (stream.on_cpu()?, tokens.on_cpu()?);
                let count = tokens.dims()[1];
                let leading = stream.dims()[1] - count;
                let added = stream.clone().narrow(1, leading, count) + linear.forward(tokens);
                Ok(Tensor::cat(vec![stream.narrow(1, 0, leading), added], 1).into())
            }
            Self::Shaders(matrix) => Ok(matrix.add_to(&stream.on_gpu()?, &tokens.on_gpu()?).0.into()),
        }
    }
}

/// Returns the mean of the `counted` tokens of `[sequences, N, width]`, as `[sequences, 1, width]`.
pub(super) fn pool(tokens: DeviceTensor<3>, counted: Range<usize>) -> DeviceTensor<3> {
    let (first, count) = (counted.start, counted.len());
    match tokens {
        DeviceTensor::Gpu(tokens) => shaders::pool(&tokens, first, count).into(),
        DeviceTensor::Cpu(tokens) if count == 1 => tokens.narrow(1, first, 1).into(),
        DeviceTensor::Cpu(tokens) => tokens.narrow(1, first, count).mean_dim(1).into(),
    }
}
