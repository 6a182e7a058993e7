//! The block on the project's CPU kernels. The kernels work on slices; inputs and outputs are Burn's tensors.

use burn::tensor::{Device, Tensor, TensorData};

use super::output::{BlockOutput, Qkv, WantedTokens};
use super::shape::BlockShape;
use crate::kernels::{self, FloatMatrix, Heads, IntegerMatrix, Norm};
use crate::model::config::Activation;
use crate::model::error::ModelError;
use crate::model::layer_weights::{load_layer, load_qkv};
use crate::model::tensor::floats;
use crate::model::tensor_source::TensorSource;

#[derive(Debug)]
pub struct KernelBlock {
    ln_1: Norm,
    qkv: IntegerMatrix,
    output: IntegerMatrix,
    output_to_cls: Option<FloatMatrix>,
    ln_2: Norm,
    mlp_in: IntegerMatrix,
    mlp_out: IntegerMatrix,
    heads: usize,
    activation: fn(&mut [f32]),
}

/// Sequences of tokens, `[sequence][token][width]`.
struct Stream {
    values: Vec<f32>,
    sequences: usize,
    tokens: usize,
    width: usize,
}

impl KernelBlock {
    pub fn load(prefix: &str, shape: BlockShape, source: &mut dyn TensorSource) -> Result<Self, ModelError> {
        let BlockShape { width, mlp_width, eps, .. } = shape;
        let (weight, bias) = load_qkv(prefix, width, source)?;
        let output = load_layer(&format!("{prefix}.attention.output"), width, width, source)?;
        Ok(Self {
            ln_1: norm(&format!("{prefix}.ln_1"), width, eps, source)?,
            qkv: IntegerMatrix::new(&weight, &bias),
            output: IntegerMatrix::new(&output.0, &output.1),
            output_to_cls: shape.exact_cls.then(|| FloatMatrix::new(&output.0, &output.1)),
            ln_2: norm(&format!("{prefix}.ln_2"), width, eps, source)?,
            mlp_in: linear(&format!("{prefix}.mlp.in"), width, mlp_width, source)?,
            mlp_out: linear(&format!("{prefix}.mlp.out"), mlp_width, width, source)?,
            heads: shape.heads,
            activation: match shape.activation {
                Activation::Gelu => kernels::gelu,
                Activation::QuickGelu => kernels::quick_gelu,
            },
        })
    }

    pub fn forward_pre_norm(
        &self,
        stream: Tensor<3>,
        wanted: WantedTokens,
        causal: bool,
    ) -> Result<BlockOutput, ModelError> {
        let stream = Stream::read(stream)?;
        let heads = self.heads(&stream, |row, into| self.ln_1.apply(row, into));
        let mut stream = match wanted {
            WantedTokens::All => stream,
            WantedTokens::Cls => stream.cls(),
        };
        stream.add(&self.attend(&heads, stream.tokens, causal));
        let mlp = stream.with(self.mlp(&stream, |row, into| self.ln_2.apply(row, into)));
        stream.add(&mlp.values);
        Ok(BlockOutput {
            stream: stream.into_tensor().into(),
            qkv: tensors_of(heads),
            mlp_of_cls: mlp.cls().into_tensor().into(),
        })
    }

    pub fn forward_post_norm(&self, stream: Tensor<3>) -> Result<Tensor<3>, ModelError> {
        let mut stream = Stream::read(stream)?;
        let heads = self.heads(&stream, |row, into| into.copy_from_slice(row));
        stream.add(&self.attend(&heads, stream.tokens, false));
        stream.normalise(&self.ln_1);
        stream.add(&self.mlp(&stream, |row, into| into.copy_from_slice(row)));
        stream.normalise(&self.ln_2);
        Ok(stream.into_tensor())
    }

    /// Computes queries, keys and values. `prepare` computes the layer's input from a row of the stream.
    fn heads(&self, stream: &Stream, prepare: impl Fn(&[f32], &mut [f32])) -> Heads {
        let side_by_side = self.qkv.apply(stream.rows(), |row, into| prepare(stream.row(row), into));
        Heads::split(&side_by_side, stream.tokens, self.heads, stream.width / self.heads)
    }

    /// Returns the attention output for the first `asking` tokens of each sequence.
    fn attend(&self, heads: &Heads, asking: usize, causal: bool) -> Vec<f32> {
        let width = self.output.outputs();
        let gathered = kernels::attention(heads, asking, causal);
        let row = |row: usize| &gathered[row * width..][..width];
        let mut attended =
            self.output.apply(gathered.len() / width, |index, into| into.copy_from_slice(row(index)));
        if let Some(output) = &self.output_to_cls {
            let rows = attended.chunks_exact_mut(width).enumerate().step_by(asking);
            rows.for_each(|(index, cls)| output.apply(row(index), cls));
        }
        attended
    }

    fn mlp(&self, stream: &Stream, prepare: impl Fn(&[f32], &mut [f32])) -> Vec<f32> {
        let width = self.mlp_in.outputs();
        let hidden = self.mlp_in.apply(stream.rows(), |row, into| prepare(stream.row(row), into));
        self.mlp_out.apply(stream.rows(), |row, into| {
            into.copy_from_slice(&hidden[row * width..][..width]);
            (self.activation)(into);
        })
    }
}

impl Stream {
    fn read(tensor: Tensor<3>) -> Result<Self, ModelError> {
        let [sequences, tokens, width] = tensor.dims();
        Ok(Self { values: floats(tensor.into_data())?, sequences, tokens, width })
    }

    fn into_tensor(self) -> Tensor<3> {
        tensor(self.values, [self.sequences, self.tokens, self.width])
    }

    fn rows(&self) -> usize {
        self.sequences * self.tokens
    }

    fn row(&self, row: usize) -> &[f32] {
        &self.values[row * self.width..][..self.width]
    }

    /// Returns a stream of the same shape with other values.
    fn with(&self, values: Vec<f32>) -> Self {
        Self { values, ..*self }
    }

    /// Returns only the first token of each sequence.
    fn cls(&self) -> Self {
        let first = |sequence: &[f32]| sequence[..self.width].to_vec();
        let values = self.values.chunks_exact(self.tokens * self.width).flat_map(first).collect();
        Self { values, tokens: 1, ..*self }
    }

    fn add(&mut self, other: &[f32]) {
        self.values.iter_mut().zip(other).for_each(|(value, other)| *value += other);
    }

    fn normalise(&mut self, norm: &Norm) {
        let mut row = vec![0.0; self.width];
        for values in self.values.chunks_exact_mut(self.width) {
            row.copy_from_slice(values);
            norm.apply(&row, values);
        }
    }
}

fn tensors_of(heads: Heads) -> Qkv {
    let Heads { tokens, heads: count, head_width, .. } = heads;
    let sequences = heads.query.len() / (count * tokens * head_width);
    let shape = [sequences, count, tokens, head_width];
    Qkv {
        query: tensor(heads.query, shape).into(),
        key: tensor(heads.key, shape).into(),
        value: tensor(heads.value, shape).into(),
        cls_attention: None,
    }
}

fn tensor<const D: usize>(values: Vec<f32>, shape: [usize; D]) -> Tensor<D> {
    Tensor::from_data(TensorData::new(values, shape), &Device::flex())
}

fn norm(prefix: &str, width: usize, eps: f64, source: &mut dyn TensorSource) -> Result<Norm, ModelError> {
    Ok(Norm {
        gamma: source.tensor(&format!("{prefix}.gamma"), &[width])?,
        beta: source.tensor(&format!("{prefix}.beta"), &[width])?,
        eps: eps as f32,
    })
}

fn linear(
    prefix: &str,
    inputs: usize,
    outputs: usize,
    source: &mut dyn TensorSource,
) -> Result<IntegerMatrix, ModelError> {
    let (weights, bias) = load_layer(prefix, inputs, outputs, source)?;
    Ok(IntegerMatrix::new(&weights, &bias))
}
