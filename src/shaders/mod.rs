//! What a transformer block is made of, on a GPU: shaders in WGSL, launched through Burn's template for kernels.
//!
//! A block is seven launches, where Burn's own operations make some thirty: [`Norm`]; [`Matrix::heads`];
//! [`attention`], which leaves CLS's row of it beside; [`Matrix::add_to`] with the residual stream; and the like for
//! the MLP, with the activation in [`Matrix::apply`]. All is in f32, weights too.
//!
//! A GPU is kept busy by many threads, and a single photo makes few: 257 tokens of 384 numbers. So tiles are small,
//! linear layers add up slices, and what comes next from memory is fetched early.

mod launch;
mod source;

use burn::tensor::{Device, Tensor};

pub use self::source::Activation;

use self::launch::Buffer;
use self::source::{Shader, Store};
use crate::model::{ModelError, transpose};

/// Rows and columns of a linear layer's tile.
const TILE: usize = 32;
/// Inputs that a linear layer's slices take in one turn.
const TURN: usize = 64;
/// Queries that a workgroup answers.
const ASKING: usize = 16;
/// The widest head that [`attention`] has room for.
const WIDEST_HEAD: usize = 64;

/// A layer norm.
#[derive(Debug)]
pub struct Norm {
    gamma: Buffer,
    beta: Buffer,
    width: usize,
    eps: f32,
}

/// A linear layer.
#[derive(Debug)]
pub struct Matrix {
    /// `[inputs, outputs]`, with zeros up to a whole turn of inputs.
    weights: Buffer,
    biases: Buffer,
    inputs: usize,
    outputs: usize,
}

/// Whether there are shaders for a block of this shape: they work on vectors of four numbers, and of a head on two.
pub fn suit(width: usize, mlp_width: usize, heads: usize) -> bool {
    let head_width = width / heads;
    mlp_width.is_multiple_of(4) && head_width.is_multiple_of(8) && head_width <= WIDEST_HEAD
}

impl Norm {
    /// Whether there is a shader for a norm of this width.
    pub fn suits(width: usize) -> bool {
        width.is_multiple_of(4)
    }

    /// # Errors
    /// Where the device is no GPU.
    pub fn new(gamma: Vec<f32>, beta: Vec<f32>, eps: f32, device: &Device) -> Result<Self, ModelError> {
        let width = gamma.len();
        Ok(Self {
            gamma: Buffer::new(gamma, [width], device)?,
            beta: Buffer::new(beta, [width], device)?,
            width,
            eps,
        })
    }

    /// Normalises each token of `[sequences, tokens, width]`.
    ///
    /// # Errors
    /// Where the tensor is not on the GPU.
    pub fn apply(&self, tokens: Tensor<3>) -> Result<Tensor<3>, ModelError> {
        let shape = tokens.dims();
        let tokens = Buffer::of(tokens)?;
        let normed = tokens.beside(shape);
        let shader = Shader::Norm { width: self.width, eps: self.eps.to_bits() };
        shader.launch([shape[0] * shape[1], 1], &[&tokens, &self.gamma, &self.beta], &[&normed], &[]);
        Ok(normed.tensor())
    }
}

impl Matrix {
    /// Whether there is a shader for a layer of these sizes.
    pub fn suits(inputs: usize, outputs: usize) -> bool {
        inputs.is_multiple_of(4) && outputs.is_multiple_of(4)
    }

    /// Of weights `[outputs, inputs]` and as many biases as outputs.
    ///
    /// # Errors
    /// Where the device is no GPU.
    pub fn new(weights: &[f32], biases: Vec<f32>, device: &Device) -> Result<Self, ModelError> {
        let outputs = biases.len();
        let inputs = weights.len() / outputs;
        let padded = inputs.next_multiple_of(TURN);
        let mut weights = transpose(weights, outputs, inputs);
        weights.resize(padded * outputs, 0.0);
        let weights = Buffer::new(weights, [padded, outputs], device)?;
        Ok(Self { weights, biases: Buffer::new(biases, [outputs], device)?, inputs, outputs })
    }

    /// `[sequences, tokens, inputs]` to `[sequences, tokens, outputs]`.
    ///
    /// # Errors
    /// Where the tensor is not on the GPU.
    pub fn apply(&self, tokens: Tensor<3>, activation: Activation) -> Result<Tensor<3>, ModelError> {
        let [sequences, count, _] = tokens.dims();
        let tokens = Buffer::of(tokens)?;
        let outputs = tokens.beside([sequences, count, self.outputs]);
        self.launch(Store::Plain(activation), 0, &tokens, [sequences, count], &[], &[&outputs]);
        Ok(outputs.tensor())
    }

    /// Queries, keys and values of `[sequences, tokens, width]`, each `[sequences, heads, tokens, head width]`: the
    /// outputs are the three, side by side.
    ///
    /// # Errors
    /// Where the tensor is not on the GPU.
    pub fn heads(&self, tokens: Tensor<3>, heads: usize) -> Result<[Tensor<4>; 3], ModelError> {
        let [sequences, count, _] = tokens.dims();
        let head_width = self.outputs / 3 / heads;
        let tokens = Buffer::of(tokens)?;
        let parts = [(); 3].map(|()| tokens.beside([sequences, heads, count, head_width]));
        let store = Store::Heads { heads, head_width };
        self.launch(store, 0, &tokens, [sequences, count], &[], &parts.each_ref());
        Ok(parts.map(Buffer::tensor))
    }

    /// The residual stream `[sequences, tokens, outputs]` with the outputs added, and what of them its first tokens,
    /// CLS, got: `[sequences, 1, outputs]`.
    ///
    /// Where there are fewer inputs than tokens in the stream, it is the stream's last that they belong to.
    ///
    /// # Errors
    /// Where a tensor is not on the GPU.
    pub fn add_to(&self, stream: Tensor<3>, tokens: Tensor<3>) -> Result<(Tensor<3>, Tensor<3>), ModelError> {
        let [sequences, count, width] = stream.dims();
        let leading = count - tokens.dims()[1];
        let (stream, tokens) = (Buffer::of(stream)?, Buffer::of(tokens)?);
        let sum = stream.beside([sequences, count, width]);
        let of_cls = stream.beside([sequences, 1, width]);
        self.launch(Store::Added, leading, &tokens, [sequences, count], &[&stream], &[&sum, &of_cls]);
        Ok((sum.tensor(), of_cls.tensor()))
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
        let tiles = [self.outputs.div_ceil(TILE), rows.div_ceil(TILE)];
        shader.launch(tiles, &read, written, &[rows, count]);
    }
}

/// What the first `asking` tokens of each sequence get from attention, heads side by side
/// `[sequences, asking, width]`, and the attention of the first, CLS, `[sequences, heads, 1, tokens]`. Queries, keys
/// and values are `[sequences, heads, tokens, head width]`.
///
/// # Errors
/// Where a tensor is not on the GPU.
pub fn attention(
    [queries, keys, values]: [Tensor<4>; 3],
    asking: usize,
    causal: bool,
) -> Result<(Tensor<3>, Tensor<4>), ModelError> {
    let [sequences, heads, tokens, head_width] = queries.dims();
    let (queries, keys, values) = (Buffer::of(queries)?, Buffer::of(keys)?, Buffer::of(values)?);
    let gathered = queries.beside([sequences, asking, heads * head_width]);
    let cls = queries.beside([sequences, heads, 1, tokens]);
    let workgroups = [asking.div_ceil(ASKING), sequences * heads];
    let shader = Shader::Attention { heads, head_width, causal };
    shader.launch(workgroups, &[&queries, &keys, &values], &[&gathered, &cls], &[tokens, asking]);
    Ok((gathered.tensor(), cls.tensor()))
}
