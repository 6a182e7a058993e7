//! The decomposition of one picture's embedding.

use std::cell::OnceCell;

use super::direction::{Direction, Parts};
use super::dot::{add_scaled, dot_f64, dot_mixed};
use super::readout::Readout;
use super::trace::Trace;
use crate::zero_shot;

/// The three numbers that fold the final LayerNorm and the normalisation into each component (docs/PAPERS.md,
/// 1.2).
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct FinalNorm {
    /// mu, the mean of the final CLS vector.
    pub mean: f64,
    /// sigma = sqrt(var + eps) of the final CLS vector.
    pub deviation: f64,
    /// |M|, the length of the unnormalised embedding.
    pub norm: f64,
}

/// The embedding of one picture, decomposed.
pub struct Decomposition<'a> {
    readout: &'a Readout,
    trace: &'a Trace,
    final_norm: FinalNorm,
    /// w = sum_i a_i v_i of every head, `[layer][head][head width]`. Computed on first use and then kept, because
    /// the scores of all texts need w.
    weighted: OnceCell<Vec<f64>>,
}

impl<'a> Decomposition<'a> {
    /// Decomposes a traced picture.
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
        Self { readout, trace, final_norm: FinalNorm { mean, deviation, norm }, weighted: OnceCell::new() }
    }

    /// Returns the three numbers of the final norm.
    pub fn final_norm(&self) -> FinalNorm {
        self.final_norm
    }

    /// Returns N, the number of tokens: CLS, registers and patches.
    pub fn tokens(&self) -> usize {
        self.trace.tokens
    }

    /// Calls [`Readout::code_part`] of the picture's own model.
    pub fn code_part(&self, direction: &Direction, layer: usize, head: usize, code: &[f64]) -> f64 {
        self.readout.code_part(direction, layer, head, code)
    }

    /// Returns the unit embedding that the model itself computed.
    pub fn embedding(&self) -> Vec<f32> {
        zero_shot::normalised(&self.trace.embedding)
    }

    /// Returns the part of a score that belongs to a vector in the residual stream. `written` is the vector's
    /// product with the direction's gain, `share` the vector's share of the norm's mean and constants.
    fn score(&self, direction: &Direction, written: f64, share: f64) -> f64 {
        let FinalNorm { mean, deviation, norm } = self.final_norm;
        ((written - mean * share * direction.gain_sum) / deviation + direction.constant * share) / norm
    }

    /// Returns every component's part in the score of one text.
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

    /// Returns one head's part in a text's score for each token, `[token]`: CLS, registers, then patches.
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

    /// Returns each patch's part in a text's score, summed over all layers and heads, row by row. CLS and
    /// registers are left out (docs/PAPERS.md, 1.10).
    pub fn patches(&self, direction: &Direction) -> Vec<f64> {
        self.patches_of(direction, |_layer, _head| true)
    }

    /// Returns [`Self::patches`] summed only over the heads (layer, head) for which `counts` is true.
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

    /// Returns the CLS attention of a head over the patches, row by row.
    pub fn attention(&self, layer: usize, head: usize) -> &[f32] {
        let tokens = self.trace.tokens;
        let row = &self.trace.layers[layer].attention[head * tokens..(head + 1) * tokens];
        &row[self.trace.leading_tokens..]
    }

    /// Returns the code u of a head: `[w / (sigma |M|), 1 / (sigma |M|), mu / (sigma |M|), 1 / |M|]`. The head's
    /// contribution is `c = B u` (docs/PAPERS.md, 1.8).
    pub fn head_code(&self, layer: usize, head: usize) -> Vec<f64> {
        self.code_of(self.weighted_values(layer, head).to_vec(), 1.0)
    }

    /// Returns the code of a head's CLS-to-CLS attention alone. Mean-ablation replaces this code by its mean over
    /// a gallery (docs/PAPERS.md, 1.11).
    pub fn cls_code(&self, layer: usize, head: usize) -> Vec<f64> {
        let (attention, value) = self.attended_values(layer, head).next().unwrap_or((0.0, &[]));
        let written = value.iter().map(|value| f64::from(attention) * f64::from(*value)).collect();
        self.code_of(written, 1.0 / self.trace.tokens as f64)
    }

    /// Builds a code from weighted values. `share` is the part of the head's constants that belongs to `written`.
    fn code_of(&self, written: Vec<f64>, share: f64) -> Vec<f64> {
        let FinalNorm { mean, deviation, norm } = self.final_norm;
        let scale = 1.0 / (deviation * norm);
        let constants = [share * scale, share * mean * scale, share / norm];
        written.into_iter().map(|value| value * scale).chain(constants).collect()
    }

    /// Returns the contribution of a head, `[embedding]`.
    pub fn head(&self, layer: usize, head: usize) -> Vec<f64> {
        self.readout.head_basis(layer, head).contribution(&self.head_code(layer, head))
    }

    /// Returns the sum of the contributions of the heads (layer, head) for which `counts` is true, `[embedding]`.
    pub fn sum_of_heads(&self, counts: impl Fn(usize, usize) -> bool) -> Vec<f64> {
        self.contribution_of_first_tokens(self.trace.tokens, counts)
    }

    /// Returns the contribution of the CLS-to-CLS attention in the heads (layer, head) for which `counts` is true,
    /// `[embedding]`.
    pub fn sum_of_cls_to_cls(&self, counts: impl Fn(usize, usize) -> bool) -> Vec<f64> {
        self.contribution_of_first_tokens(1, counts)
    }

    /// Returns the contribution of the first `tokens` tokens through some heads. Contributions are linear, so the
    /// sum is projected only once.
    fn contribution_of_first_tokens(&self, tokens: usize, counts: impl Fn(usize, usize) -> bool) -> Vec<f64> {
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
                true => self.sum_weighted_values(layer, head, tokens),
                false => vec![0.0; readout.head_width()],
            };
            let values: Vec<f64> = counted.iter().enumerate().flat_map(of_head).collect();
            let of_layer = readout.outputs[layer].apply(&values, share);
            written.iter_mut().zip(of_layer).for_each(|(sum, value)| *sum += value);
            all += share;
        }
        self.contribution(&written, all / readout.components())
    }

    /// Returns the contribution of a region of the picture through all heads, `[embedding]`. `weights`, `[patch]`,
    /// says how much each patch belongs to the region.
    ///
    /// The contribution is linear in the weights. Its score for a text is the weighted sum of [`Self::patches`].
    pub fn region(&self, weights: &[f32]) -> Vec<f64> {
        let (readout, leading) = (self.readout, self.trace.leading_tokens);
        // The constants that belong to no token are shared evenly among all tokens.
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
            let of_layer = readout.outputs[layer].apply(&values, share);
            written.iter_mut().zip(of_layer).for_each(|(sum, value)| *sum += value);
        }
        self.contribution(&written, share * readout.layers as f64 / readout.components())
    }

    /// Returns the contribution of every MLP, `[layer][embedding]`.
    pub fn mlps(&self) -> Vec<Vec<f64>> {
        self.trace.layers.iter().map(|layer| self.whole_component(&layer.mlp)).collect()
    }

    /// Returns the contribution of z0, `[embedding]`.
    pub fn embedded(&self) -> Vec<f64> {
        self.whole_component(&self.trace.embedded_cls)
    }

    fn whole_component(&self, written: &[f32]) -> Vec<f64> {
        let written: Vec<f64> = written.iter().map(|value| f64::from(*value)).collect();
        self.contribution(&written, 1.0 / self.readout.components())
    }

    /// Returns the contribution of a vector in the residual stream: `[width]` to `[embedding]`. `share` is the
    /// vector's share of the norm's mean and constants (docs/PAPERS.md, 1.2).
    fn contribution(&self, written: &[f64], share: f64) -> Vec<f64> {
        let FinalNorm { mean, deviation, norm } = self.final_norm;
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

    /// Returns the largest absolute difference between the sum of all components and the unit embedding that the
    /// device computed (docs/PAPERS.md, 1.3). A large value shows that a component is missing. NaN when one of the
    /// numbers is NaN.
    pub fn residual(&self) -> f64 {
        let mut sum = self.embedded();
        let mut add = |part: &[f64]| sum.iter_mut().zip(part).for_each(|(sum, part)| *sum += part);
        self.mlps().iter().for_each(|mlp| add(mlp));
        add(&self.sum_of_heads(|_layer, _head| true));
        let embedding = self.embedding();
        sum.iter()
            .zip(&embedding)
            .map(|(sum, unit)| (sum - f64::from(*unit)).abs())
            .max_by(f64::total_cmp)
            .unwrap_or(0.0)
    }

    /// Returns the CLS residual stream after every layer, `[layer][width]`: the sum of z0 and of all attentions
    /// and MLPs so far. The last one is the input of the final norm.
    pub fn cls_after_layers(&self) -> Vec<Vec<f64>> {
        let mut stream: Vec<f64> = self.trace.embedded_cls.iter().map(|value| f64::from(*value)).collect();
        let layers = self.trace.layers.iter().enumerate();
        layers
            .map(|(layer, traced)| {
                stream.iter_mut().zip(self.attention_output(layer)).for_each(|(sum, written)| *sum += written);
                add_scaled(&mut stream, &traced.mlp, 1.0);
                stream.clone()
            })
            .collect()
    }

    /// Returns the attention output of a layer at CLS: all heads and the output bias. `[width]`
    fn attention_output(&self, layer: usize) -> Vec<f64> {
        let width = self.readout.width;
        self.readout.outputs[layer].apply(&self.weighted()[layer * width..(layer + 1) * width], 1.0)
    }

    fn weighted(&self) -> &[f64] {
        let Readout { layers, heads, .. } = *self.readout;
        let of_head = |index| self.sum_weighted_values(index / heads, index % heads, self.trace.tokens);
        self.weighted.get_or_init(|| (0..layers * heads).flat_map(of_head).collect())
    }

    /// Returns w of one head, `[head width]`.
    fn weighted_values(&self, layer: usize, head: usize) -> &[f64] {
        let head_width = self.readout.head_width();
        &self.weighted()[(layer * self.readout.heads + head) * head_width..][..head_width]
    }

    /// Returns w summed over the first `tokens` tokens only, `[head width]`.
    fn sum_weighted_values(&self, layer: usize, head: usize, tokens: usize) -> Vec<f64> {
        let mut weighted = vec![0.0; self.readout.head_width()];
        for (attention, value) in self.attended_values(layer, head).take(tokens) {
            add_scaled(&mut weighted, value, f64::from(attention));
        }
        weighted
    }

    /// Returns the attention and the value of every token in a head.
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
