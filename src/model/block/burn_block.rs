//! The block on Burn's operations, in f32, on the CPU.

use burn::module::Param;
use burn::nn::{LayerNorm, Linear};
use burn::tensor::activation::{gelu, sigmoid};
use burn::tensor::module::attention;
use burn::tensor::ops::AttentionModuleOptions;
use burn::tensor::{Device, Tensor, TensorData};

use super::output::{BlockOutput, Qkv, WantedTokens};
use super::shape::BlockShape;
use crate::kernels::transpose;
use crate::model::config::Activation;
use crate::model::error::ModelError;
use crate::model::layer_weights::{load_linear, load_norm, load_qkv};
use crate::model::tensor_source::TensorSource;

#[derive(Debug)]
pub struct BurnBlock {
    ln_1: LayerNorm,
    qkv: Linear,
    output: Linear,
    ln_2: LayerNorm,
    mlp_in: Linear,
    mlp_out: Linear,
    heads: usize,
    quick: bool,
}

impl BurnBlock {
    pub fn load(
        prefix: &str,
        shape: BlockShape,
        source: &mut dyn TensorSource,
        device: &Device,
    ) -> Result<Self, ModelError> {
        let BlockShape { width, mlp_width, eps, .. } = shape;
        let linear = |name: &str, sizes: [usize; 2], source: &mut dyn TensorSource| {
            load_linear(&format!("{prefix}.{name}"), sizes, true, source, device)
        };
        let (weight, bias) = load_qkv(prefix, width, source)?;
        let weight = TensorData::new(transpose(&weight, 3 * width, width), [width, 3 * width]);
        let qkv = Linear {
            weight: Param::from_tensor(Tensor::from_data(weight, device)),
            bias: Some(Param::from_tensor(Tensor::from_data(TensorData::new(bias, [3 * width]), device))),
        };
        Ok(Self {
            ln_1: load_norm(&format!("{prefix}.ln_1"), width, eps, source, device)?,
            qkv,
            output: linear("attention.output", [width, width], source)?,
            ln_2: load_norm(&format!("{prefix}.ln_2"), width, eps, source, device)?,
            mlp_in: linear("mlp.in", [width, mlp_width], source)?,
            mlp_out: linear("mlp.out", [mlp_width, width], source)?,
            heads: shape.heads,
            quick: shape.activation == Activation::QuickGelu,
        })
    }

    pub fn forward_pre_norm(&self, stream: Tensor<3>, wanted: WantedTokens, causal: bool) -> BlockOutput {
        let [query, key, value] = self.qkv(self.ln_1.forward(stream.clone()));
        let (stream, wanted_query) = match wanted {
            WantedTokens::All => (stream, query.clone()),
            WantedTokens::Cls => (stream.narrow(1, 0, 1), query.clone().narrow(2, 0, 1)),
        };
        let stream = stream + self.attend([wanted_query, key.clone(), value.clone()], causal);
        let mlp = self.mlp(self.ln_2.forward(stream.clone()));
        BlockOutput {
            mlp_of_cls: mlp.clone().narrow(1, 0, 1).into(),
            stream: (stream + mlp).into(),
            qkv: Qkv { query: query.into(), key: key.into(), value: value.into(), cls_attention: None },
        }
    }

    pub fn forward_post_norm(&self, stream: Tensor<3>) -> Tensor<3> {
        let attended = self.attend(self.qkv(stream.clone()), false);
        let stream = self.ln_1.forward(stream + attended);
        let mlp = self.mlp(stream.clone());
        self.ln_2.forward(stream + mlp)
    }

    /// Returns queries, keys and values, each `[sequences, heads, tokens, head width]`.
    fn qkv(&self, input: Tensor<3>) -> [Tensor<4>; 3] {
        let [batch, tokens, width] = input.dims();
        let split = self
            .qkv
            .forward(input)
            .reshape([batch, tokens, 3, self.heads, width / self.heads])
            .permute([2, 0, 3, 1, 4]);
        let part = |index: usize| {
            split.clone().narrow(0, index, 1).reshape([batch, self.heads, tokens, width / self.heads])
        };
        [part(0), part(1), part(2)]
    }

    fn attend(&self, [query, key, value]: [Tensor<4>; 3], causal: bool) -> Tensor<3> {
        let [batch, heads, tokens, head_width] = query.dims();
        let options = AttentionModuleOptions { is_causal: causal, ..Default::default() };
        let attended = attention(query, key, value, None, None, options);
        self.output.forward(attended.swap_dims(1, 2).reshape([batch, tokens, heads * head_width]))
    }

    fn mlp(&self, input: Tensor<3>) -> Tensor<3> {
        let hidden = self.mlp_in.forward(input);
        let active = if self.quick { hidden.clone() * sigmoid(hidden.mul_scalar(1.702)) } else { gelu(hidden) };
        self.mlp_out.forward(active)
    }
}
