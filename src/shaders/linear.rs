//! A linear layer.

use super::error::{ShaderError, in_fours};
use super::launch::{Gpu, GpuTensor, Memory};
use super::shader::{Activation, Shader, Store};
use super::tile_sizes::{OUTPUT_TILE, STEP};
use crate::kernels::transpose;

/// The weights and biases of a linear layer.
#[derive(Debug)]
pub struct Matrix {
    /// `[inputs, outputs]`, filled up with zero rows to a multiple of [`STEP`] inputs.
    weights: GpuTensor<2>,
    biases: GpuTensor<1>,
    inputs: usize,
    outputs: usize,
}

impl Matrix {
    /// Copies weights, `[outputs, inputs]`, and biases, `[outputs]`, to the GPU.
    ///
    /// # Errors
    /// When the number of inputs or outputs is no multiple of four.
    pub fn new(weights: &[f32], biases: Vec<f32>, gpu: &Gpu) -> Result<Self, ShaderError> {
        let outputs = biases.len();
        let inputs = weights.len() / outputs;
        in_fours(inputs)?;
        in_fours(outputs)?;
        let padded = inputs.next_multiple_of(STEP);
        let mut weights = transpose(weights, outputs, inputs);
        weights.resize(padded * outputs, 0.0);
        let weights = GpuTensor::new(weights, [padded, outputs], gpu);
        Ok(Self { weights, biases: GpuTensor::new(biases, [outputs], gpu), inputs, outputs })
    }

    /// Applies the layer and an activation: `[sequences, tokens, inputs]` to `[sequences, tokens, outputs]`.
    pub fn apply(&self, tokens: &GpuTensor<3>, activation: Activation) -> GpuTensor<3> {
        let [sequences, count, _] = tokens.dims();
        let outputs = tokens.allocate([sequences, count, self.outputs]);
        self.launch(Store::Plain(activation), 0, tokens, [sequences, count], &[], &[&outputs.memory]);
        outputs
    }

    /// Returns queries, keys and values of `[sequences, tokens, width]`, each `[sequences, heads, tokens, head
    /// width]`. The layer's outputs are queries, keys and values, concatenated.
    pub fn heads(&self, tokens: &GpuTensor<3>, heads: usize) -> [GpuTensor<4>; 3] {
        let [sequences, count, _] = tokens.dims();
        let head_width = self.outputs / 3 / heads;
        let parts = [(); 3].map(|()| tokens.allocate([sequences, heads, count, head_width]));
        let store = Store::Heads { heads, head_width };
        let written = parts.each_ref().map(|part| &part.memory);
        self.launch(store, 0, tokens, [sequences, count], &[], &written);
        parts
    }

    /// Adds the outputs to the residual stream `[sequences, tokens, outputs]`. Returns the sum, and the outputs of
    /// the first token, CLS, `[sequences, 1, outputs]`.
    ///
    /// There may be fewer inputs than tokens in the stream if the stream has one sequence. The outputs are then
    /// added to the last tokens of the stream.
    pub fn add_to(&self, stream: &GpuTensor<3>, tokens: &GpuTensor<3>) -> (GpuTensor<3>, GpuTensor<3>) {
        let [sequences, count, width] = stream.dims();
        let leading = count - tokens.dims()[1];
        debug_assert!(leading == 0 || sequences == 1, "rows are counted across sequences");
        let sum = stream.allocate([sequences, count, width]);
        let cls_outputs = stream.allocate([sequences, 1, width]);
        let written = [&sum.memory, &cls_outputs.memory];
        self.launch(Store::Added, leading, tokens, [sequences, count], &[&stream.memory], &written);
        (sum, cls_outputs)
    }

    fn launch(
        &self,
        store: Store,
        leading: usize,
        tokens: &GpuTensor<3>,
        [sequences, count]: [usize; 2],
        read: &[&Memory],
        written: &[&Memory],
    ) {
        let rows = sequences * count;
        let read = [&[&tokens.memory, &self.weights.memory, &self.biases.memory], read].concat();
        let shader = Shader::Linear { inputs: self.inputs, outputs: self.outputs, leading, store };
        let tiles = [self.outputs.div_ceil(OUTPUT_TILE), rows.div_ceil(OUTPUT_TILE)];
        shader.launch(tiles, &read, written, &[rows, count]);
    }
}
