//! What a transformer block is made of, on a GPU: shaders in WGSL, launched through Burn's template for kernels.
//!
//! A block is seven launches, where Burn's own operations make some thirty: [`Norm`]; [`Matrix::heads`];
//! [`attention`], which leaves CLS's row of it beside; [`Matrix::add_to`] with the residual stream; and the like for
//! the MLP, with the activation in [`Matrix::apply`]. All is in f32, weights too.
//!
//! A GPU is kept busy by many threads, and a single photo makes few: 257 tokens of 384 numbers. So tiles are small,
//! linear layers add up slices, and what comes next from memory is fetched early.

mod launch;
mod recording;
pub(crate) mod refusal;
mod source;

use burn::tensor::{Device, Tensor};

pub(crate) use self::recording::Recording;
pub use self::source::Activation;

use self::launch::Buffer;
use self::source::{Shader, Store};
use crate::model::{ModelError, transpose};

/// Rows and columns of a linear layer's tile.
const TILE: usize = 32;
/// Inputs that a linear layer's slices take in one turn.
const TURN: usize = 64;
/// Queries that a workgroup answers, and keys that it looks at in one turn.
const ASKING: usize = 16;
const ANSWERING: usize = 32;
/// Threads of a workgroup of [`gather`], and how many tensors it takes in one launch: beside those, the result and the
/// sizes, WebGPU promises no more.
const GATHERED: usize = 256;
const GATHERED_AT_ONCE: usize = 6;
/// The widest head that [`attention`] has room for.
const WIDEST_HEAD: usize = 128;

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

/// Whether [`attention`] takes heads of this width, which it reads in pairs of vectors of four numbers, on a GPU whose
/// workgroups share so many bytes: WebGPU's least, 16 KiB, do for heads of 64.
pub fn attend(head_width: usize, workgroup_storage: usize) -> bool {
    let vectors = head_width / 4;
    // Queries, keys with a vector between them, and of 16 queries and eight threads weights and largest logits.
    let tiles = ASKING * vectors + ANSWERING * (vectors + 1) + 128;
    let bytes = tiles * size_of::<[f32; 4]>() + (128 + 2) * size_of::<f32>();
    head_width.is_multiple_of(8) && head_width <= WIDEST_HEAD && bytes <= workgroup_storage
}

impl Norm {
    /// # Errors
    /// Where the width is no multiple of four, or the device no GPU.
    pub fn new(gamma: Vec<f32>, beta: Vec<f32>, eps: f32, device: &Device) -> Result<Self, ModelError> {
        let width = gamma.len();
        in_fours(width)?;
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
    /// Of weights `[outputs, inputs]` and as many biases as outputs.
    ///
    /// # Errors
    /// Where inputs or outputs are no multiple of four, or the device is no GPU.
    pub fn new(weights: &[f32], biases: Vec<f32>, device: &Device) -> Result<Self, ModelError> {
        let outputs = biases.len();
        let inputs = weights.len() / outputs;
        in_fours(inputs)?;
        in_fours(outputs)?;
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
    /// Where there are fewer inputs than tokens in the stream, which is one sequence then, it is the stream's last that
    /// they belong to.
    ///
    /// # Errors
    /// Where a tensor is not on the GPU.
    pub fn add_to(&self, stream: Tensor<3>, tokens: Tensor<3>) -> Result<(Tensor<3>, Tensor<3>), ModelError> {
        let [sequences, count, width] = stream.dims();
        let leading = count - tokens.dims()[1];
        debug_assert!(leading == 0 || sequences == 1, "rows are counted across sequences");
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

/// The mean of the `count` tokens of each sequence from `first` on: `[sequences, tokens, width]` to
/// `[sequences, 1, width]`.
///
/// # Errors
/// Where the tensor is not on the GPU.
pub fn pool(tokens: Tensor<3>, first: usize, count: usize) -> Result<Tensor<3>, ModelError> {
    let [sequences, all, width] = tokens.dims();
    let tokens = Buffer::of(tokens)?;
    let pooled = tokens.beside([sequences, 1, width]);
    Shader::Pool { width }.launch([sequences, 1], &[&tokens], &[&pooled], &[all, first, count]);
    Ok(pooled.tensor())
}

/// Tensors, each another, one behind the other: what is read back in one piece takes one wait, not one for each.
///
/// # Errors
/// Where there are none, or they are not on the GPU.
pub fn gather(parts: Vec<Tensor<1>>) -> Result<Tensor<1>, ModelError> {
    let lengths: Vec<usize> = parts.iter().map(|part| part.dims()[0]).collect();
    let parts = parts.into_iter().map(Buffer::of).collect::<Result<Vec<_>, _>>()?;
    let first = parts.first().ok_or_else(|| ModelError::Device("it was given nothing to gather".into()))?;
    let together = first.beside([lengths.iter().sum()]);
    let mut start = 0;
    for (parts, lengths) in parts.chunks(GATHERED_AT_ONCE).zip(lengths.chunks(GATHERED_AT_ONCE)) {
        let mut starts = vec![start];
        for length in lengths {
            start += length;
            starts.push(start);
        }
        let longest = lengths.iter().copied().max().unwrap_or_default();
        let read: Vec<&Buffer> = parts.iter().collect();
        let workgroups = [longest.div_ceil(GATHERED), parts.len()];
        Shader::Gather { parts: parts.len() }.launch(workgroups, &read, &[&together], &starts);
    }
    Ok(together.tensor())
}

/// Shaders read and write vectors of four numbers.
fn in_fours(count: usize) -> Result<(), ModelError> {
    match count.is_multiple_of(4) {
        true => Ok(()),
        false => Err(ModelError::Config(format!("the GPU's shaders take numbers in fours, not {count}"))),
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
