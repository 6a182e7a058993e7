//! The block on the project's shaders, on a GPU.

use super::output::{BlockOutput, Qkv, WantedTokens};
use super::shape::BlockShape;
use crate::model::config::Activation;
use crate::model::error::ModelError;
use crate::model::layer_weights::{load_layer, load_qkv};
use crate::model::tensor_source::TensorSource;
use crate::shaders::{self, Gpu, GpuTensor, Matrix, Norm};

#[derive(Debug)]
pub struct ShaderBlock {
    ln_1: Norm,
    qkv: Matrix,
    output: Matrix,
    ln_2: Norm,
    mlp_in: Matrix,
    mlp_out: Matrix,
    heads: usize,
    activation: shaders::Activation,
}

impl ShaderBlock {
    pub fn load(
        prefix: &str,
        shape: BlockShape,
        source: &mut dyn TensorSource,
        gpu: &Gpu,
    ) -> Result<Self, ModelError> {
        let BlockShape { width, mlp_width, eps, .. } = shape;
        let norm = |name: &str, source: &mut dyn TensorSource| -> Result<Norm, ModelError> {
            let gamma = source.tensor(&format!("{prefix}.{name}.gamma"), &[width])?;
            let beta = source.tensor(&format!("{prefix}.{name}.beta"), &[width])?;
            Ok(Norm::new(gamma, beta, eps as f32, gpu)?)
        };
        let matrix = |name: &str,
                      inputs: usize,
                      outputs: usize,
                      source: &mut dyn TensorSource|
         -> Result<Matrix, ModelError> {
            let (weights, biases) = load_layer(&format!("{prefix}.{name}"), inputs, outputs, source)?;
            Ok(Matrix::new(&weights, biases, gpu)?)
        };
        let (weights, biases) = load_qkv(prefix, width, source)?;
        Ok(Self {
            ln_1: norm("ln_1", source)?,
            qkv: Matrix::new(&weights, biases, gpu)?,
            output: matrix("attention.output", width, width, source)?,
            ln_2: norm("ln_2", source)?,
            mlp_in: matrix("mlp.in", width, mlp_width, source)?,
            mlp_out: matrix("mlp.out", mlp_width, width, source)?,
            heads: shape.heads,
            activation: match shape.activation {
                Activation::Gelu => shaders::Activation::Gelu,
                Activation::QuickGelu => shaders::Activation::QuickGelu,
            },
        })
    }

    pub fn forward_pre_norm(&self, stream: GpuTensor<3>, wanted: WantedTokens, causal: bool) -> BlockOutput {
        let [query, key, value] = self.qkv.heads(&self.ln_1.apply(&stream), self.heads);
        let stream = match wanted {
            WantedTokens::All => stream,
            WantedTokens::Cls => shaders::pool(&stream, 0, 1),
        };
        let (gathered, cls_attention) = shaders::attention([&query, &key, &value], stream.dims()[1], causal);
        let (stream, _of_cls) = self.output.add_to(&stream, &gathered);
        let (stream, mlp_of_cls) = self.add_mlp(&stream, &self.ln_2.apply(&stream));
        BlockOutput {
            stream: stream.into(),
            qkv: Qkv {
                query: query.into(),
                key: key.into(),
                value: value.into(),
                cls_attention: Some(cls_attention.into()),
            },
            mlp_of_cls: mlp_of_cls.into(),
        }
    }

    pub fn forward_post_norm(&self, stream: GpuTensor<3>) -> GpuTensor<3> {
        let [query, key, value] = self.qkv.heads(&stream, self.heads);
        let (gathered, _cls) = shaders::attention([&query, &key, &value], stream.dims()[1], false);
        let (stream, _of_cls) = self.output.add_to(&stream, &gathered);
        let stream = self.ln_1.apply(&stream);
        let (stream, _of_cls) = self.add_mlp(&stream, &stream);
        self.ln_2.apply(&stream)
    }

    fn add_mlp(&self, stream: &GpuTensor<3>, input: &GpuTensor<3>) -> (GpuTensor<3>, GpuTensor<3>) {
        self.mlp_out.add_to(stream, &self.mlp_in.apply(input, self.activation))
    }
}
