//! Loads the weights of single layers from a source.

use burn::module::Param;
use burn::nn::{LayerNorm, LayerNormConfig, Linear};
use burn::tensor::{Device, Tensor, TensorData};

use super::error::ModelError;
use super::tensor_source::TensorSource;
use crate::kernels::transpose;

/// Loads an `[out, in]` matrix as Burn's `[in, out]`.
fn load_matrix(
    name: &str,
    d_in: usize,
    d_out: usize,
    source: &mut dyn TensorSource,
    device: &Device,
) -> Result<Tensor<2>, ModelError> {
    let values = source.tensor(name, &[d_out, d_in])?;
    Ok(Tensor::from_data(TensorData::new(transpose(&values, d_out, d_in), [d_in, d_out]), device))
}

fn load_vector(
    name: &str,
    length: usize,
    source: &mut dyn TensorSource,
    device: &Device,
) -> Result<Param<Tensor<1>>, ModelError> {
    let values = source.tensor(name, &[length])?;
    Ok(Param::from_tensor(Tensor::from_data(TensorData::new(values, [length]), device)))
}

pub(super) fn load_linear(
    prefix: &str,
    [inputs, outputs]: [usize; 2],
    biased: bool,
    source: &mut dyn TensorSource,
    device: &Device,
) -> Result<Linear, ModelError> {
    let weight = load_matrix(&format!("{prefix}.weight"), inputs, outputs, source, device)?;
    let bias = biased.then(|| load_vector(&format!("{prefix}.bias"), outputs, source, device)).transpose()?;
    Ok(Linear { weight: Param::from_tensor(weight), bias })
}

pub(super) fn load_norm(
    prefix: &str,
    width: usize,
    eps: f64,
    source: &mut dyn TensorSource,
    device: &Device,
) -> Result<LayerNorm, ModelError> {
    let mut norm = LayerNormConfig::new(width).with_epsilon(eps).init(device);
    norm.gamma = load_vector(&format!("{prefix}.gamma"), width, source, device)?;
    norm.beta = Some(load_vector(&format!("{prefix}.beta"), width, source, device)?);
    Ok(norm)
}

/// Loads queries, keys and values as one layer: weights `[3 * width, width]` and biases `[3 * width]`. One matrix
/// product then replaces three.
pub(super) fn load_qkv(
    prefix: &str,
    width: usize,
    source: &mut dyn TensorSource,
) -> Result<(Vec<f32>, Vec<f32>), ModelError> {
    let mut weight = Vec::with_capacity(3 * width * width);
    let mut bias = Vec::with_capacity(3 * width);
    for part in ["query", "key", "value"] {
        weight.extend(source.tensor(&format!("{prefix}.attention.{part}.weight"), &[width, width])?);
        bias.extend(source.tensor(&format!("{prefix}.attention.{part}.bias"), &[width])?);
    }
    Ok((weight, bias))
}

/// Loads the weights, `[outputs, inputs]`, and biases, `[outputs]`, of a layer.
pub(super) fn load_layer(
    prefix: &str,
    inputs: usize,
    outputs: usize,
    source: &mut dyn TensorSource,
) -> Result<(Vec<f32>, Vec<f32>), ModelError> {
    let weights = source.tensor(&format!("{prefix}.weight"), &[outputs, inputs])?;
    Ok((weights, source.tensor(&format!("{prefix}.bias"), &[outputs])?))
}
