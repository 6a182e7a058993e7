//! The decomposition of an image embedding into the parts that the model's components write
//! (docs/PAPERS.md, 1.1 and 1.2).
//!
//! A [`Trace`] is what one picture left behind; the [`Readout`] is what the model does to the CLS residual
//! stream afterwards. Together they give every component's part of the unit embedding, exactly: the parts
//! sum to it. Scores against texts never materialise the parts themselves; the output matrices are
//! contracted with the text first.

use std::cell::OnceCell;

use nalgebra::DMatrix;

use crate::checkpoint::CheckpointError;
use crate::kernels::transposed_product;
use crate::model::{TensorSource, Trace, VisionConfig};

/// The output side of the vision tower, in f32 on the CPU.
#[derive(Clone, Debug)]
pub struct Readout {
    pub layers: usize,
    pub heads: usize,
    pub width: usize,
    pub embedding: usize,
    eps: f64,
    outputs: Vec<OutputWeights>,
    gamma: Vec<f32>,
    beta: Vec<f32>,
    /// P, `[embedding, width]`; none where the embedding is the normed CLS itself.
    projection: Option<Vec<f32>>,
    /// b, `[embedding]`; zero where the model has none.
    projection_bias: Vec<f32>,
}

/// One layer's attention output: `W_O` as `[width, width]` (`[out, in]`, heads along `in`) and `b_O`.
#[derive(Clone, Debug)]
struct OutputWeights {
    weight: Vec<f32>,
    bias: Vec<f32>,
}

impl OutputWeights {
    /// What weighted values of all heads (`[width]`) add to CLS, with a share of the bias. `[width]`
    fn written(&self, values: &[f64], bias_share: f64) -> Vec<f64> {
        let rows = self.weight.chunks(values.len()).zip(&self.bias);
        rows.map(|(row, bias)| dot_mixed(row, values) + f64::from(*bias) * bias_share).collect()
    }
}

/// The final LayerNorm's actual mean and deviation, and the length of the unnormalised embedding.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Fold {
    /// mu
    pub mean: f64,
    /// sigma = sqrt(var + eps)
    pub deviation: f64,
    /// |M|
    pub norm: f64,
}

/// A text as the residual stream sees it: contracted with the final norm's gain and the projection.
#[derive(Debug)]
pub struct Direction {
    /// t itself, `[embedding]`.
    text: Vec<f32>,
    /// gamma * P t, per residual number.
    gain: Vec<f64>,
    /// sum of `gain`: what the final norm's mean costs.
    gain_sum: f64,
    /// (beta P + b) t: the share that belongs to no input.
    constant: f64,
    /// `W_O[l,h]` contracted with `gain`: `[layer][width]`, heads one after another.
    outputs: Vec<Vec<f64>>,
    /// b_O[l] contracted with `gain`, per layer.
    output_biases: Vec<f64>,
}

impl Direction {
    /// The text, as it was given.
    pub fn text(&self) -> &[f32] {
        &self.text
    }

    /// The score of a vector of the shared space.
    pub fn score_of(&self, vector: &[f64]) -> f64 {
        dot_mixed(&self.text, vector)
    }
}

/// Every component's part in one text's score; the parts sum to the cosine.
#[derive(Clone, Debug, PartialEq)]
pub struct Parts {
    /// `[layer][head]`
    pub heads: Vec<Vec<f64>>,
    /// `[layer]`
    pub mlps: Vec<f64>,
    /// z0's
    pub embedding: f64,
}

impl Parts {
    /// The score that the parts add up to.
    pub fn total(&self) -> f64 {
        self.heads.iter().flatten().sum::<f64>() + self.mlps.iter().sum::<f64>() + self.embedding
    }
}

/// The columns of B: a head's contribution is `B u` for its code u of head width + 3 numbers.
#[derive(Clone, Debug)]
pub struct HeadBasis {
    /// `[embedding][code]`, rows first.
    pub values: Vec<f64>,
    pub embedding: usize,
    pub code: usize,
}

/// One picture's embedding, taken apart.
pub struct Decomposition<'a> {
    readout: &'a Readout,
    trace: &'a Trace,
    fold: Fold,
    /// w = sum_i a_i v_i of every head, `[layer][head][head width]`, once somebody asks: every text does.
    weighted: OnceCell<Vec<f64>>,
}

impl Readout {
    /// Keeps the output side of the tower that `source` holds.
    ///
    /// # Errors
    /// Where a tensor is missing or malformed.
    pub fn load(
        config: &VisionConfig,
        embedding: usize,
        source: &mut dyn TensorSource,
    ) -> Result<Self, CheckpointError> {
        let width = config.width;
        let outputs = (0..config.layers)
            .map(|layer| {
                let name = |part: &str| format!("vision.blocks.{layer}.attention.output.{part}");
                Ok(OutputWeights {
                    weight: source.tensor(&name("weight"), &[width, width])?,
                    bias: source.tensor(&name("bias"), &[width])?,
                })
            })
            .collect::<Result<_, CheckpointError>>()?;
        Ok(Self {
            layers: config.layers,
            heads: config.heads,
            width,
            embedding,
            eps: config.eps,
            outputs,
            gamma: source.tensor("vision.ln_post.gamma", &[width])?,
            beta: source.tensor("vision.ln_post.beta", &[width])?,
            projection: if config.projection {
                Some(source.tensor("vision.projection.weight", &[embedding, width])?)
            } else {
                None
            },
            projection_bias: if config.projection_bias {
                source.tensor("vision.projection.bias", &[embedding])?
            } else {
                vec![0.0; embedding]
            },
        })
    }

    /// Numbers per head.
    pub fn head_width(&self) -> usize {
        self.width / self.heads
    }

    /// Length of a head's code u: its weighted values, and three numbers of the final norm.
    pub fn code_len(&self) -> usize {
        self.head_width() + 3
    }

    /// C = 2L + 1.
    fn components(&self) -> f64 {
        (2 * self.layers + 1) as f64
    }

    /// P^T x for a residual-sized vector: into the shared space.
    fn project(&self, x: &[f64]) -> Vec<f64> {
        match &self.projection {
            None => x.to_vec(),
            Some(p) => p.chunks(self.width).map(|row| dot_mixed(row, x)).collect(),
        }
    }

    /// P t for an embedding-sized vector: back onto the residual stream.
    fn pull_back(&self, text: &[f32]) -> Vec<f64> {
        match &self.projection {
            None => text.iter().map(|value| f64::from(*value)).collect(),
            Some(p) => {
                let mut pulled = vec![0.0; self.width];
                for (row, t) in p.chunks(self.width).zip(text) {
                    add_scaled(&mut pulled, row, f64::from(*t));
                }
                pulled
            }
        }
    }

    /// Contracts a text with everything behind the components (docs/PAPERS.md, 1.4). `text` may be of any length
    /// in the shared space: a difference of texts scores as the difference.
    pub fn direction(&self, text: &[f32]) -> Direction {
        let pulled = self.pull_back(text);
        let gain: Vec<f64> =
            pulled.iter().zip(&self.gamma).map(|(pulled, gamma)| pulled * f64::from(*gamma)).collect();
        let constant = dot_mixed(&self.beta, &pulled) + crate::zero_shot::dot(&self.projection_bias, text);
        let outputs = self
            .outputs
            .iter()
            .map(|output| {
                let mut contracted = vec![0.0; self.width];
                for (row, gain) in output.weight.chunks(self.width).zip(&gain) {
                    add_scaled(&mut contracted, row, *gain);
                }
                contracted
            })
            .collect();
        let output_biases = self.outputs.iter().map(|output| dot_mixed(&output.bias, &gain)).collect();
        Direction { text: text.to_vec(), gain_sum: gain.iter().sum(), gain, constant, outputs, output_biases }
    }

    /// A head's part in a score, from its code u alone: `t^T B u`, B never formed. Linear in u, and so good for
    /// means of codes too.
    pub fn code_part(&self, direction: &Direction, layer: usize, head: usize, code: &[f64]) -> f64 {
        let (head_width, heads) = (self.head_width(), self.heads as f64);
        let (values, constants) = code.split_at(head_width);
        let output = &direction.outputs[layer][head * head_width..(head + 1) * head_width];
        let columns = [
            direction.output_biases[layer] / heads,
            -direction.gain_sum / (self.components() * heads),
            direction.constant / (self.components() * heads),
        ];
        dot_f64(values, output) + dot_f64(constants, &columns)
    }

    /// A head's contribution from its code u, `[embedding]`: `B u`, B never formed.
    pub fn code_contribution(&self, layer: usize, head: usize, code: &[f64]) -> Vec<f64> {
        let (head_width, heads) = (self.head_width(), self.heads as f64);
        let (values, constants) = code.split_at(head_width);
        let of_head = 1.0 / (self.components() * heads);
        let [bias, mean, constant] = [constants[0] / heads, constants[1] * of_head, constants[2] * of_head];
        let mut all_heads = vec![0.0; self.width];
        all_heads[head * head_width..(head + 1) * head_width].copy_from_slice(values);
        let written = self.outputs[layer].written(&all_heads, bias);
        let normed: Vec<f64> = written
            .iter()
            .zip(self.gamma.iter().zip(&self.beta))
            .map(|(written, (gamma, beta))| f64::from(*gamma) * (written - mean) + f64::from(*beta) * constant)
            .collect();
        let projected = self.project(&normed);
        projected.iter().zip(&self.projection_bias).map(|(value, b)| value + f64::from(*b) * constant).collect()
    }

    /// B of one head, scaled so that `c = B u` (docs/PAPERS.md, 1.8).
    pub fn head_basis(&self, layer: usize, head: usize) -> HeadBasis {
        let (embedding, code) = (self.embedding, self.code_len());
        let columns = self.head_columns(layer, head);
        let mut basis = match &self.projection {
            None => columns,
            Some(p) => {
                // Rows first, as columns: the transpose.
                let p = p.iter().map(|value| f64::from(*value));
                transposed_product(&DMatrix::from_iterator(self.width, embedding, p), &columns)
            }
        };
        let of_head = self.components() * self.heads as f64;
        for (constant, bias) in basis.column_mut(code - 1).iter_mut().zip(&self.projection_bias) {
            *constant += f64::from(*bias) / of_head;
        }
        HeadBasis { values: basis.transpose().as_slice().to_vec(), embedding, code }
    }

    /// B before the projection, `[width, code]`: what the final norm leaves of the head's columns of `W_O`, of its
    /// share of the bias, of the mean that it takes off, and of the norm's own shift.
    fn head_columns(&self, layer: usize, head: usize) -> DMatrix<f64> {
        let (head_width, heads) = (self.head_width(), self.heads as f64);
        let OutputWeights { weight, bias } = &self.outputs[layer];
        let of_head = self.components() * heads;
        DMatrix::from_fn(self.width, self.code_len(), |out, column| {
            let gamma = f64::from(self.gamma[out]);
            match column.checked_sub(head_width) {
                None => gamma * f64::from(weight[out * self.width + head * head_width + column]),
                Some(0) => gamma * f64::from(bias[out]) / heads,
                Some(1) => -gamma / of_head,
                Some(_) => f64::from(self.beta[out]) / of_head,
            }
        })
    }
}

impl<'a> Decomposition<'a> {
    /// Takes a traced picture apart.
    pub fn new(readout: &'a Readout, trace: &'a Trace) -> Self {
        let cls: Vec<f64> = trace.final_cls.iter().map(|value| f64::from(*value)).collect();
        let mean = cls.iter().sum::<f64>() / cls.len() as f64;
        let variance = cls.iter().map(|value| (value - mean).powi(2)).sum::<f64>() / cls.len() as f64;
        let deviation = (variance + readout.eps).sqrt();
        let normed: Vec<f64> = cls
            .iter()
            .zip(readout.gamma.iter().zip(&readout.beta))
            .map(|(value, (gamma, beta))| f64::from(*gamma) * (value - mean) / deviation + f64::from(*beta))
            .collect();
        let norm = readout
            .project(&normed)
            .iter()
            .zip(&readout.projection_bias)
            .map(|(value, bias)| (value + f64::from(*bias)).powi(2))
            .sum::<f64>()
            .sqrt();
        Self { readout, trace, fold: Fold { mean, deviation, norm }, weighted: OnceCell::new() }
    }

    pub fn fold(&self) -> Fold {
        self.fold
    }

    /// N: CLS, registers and patches.
    pub fn tokens(&self) -> usize {
        self.trace.tokens
    }

    /// [`Readout::code_part`] of the picture's own model.
    pub fn code_part(&self, direction: &Direction, layer: usize, head: usize, code: &[f64]) -> f64 {
        self.readout.code_part(direction, layer, head, code)
    }

    /// The unit embedding that the model itself gave.
    pub fn embedding(&self) -> Vec<f32> {
        crate::zero_shot::normalised(&self.trace.embedding)
    }

    /// A residual-stream vector's part of a score, `share` of the norm's mean and constants with it.
    fn score(&self, direction: &Direction, written: f64, share: f64) -> f64 {
        let Fold { mean, deviation, norm } = self.fold;
        ((written - mean * share * direction.gain_sum) / deviation + direction.constant * share) / norm
    }

    /// Every component's part in the score of one text.
    pub fn parts(&self, direction: &Direction) -> Parts {
        let readout = self.readout;
        let component = 1.0 / readout.components();
        let head_share = component / readout.heads as f64;
        let heads = (0..readout.layers)
            .map(|layer| {
                (0..readout.heads)
                    .map(|head| {
                        let output = self.head_direction(direction, layer, head);
                        let written = dot_f64(self.weighted_values(layer, head), output)
                            + direction.output_biases[layer] / readout.heads as f64;
                        self.score(direction, written, head_share)
                    })
                    .collect()
            })
            .collect();
        let mlps = self
            .trace
            .layers
            .iter()
            .map(|layer| self.score(direction, dot_mixed(&layer.mlp, &direction.gain), component))
            .collect();
        let embedded = dot_mixed(&self.trace.embedded_cls, &direction.gain);
        Parts { heads, mlps, embedding: self.score(direction, embedded, component) }
    }

    /// One head's part in a text's score, token by token, `[token]`: CLS, registers, then patches.
    pub fn head_tokens(&self, direction: &Direction, layer: usize, head: usize) -> Vec<f64> {
        let tokens = self.trace.tokens;
        let share = 1.0 / (self.readout.components() * (self.readout.heads * tokens) as f64);
        let bias = direction.output_biases[layer] / (self.readout.heads * tokens) as f64;
        let output = self.head_direction(direction, layer, head);
        self.attended_values(layer, head)
            .map(|(attention, value)| {
                self.score(direction, f64::from(attention) * dot_mixed(value, output) + bias, share)
            })
            .collect()
    }

    /// Each patch's part in a text's score, over all layers and heads: rows first, CLS and registers
    /// left out (docs/PAPERS.md, 1.10).
    pub fn patches(&self, direction: &Direction) -> Vec<f64> {
        self.patches_of(direction, |_layer, _head| true)
    }

    /// [`Self::patches`] over the heads (layer, head) that `counts` names.
    pub fn patches_of(&self, direction: &Direction, counts: impl Fn(usize, usize) -> bool) -> Vec<f64> {
        let mut patches = vec![0.0; self.trace.grid.len()];
        for layer in 0..self.readout.layers {
            for head in (0..self.readout.heads).filter(|head| counts(layer, *head)) {
                let tokens = self.head_tokens(direction, layer, head);
                for (sum, score) in patches.iter_mut().zip(&tokens[self.trace.leading_tokens..]) {
                    *sum += score;
                }
            }
        }
        patches
    }

    /// A head's CLS attention over the patches, rows first.
    pub fn attention(&self, layer: usize, head: usize) -> &[f32] {
        let tokens = self.trace.tokens;
        let row = &self.trace.layers[layer].attention[head * tokens..(head + 1) * tokens];
        &row[self.trace.leading_tokens..]
    }

    /// The code u of a head, with `c = B u`: `[w / (sigma |M|), 1 / (sigma |M|), mu / (sigma |M|), 1 / |M|]`.
    pub fn head_code(&self, layer: usize, head: usize) -> Vec<f64> {
        self.code_of(self.weighted_values(layer, head).to_vec(), 1.0)
    }

    /// The code of a head's CLS-to-CLS part alone, the value that mean-ablation replaces it by on average.
    pub fn cls_code(&self, layer: usize, head: usize) -> Vec<f64> {
        let (attention, value) = self.attended_values(layer, head).next().unwrap_or((0.0, &[]));
        let written = value.iter().map(|value| f64::from(attention) * f64::from(*value)).collect();
        self.code_of(written, 1.0 / self.trace.tokens as f64)
    }

    /// `share` is the part of the head's constants that goes with `written`.
    fn code_of(&self, written: Vec<f64>, share: f64) -> Vec<f64> {
        let Fold { mean, deviation, norm } = self.fold;
        let scale = 1.0 / (deviation * norm);
        let constants = [share * scale, share * mean * scale, share / norm];
        written.into_iter().map(|value| value * scale).chain(constants).collect()
    }

    /// The contribution of a head, `[embedding]`.
    pub fn head(&self, layer: usize, head: usize) -> Vec<f64> {
        self.readout.head_basis(layer, head).contribution(&self.head_code(layer, head))
    }

    /// The contribution of some heads (layer, head) together, `[embedding]`.
    pub fn heads_together(&self, counts: impl Fn(usize, usize) -> bool) -> Vec<f64> {
        self.attention_of(self.trace.tokens, counts)
    }

    /// The contribution of what CLS attends to in itself, in some heads (layer, head) together, `[embedding]`.
    pub fn cls_to_cls_together(&self, counts: impl Fn(usize, usize) -> bool) -> Vec<f64> {
        self.attention_of(1, counts)
    }

    /// The contribution of the first `tokens` tokens through some heads. Contributions are linear, and so the
    /// projection is done once for all.
    fn attention_of(&self, tokens: usize, counts: impl Fn(usize, usize) -> bool) -> Vec<f64> {
        let readout = self.readout;
        let of_tokens = tokens as f64 / self.trace.tokens as f64;
        let mut written = vec![0.0; readout.width];
        let mut all = 0.0;
        for layer in 0..readout.layers {
            let counted: Vec<bool> = (0..readout.heads).map(|head| counts(layer, head)).collect();
            let share = of_tokens * counted.iter().filter(|counts| **counts).count() as f64 / readout.heads as f64;
            if share == 0.0 {
                continue;
            }
            let of_head = |(head, counts): (usize, &bool)| match counts {
                true if tokens == self.trace.tokens => self.weighted_values(layer, head).to_vec(),
                true => self.weighted_values_of(layer, head, tokens),
                false => vec![0.0; readout.head_width()],
            };
            let values: Vec<f64> = counted.iter().enumerate().flat_map(of_head).collect();
            let of_layer = readout.outputs[layer].written(&values, share);
            written.iter_mut().zip(of_layer).for_each(|(sum, value)| *sum += value);
            all += share;
        }
        self.contribution(&written, all / readout.components())
    }

    /// The contribution of some patches through all heads, each as far as `weights` says, `[embedding]`: what a
    /// region of the picture adds. It is linear in the weights (`[patch]`), and its score of a text is the
    /// weighted sum of [`Self::patches`].
    pub fn region(&self, weights: &[f32]) -> Vec<f64> {
        let (readout, leading) = (self.readout, self.trace.leading_tokens);
        // Each patch carries its share of what belongs to no token.
        let share = weights.iter().map(|weight| f64::from(*weight)).sum::<f64>() / self.trace.tokens as f64;
        let mut written = vec![0.0; readout.width];
        for layer in 0..readout.layers {
            let of_head = |head: usize| {
                let mut sum = vec![0.0; readout.head_width()];
                for ((attention, value), weight) in self.attended_values(layer, head).skip(leading).zip(weights) {
                    let weight = f64::from(attention) * f64::from(*weight);
                    sum.iter_mut().zip(value).for_each(|(sum, value)| *sum += weight * f64::from(*value));
                }
                sum
            };
            let values: Vec<f64> = (0..readout.heads).flat_map(of_head).collect();
            let of_layer = readout.outputs[layer].written(&values, share);
            written.iter_mut().zip(of_layer).for_each(|(sum, value)| *sum += value);
        }
        self.contribution(&written, share * readout.layers as f64 / readout.components())
    }

    /// The contribution of every MLP, `[layer][embedding]`.
    pub fn mlps(&self) -> Vec<Vec<f64>> {
        self.trace.layers.iter().map(|layer| self.whole_component(&layer.mlp)).collect()
    }

    /// The contribution of z0, `[embedding]`.
    pub fn embedded(&self) -> Vec<f64> {
        self.whole_component(&self.trace.embedded_cls)
    }

    fn whole_component(&self, written: &[f32]) -> Vec<f64> {
        let written: Vec<f64> = written.iter().map(|value| f64::from(*value)).collect();
        self.contribution(&written, 1.0 / self.readout.components())
    }

    /// The contribution of what was written into the residual stream, `share` of the norm's mean and constants
    /// with it. `[width]` to `[embedding]`
    fn contribution(&self, written: &[f64], share: f64) -> Vec<f64> {
        let Fold { mean, deviation, norm } = self.fold;
        let normed: Vec<f64> = written
            .iter()
            .zip(self.readout.gamma.iter().zip(&self.readout.beta))
            .map(|(written, (gamma, beta))| {
                f64::from(*gamma) * (written - mean * share) / deviation + f64::from(*beta) * share
            })
            .collect();
        self.readout
            .project(&normed)
            .iter()
            .zip(&self.readout.projection_bias)
            .map(|(value, bias)| (value + f64::from(*bias) * share) / norm)
            .collect()
    }

    /// Largest absolute difference between the sum of all components and the unit embedding that the
    /// device itself computed: the check that nothing is missing. NaN where any of it is.
    pub fn residual(&self) -> f64 {
        let mut sum = self.embedded();
        let mut add = |part: &[f64]| sum.iter_mut().zip(part).for_each(|(sum, part)| *sum += part);
        self.mlps().iter().for_each(|mlp| add(mlp));
        add(&self.heads_together(|_layer, _head| true));
        let embedding = self.embedding();
        sum.iter()
            .zip(&embedding)
            .map(|(sum, unit)| (sum - f64::from(*unit)).abs())
            .max_by(f64::total_cmp)
            .unwrap_or(0.0)
    }

    /// The CLS residual stream after every layer, `[layer][width]`: z0 and all that attention and MLPs have
    /// written up to there. The last is what the final norm sees.
    pub fn cls_after_layers(&self) -> Vec<Vec<f64>> {
        let mut stream: Vec<f64> = self.trace.embedded_cls.iter().map(|value| f64::from(*value)).collect();
        let layers = self.trace.layers.iter().enumerate();
        layers
            .map(|(layer, traced)| {
                stream.iter_mut().zip(self.attended(layer)).for_each(|(sum, written)| *sum += written);
                add_scaled(&mut stream, &traced.mlp, 1.0);
                stream.clone()
            })
            .collect()
    }

    /// What a layer's attention adds to CLS, all heads and the output bias. `[width]`
    fn attended(&self, layer: usize) -> Vec<f64> {
        let width = self.readout.width;
        self.readout.outputs[layer].written(&self.weighted()[layer * width..(layer + 1) * width], 1.0)
    }

    fn weighted(&self) -> &[f64] {
        let Readout { layers, heads, .. } = *self.readout;
        let of_head = |index| self.weighted_values_of(index / heads, index % heads, self.trace.tokens);
        self.weighted.get_or_init(|| (0..layers * heads).flat_map(of_head).collect())
    }

    /// w of one head, `[head width]`.
    fn weighted_values(&self, layer: usize, head: usize) -> &[f64] {
        let head_width = self.readout.head_width();
        &self.weighted()[(layer * self.readout.heads + head) * head_width..][..head_width]
    }

    /// w over the first `tokens` tokens alone.
    fn weighted_values_of(&self, layer: usize, head: usize, tokens: usize) -> Vec<f64> {
        let mut weighted = vec![0.0; self.readout.head_width()];
        for (attention, value) in self.attended_values(layer, head).take(tokens) {
            add_scaled(&mut weighted, value, f64::from(attention));
        }
        weighted
    }

    /// Attention and value of every token in a head.
    fn attended_values(&self, layer: usize, head: usize) -> impl Iterator<Item = (f32, &'a [f32])> {
        let (tokens, head_width) = (self.trace.tokens, self.readout.head_width());
        let layer = &self.trace.layers[layer];
        let attention = &layer.attention[head * tokens..(head + 1) * tokens];
        let values = &layer.values[head * tokens * head_width..(head + 1) * tokens * head_width];
        attention.iter().copied().zip(values.chunks(head_width))
    }

    fn head_direction<'d>(&self, direction: &'d Direction, layer: usize, head: usize) -> &'d [f64] {
        let head_width = self.readout.head_width();
        &direction.outputs[layer][head * head_width..(head + 1) * head_width]
    }
}

impl HeadBasis {
    /// c = B u, `[embedding]`.
    pub fn contribution(&self, code: &[f64]) -> Vec<f64> {
        self.values.chunks(self.code).map(|row| dot_f64(row, code)).collect()
    }
}

fn dot_f64(a: &[f64], b: &[f64]) -> f64 {
    a.iter().zip(b).map(|(a, b)| a * b).sum()
}

fn dot_mixed(a: &[f32], b: &[f64]) -> f64 {
    a.iter().zip(b).map(|(a, b)| f64::from(*a) * b).sum()
}

fn add_scaled(sum: &mut [f64], values: &[f32], scale: f64) {
    for (sum, value) in sum.iter_mut().zip(values) {
        *sum += f64::from(*value) * scale;
    }
}
