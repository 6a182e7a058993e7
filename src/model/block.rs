//! The transformer block that every tower is made of.

use burn::module::{Module, Param};
use burn::nn::{LayerNorm, LayerNormConfig, Linear};
use burn::tensor::activation::{gelu, sigmoid, softmax};
use burn::tensor::module::attention;
use burn::tensor::ops::AttentionModuleOptions;
use burn::tensor::{Device, Tensor, TensorData};

use super::{Activation, ModelError, TensorSource, TensorSpec};

/// What a block needs to know of its tower.
#[derive(Clone, Copy, Debug)]
pub(super) struct BlockShape {
    pub width: usize,
    pub heads: usize,
    pub mlp_width: usize,
    pub activation: Activation,
    pub eps: f64,
}

/// Attention and MLP with their norms. Pre-norm or post-norm is the caller's choice of forward.
#[derive(Module, Debug)]
pub(super) struct Block {
    ln_1: LayerNorm,
    qkv: Linear,
    output: Linear,
    ln_2: LayerNorm,
    mlp_in: Linear,
    mlp_out: Linear,
    heads: usize,
    quick: bool,
}

/// Queries, keys and values, each `[1, heads, tokens, head width]`.
#[derive(Clone)]
pub(super) struct Qkv {
    pub query: Tensor<4>,
    pub key: Tensor<4>,
    pub value: Tensor<4>,
}

impl Block {
    /// The block's tensors under `prefix`.
    pub fn tensors(prefix: &str, shape: BlockShape) -> Vec<TensorSpec> {
        let BlockShape { width, mlp_width, .. } = shape;
        let mut specs = Vec::new();
        for norm in ["ln_1", "ln_2"] {
            specs.push(TensorSpec::new(format!("{prefix}.{norm}.gamma"), [width]));
            specs.push(TensorSpec::new(format!("{prefix}.{norm}.beta"), [width]));
        }
        for (part, out, inner) in [
            ("attention.query", width, width),
            ("attention.key", width, width),
            ("attention.value", width, width),
            ("attention.output", width, width),
            ("mlp.in", mlp_width, width),
            ("mlp.out", width, mlp_width),
        ] {
            specs.push(TensorSpec::new(format!("{prefix}.{part}.weight"), [out, inner]));
            specs.push(TensorSpec::new(format!("{prefix}.{part}.bias"), [out]));
        }
        specs
    }

    pub fn load(
        prefix: &str,
        shape: BlockShape,
        source: &mut dyn TensorSource,
        device: &Device,
    ) -> Result<Self, ModelError> {
        let BlockShape { width, mlp_width, eps, .. } = shape;
        Ok(Self {
            ln_1: load_norm(&format!("{prefix}.ln_1"), width, eps, source, device)?,
            qkv: load_qkv(prefix, width, source, device)?,
            output: load_linear(&format!("{prefix}.attention.output"), width, width, source, device)?,
            ln_2: load_norm(&format!("{prefix}.ln_2"), width, eps, source, device)?,
            mlp_in: load_linear(&format!("{prefix}.mlp.in"), width, mlp_width, source, device)?,
            mlp_out: load_linear(&format!("{prefix}.mlp.out"), mlp_width, width, source, device)?,
            heads: shape.heads,
            quick: shape.activation == Activation::QuickGelu,
        })
    }

    /// Pre-norm, as in CLIP and DINO: `x += attention(ln_1(x)); x += mlp(ln_2(x))`. Returns the residual
    /// stream after the block, the queries, keys and values, and the MLP's own output.
    pub fn forward_pre_norm(&self, stream: Tensor<3>, causal: bool) -> (Tensor<3>, Qkv, Tensor<3>) {
        let qkv = self.qkv(self.ln_1.forward(stream.clone()));
        let stream = stream + self.attend(&qkv, causal);
        let mlp = self.mlp(self.ln_2.forward(stream.clone()));
        (stream + mlp.clone(), qkv, mlp)
    }

    /// Post-norm, as in BERT: `x = ln_1(x + attention(x)); x = ln_2(x + mlp(x))`.
    pub fn forward_post_norm(&self, stream: Tensor<3>) -> Tensor<3> {
        let attended = self.attend(&self.qkv(stream.clone()), false);
        let stream = self.ln_1.forward(stream + attended);
        let mlp = self.mlp(stream.clone());
        self.ln_2.forward(stream + mlp)
    }

    fn qkv(&self, input: Tensor<3>) -> Qkv {
        let [batch, tokens, width] = input.dims();
        let split = self
            .qkv
            .forward(input)
            .reshape([batch, tokens, 3, self.heads, width / self.heads])
            .permute([2, 0, 3, 1, 4]);
        let part = |index: usize| {
            split.clone().slice([index..index + 1]).reshape([batch, self.heads, tokens, width / self.heads])
        };
        Qkv { query: part(0), key: part(1), value: part(2) }
    }

    fn attend(&self, qkv: &Qkv, causal: bool) -> Tensor<3> {
        let [batch, heads, tokens, head_width] = qkv.value.dims();
        let options = AttentionModuleOptions { is_causal: causal, ..Default::default() };
        let attended = attention(qkv.query.clone(), qkv.key.clone(), qkv.value.clone(), None, None, options);
        self.output.forward(attended.swap_dims(1, 2).reshape([batch, tokens, heads * head_width]))
    }

    fn mlp(&self, input: Tensor<3>) -> Tensor<3> {
        let hidden = self.mlp_in.forward(input);
        let active = if self.quick { hidden.clone() * sigmoid(hidden.mul_scalar(1.702)) } else { gelu(hidden) };
        self.mlp_out.forward(active)
    }
}

impl Qkv {
    /// The attention of the first token (CLS) over all tokens, `[1, heads, 1, tokens]`.
    pub fn cls_attention(&self) -> Tensor<4> {
        let [_, _, _, head_width] = self.query.dims();
        let query = self.query.clone().narrow(2, 0, 1).div_scalar((head_width as f64).sqrt());
        softmax(query.matmul(self.key.clone().swap_dims(2, 3)), 3)
    }

    /// The attention of every token over all tokens, mean over heads, `[tokens, tokens]`.
    pub fn mean_attention(&self) -> Tensor<2> {
        let [_, _, tokens, head_width] = self.query.dims();
        let query = self.query.clone().div_scalar((head_width as f64).sqrt());
        let attention = softmax(query.matmul(self.key.clone().swap_dims(2, 3)), 3);
        attention.mean_dim(1).reshape([tokens, tokens])
    }
}

/// A `[out, in]` matrix of the source, as Burn's `[in, out]`.
pub(super) fn load_matrix(
    name: &str,
    d_in: usize,
    d_out: usize,
    source: &mut dyn TensorSource,
    device: &Device,
) -> Result<Tensor<2>, ModelError> {
    let values = source.tensor(name, &[d_out, d_in])?;
    Ok(Tensor::from_data(TensorData::new(transpose(&values, d_out, d_in), [d_in, d_out]), device))
}

pub(super) fn load_vector(
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
    d_in: usize,
    d_out: usize,
    source: &mut dyn TensorSource,
    device: &Device,
) -> Result<Linear, ModelError> {
    Ok(Linear {
        weight: Param::from_tensor(load_matrix(&format!("{prefix}.weight"), d_in, d_out, source, device)?),
        bias: Some(load_vector(&format!("{prefix}.bias"), d_out, source, device)?),
    })
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

/// The three projections as one, so that a block is one matrix product shorter by two.
fn load_qkv(
    prefix: &str,
    width: usize,
    source: &mut dyn TensorSource,
    device: &Device,
) -> Result<Linear, ModelError> {
    let mut weight = Vec::with_capacity(3 * width * width);
    let mut bias = Vec::with_capacity(3 * width);
    for part in ["query", "key", "value"] {
        weight.extend(source.tensor(&format!("{prefix}.attention.{part}.weight"), &[width, width])?);
        bias.extend(source.tensor(&format!("{prefix}.attention.{part}.bias"), &[width])?);
    }
    let weight = TensorData::new(transpose(&weight, 3 * width, width), [width, 3 * width]);
    Ok(Linear {
        weight: Param::from_tensor(Tensor::from_data(weight, device)),
        bias: Some(Param::from_tensor(Tensor::from_data(TensorData::new(bias, [3 * width]), device))),
    })
}

/// `[rows, columns]` to `[columns, rows]`.
pub(crate) fn transpose(values: &[f32], rows: usize, columns: usize) -> Vec<f32> {
    let mut transposed = Vec::with_capacity(values.len());
    for column in 0..columns {
        transposed.extend((0..rows).map(|row| values[row * columns + column]));
    }
    transposed
}
