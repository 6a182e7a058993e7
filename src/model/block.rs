//! The transformer block that every tower is made of.

mod burn_block;
mod kernel_block;
mod shader_block;

use burn::module::Param;
use burn::nn::{LayerNorm, LayerNormConfig, Linear};
use burn::tensor::activation::softmax;
use burn::tensor::{Device, Tensor, TensorData};

use self::burn_block::BurnBlock;
use self::kernel_block::KernelBlock;
use self::shader_block::ShaderBlock;
use super::{Activation, Backend, ModelError, TensorSource, TensorSpec};

/// What a block needs to know of its tower.
#[derive(Clone, Copy, Debug)]
pub(super) struct BlockShape {
    pub width: usize,
    pub heads: usize,
    pub mlp_width: usize,
    pub activation: Activation,
    pub eps: f64,
    /// Whether what attention adds to the first token, CLS, is taken apart later, and so may not be rounded.
    pub exact_cls: bool,
}

/// Attention and MLP with their norms. Pre-norm or post-norm is the caller's choice of forward.
#[derive(Debug)]
pub(super) enum Block {
    Burn(BurnBlock),
    Kernels(KernelBlock),
    Shaders(ShaderBlock),
}

/// Which tokens a block's output is wanted of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Wanted {
    All,
    /// The first, CLS: all that is read of the last block where patches are not.
    Cls,
}

/// What a pre-norm block leaves.
pub(super) struct Passed {
    /// The residual stream after the block, `[sequences, wanted tokens, width]`.
    pub stream: Tensor<3>,
    /// Of all tokens.
    pub qkv: Qkv,
    /// What the MLP added to the first tokens, CLS. `[sequences, 1, width]`
    pub mlp_of_cls: Tensor<3>,
}

/// Queries, keys and values, each `[1, heads, tokens, head width]`.
#[derive(Clone)]
pub(super) struct Qkv {
    pub query: Tensor<4>,
    pub key: Tensor<4>,
    pub value: Tensor<4>,
    /// CLS's row of the attention, where the block has it already.
    cls_attention: Option<Tensor<4>>,
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
        backend: &Backend,
    ) -> Result<Self, ModelError> {
        Ok(match backend {
            Backend::Burn(device) => Self::Burn(BurnBlock::load(prefix, shape, source, device)?),
            Backend::Kernels => Self::Kernels(KernelBlock::load(prefix, shape, source)?),
            Backend::Shaders(device) => Self::Shaders(ShaderBlock::load(prefix, shape, source, device)?),
        })
    }

    /// Pre-norm, as in CLIP and DINO: `x += attention(ln_1(x)); x += mlp(ln_2(x))`.
    pub fn forward_pre_norm(&self, stream: Tensor<3>, wanted: Wanted, causal: bool) -> Result<Passed, ModelError> {
        match self {
            Self::Burn(block) => Ok(block.forward_pre_norm(stream, wanted, causal)),
            Self::Kernels(block) => block.forward_pre_norm(stream, wanted, causal),
            Self::Shaders(block) => block.forward_pre_norm(stream, wanted, causal),
        }
    }

    /// Post-norm, as in BERT: `x = ln_1(x + attention(x)); x = ln_2(x + mlp(x))`.
    pub fn forward_post_norm(&self, stream: Tensor<3>) -> Result<Tensor<3>, ModelError> {
        match self {
            Self::Burn(block) => Ok(block.forward_post_norm(stream)),
            Self::Kernels(block) => block.forward_post_norm(stream),
            Self::Shaders(block) => block.forward_post_norm(stream),
        }
    }
}

impl Qkv {
    /// The attention of the first token (CLS) over all tokens, `[1, heads, 1, tokens]`.
    pub fn cls_attention(&self) -> Tensor<4> {
        if let Some(attention) = &self.cls_attention {
            return attention.clone();
        }
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

/// The weights `[3 * width, width]` and biases of the three projections as one, so that a block is one matrix product
/// shorter by two.
fn load_qkv(
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

/// A layer's weights `[outputs, inputs]` and biases.
pub(super) fn load_layer(
    prefix: &str,
    inputs: usize,
    outputs: usize,
    source: &mut dyn TensorSource,
) -> Result<(Vec<f32>, Vec<f32>), ModelError> {
    let weights = source.tensor(&format!("{prefix}.weight"), &[outputs, inputs])?;
    Ok((weights, source.tensor(&format!("{prefix}.bias"), &[outputs])?))
}

/// `[rows, columns]` to `[columns, rows]`.
pub(crate) fn transpose(values: &[f32], rows: usize, columns: usize) -> Vec<f32> {
    let mut transposed = Vec::with_capacity(values.len());
    for column in 0..columns {
        transposed.extend((0..rows).map(|row| values[row * columns + column]));
    }
    transposed
}
