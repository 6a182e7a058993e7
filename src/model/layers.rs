//! Norms and linear layers outside of the blocks, on whatever runs the tower.

use burn::nn;
use burn::tensor::{Device, Tensor};

use super::block::{load_layer, load_linear, load_matrix, load_norm};
use super::{Backend, ModelError, TensorSource};
#[cfg(feature = "gpu")]
use crate::shaders;

#[derive(Debug)]
pub(super) enum Norm {
    Burn(nn::LayerNorm),
    #[cfg(feature = "gpu")]
    Shaders(shaders::Norm),
}

#[derive(Debug)]
pub(super) enum Linear {
    Burn(nn::Linear),
    #[cfg(feature = "gpu")]
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
            #[cfg(feature = "gpu")]
            Backend::Shaders(device) if shaders::Norm::suits(width) => {
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
            #[cfg(feature = "gpu")]
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
            #[cfg(feature = "gpu")]
            Backend::Shaders(device) if shaders::Matrix::suits(inputs, outputs) => {
                let (weights, biases) = match biased {
                    true => load_layer(prefix, inputs, outputs, source)?,
                    false => (source.tensor(&format!("{prefix}.weight"), &[outputs, inputs])?, vec![0.0; outputs]),
                };
                Ok(Self::Shaders(shaders::Matrix::new(&weights, biases, device)?))
            }
            _ => Ok(Self::Burn(load_on_burn(prefix, [inputs, outputs], biased, source, &backend.device())?)),
        }
    }

    /// `[sequences, tokens, inputs]` to `[sequences, tokens, outputs]`.
    pub fn apply(&self, tokens: Tensor<3>) -> Result<Tensor<3>, ModelError> {
        match self {
            Self::Burn(linear) => Ok(linear.forward(tokens)),
            #[cfg(feature = "gpu")]
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
            #[cfg(feature = "gpu")]
            Self::Shaders(matrix) => Ok(matrix.add_to(stream, tokens)?.0),
        }
    }
}

fn load_on_burn(
    prefix: &str,
    [inputs, outputs]: [usize; 2],
    biased: bool,
    source: &mut dyn TensorSource,
    device: &Device,
) -> Result<nn::Linear, ModelError> {
    if biased {
        return load_linear(prefix, inputs, outputs, source, device);
    }
    let weight = load_matrix(&format!("{prefix}.weight"), inputs, outputs, source, device)?;
    Ok(nn::Linear { weight: burn::module::Param::from_tensor(weight), bias: None })
}
