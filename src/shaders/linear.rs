//! A linear layer.

use burn::tensor::{Device, Tensor};

use super::error::{ShaderError, in_fours};
use super::launch::Buffer;
use super::shader::{Activation, Shader, Store};
use super::tile_sizes::{OUTPUT_TILE, STEP};
use crate::kernels::transpose;

/// The weights and biases of a linear layer.
#[derive(Debug)]
pub struct Matrix {
    /// `[inputs, outputs]`, filled up with zero rows to a multiple of [`STEP`] inputs.
    weights: Buffer,
    biases: Buffer,
    inputs: usize,
    outputs: usize,
}

impl Matrix {
    /// Copies weights, `[outputs, inputs]`, and biases, `[outputs]`, to the GPU.
    ///
    /// # Errors
    /// When the number of inputs or outputs is no multiple of four, or the device is no GPU.
    pub fn new(weights: &[f32], biases: Vec<f32>, device: &Device) -> Result<Self, ShaderError> {
        let outputs = biases.len();
        let inputs = weights.len() / outputs;
        in_fours(inputs)?;
        in_fours(outputs)?;
        let padded = inputs.next_multiple_of(STEP);
        let mut weights = transpose(weights, outputs, inputs);
        weights.resize(padded * outputs, 0.0);
        let weights = Buffer::new(weights, [padded, outputs], device)?;
        Ok(Self { weights, biases: Buffer::new(biases, [outputs], device)?, inputs, outputs })
    }

    /// Applies the layer and an activation: `[sequences, tokens, inputs]` to `[sequences, tokens, outputs]`.
    ///
    /// # Errors
    /// When the tensor is not on the GPU.
    pub fn apply(&self, tokens: Tensor<3>, activation: Activation) -> Result<Tensor<3>, ShaderError> {
        let [sequences, count, _] = tokens.dims();
        let tokens = Buffer::of(tokens)?;
        let outputs = tokens.allocate([sequences, count, self.outputs]);
        self.launch(Store::Plain(activation), 0, &tokens, [sequences, count], &[], &[&outputs]);
        Ok(outputs.tensor())
    }

    /// Returns queries, keys and values of `[sequences, tokens, width]`, each `[sequences, heads, tokens, head
    /// width]`. The layer's outputs are the three, concatenated.
    ///
    /// # Errors
    /// When the tensor is not on the GPU.
    pub fn heads(&self, tokens: Tensor<3>, heads: usize) -> Result<[Tensor<4>; 3], ShaderError> {
        let [sequences, count, _] = tokens.dims();
        let head_width = self.outputs / 3 / heads;
        let tokens = Buffer::of(tokens)?;
        let parts = [(); 3].map(|()| tokens.allocate([sequences, heads, count, head_width]));
        let store = Store::Heads { heads, head_width };
        self.launch(store, 0, &tokens, [sequences, count], &[], &parts.each_ref());
        Ok(parts.map(Buffer::tensor))
    }

    /// Adds the outputs to the residual stream `[sequences, tokens, outputs]`. Returns the sum, and the outputs of
    /// the first token, CLS, `[sequences, 1, outputs]`.
    ///
    /// There may be fewer inputs than tokens in the stream if the stream has one sequence. The outputs are then
    /// added to the last tokens of the stream.
    ///
    /// # Errors
    /// When a tensor is not on the GPU.
    pub fn add_to(&self, stream: Tensor<3>, tokens: Tensor<3>) -> Result<(Tensor<3>, Tensor<3>), ShaderError> {
        let [sequences, count, width] = stream.dims();
        let leading = count - tokens.dims()[1];
        debug_assert!(leading == 0 || sequences == 1, "rows are counted across sequences");
        let (stream, tokens) = (Buffer::of(stream)?, Buffer::of(tokens)?);
        let sum = stream.allocate([sequences, count, width]);
        let cls_outputs = stream.allocate([sequences, 1, width]);
        self.launch(Store::Added, leading, &tokens, [sequences, count], &[&stream], &[&sum, &cls_outputs]);
        Ok((sum.tensor(), cls_outputs.tensor()))
    }

    fn launch(
        &self,
        store: Store,
        leading: usize,
        tokens: &Buffer,
        [sequences, count]: [usize; 2],
        read: &[&Buffer],
        written: &[&Buffer],
    ) {
        let rows = sequences * count;
        let read = [&[tokens, &self.weights, &self.biases], read].concat();
        let shader = Shader::Linear { inputs: self.inputs, outputs: self.outputs, leading, store };
        let tiles = [self.outputs.div_ceil(OUTPUT_TILE), rows.div_ceil(OUTPUT_TILE)];
        shader.launch(tiles, &read, written, &[rows, count]);
    }
}
