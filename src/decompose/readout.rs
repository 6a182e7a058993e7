//! The output side of a vision transformer: the weights between the attended values and the embedding.

use nalgebra::DMatrix;

use super::direction::Direction;
use super::dot::{add_scaled, dot_f64, dot_mixed};
use crate::kernels::transposed_product;
use crate::zero_shot;

/// The output side of the vision tower, in f32 on the CPU.
#[derive(Clone, Debug)]
pub struct Readout {
    pub layers: usize,
    pub heads: usize,
    pub width: usize,
    pub embedding: usize,
    /// eps of the final LayerNorm.
    pub eps: f64,
    /// `W_O` and `b_O` of each layer.
    pub outputs: Vec<OutputWeights>,
    /// Gain of the final LayerNorm, `[width]`.
    pub gamma: Vec<f32>,
    /// Shift of the final LayerNorm, `[width]`.
    pub beta: Vec<f32>,
    /// P, `[embedding, width]`. None when the embedding is the normed CLS token itself.
    pub projection: Option<Vec<f32>>,
    /// b, `[embedding]`. Zero when the model has no projection bias.
    pub projection_bias: Vec<f32>,
}

/// The attention output of one layer: `W_O`, `[out, in]` = `[width, width]` with the heads concatenated along
/// `in`, and `b_O`, `[width]`.
#[derive(Clone, Debug)]
pub struct OutputWeights {
    pub weight: Vec<f32>,
    pub bias: Vec<f32>,
}

impl OutputWeights {
    /// Returns the attention output at CLS, `[width]`, for the weighted values of all heads, `[width]`, and a
    /// share of the bias.
    pub(super) fn apply(&self, values: &[f64], bias_share: f64) -> Vec<f64> {
        let rows = self.weight.chunks(values.len()).zip(&self.bias);
        rows.map(|(row, bias)| dot_mixed(row, values) + f64::from(*bias) * bias_share).collect()
    }
}

/// The matrix B of one head: the head's contribution is `c = B u` for its code u of head width + 3 numbers
/// (docs/PAPERS.md, 1.8).
#[derive(Clone, Debug)]
pub struct HeadBasis {
    /// B row by row, `[embedding][code]`.
    pub values: Vec<f64>,
    pub embedding: usize,
    pub code: usize,
}

impl Readout {
    /// Returns the width of a head.
    pub fn head_width(&self) -> usize {
        self.width / self.heads
    }

    /// Returns the length of a head's code u: the weighted values, and three numbers of the final norm.
    pub fn code_len(&self) -> usize {
        self.head_width() + 3
    }

    /// Returns C = 2L + 1, the number of components.
    pub(super) fn components(&self) -> f64 {
        (2 * self.layers + 1) as f64
    }

    /// Returns P^T x: a vector of the residual stream, `[width]`, in the shared space, `[embedding]`.
    pub(super) fn project(&self, x: &[f64]) -> Vec<f64> {
        match &self.projection {
            None => x.to_vec(),
            Some(p) => p.chunks(self.width).map(|row| dot_mixed(row, x)).collect(),
        }
    }

    /// Returns P t: a text, `[embedding]`, as a vector of the residual stream, `[width]`.
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

    /// Contracts a text with the weights that follow the components (docs/PAPERS.md, 1.4).
    ///
    /// `text` may have any length: the score of a difference of texts is the difference of their scores.
    pub fn direction(&self, text: &[f32]) -> Direction {
        let pulled = self.pull_back(text);
        let gain: Vec<f64> =
            pulled.iter().zip(&self.gamma).map(|(pulled, gamma)| pulled * f64::from(*gamma)).collect();
        let constant = dot_mixed(&self.beta, &pulled) + zero_shot::dot(&self.projection_bias, text);
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

    /// Returns a head's part in a score from its code u: `t^T B u`, without forming B. The part is linear in u, so
    /// means of codes give means of parts.
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

    /// Returns a head's contribution from its code u, `[embedding]`: `B u`, without forming B.
    pub fn code_contribution(&self, layer: usize, head: usize, code: &[f64]) -> Vec<f64> {
        let (head_width, heads) = (self.head_width(), self.heads as f64);
        let (values, constants) = code.split_at(head_width);
        let of_head = 1.0 / (self.components() * heads);
        let [bias, mean, constant] = [constants[0] / heads, constants[1] * of_head, constants[2] * of_head];
        let mut all_heads = vec![0.0; self.width];
        all_heads[head * head_width..(head + 1) * head_width].copy_from_slice(values);
        let written = self.outputs[layer].apply(&all_heads, bias);
        let normed: Vec<f64> = written
            .iter()
            .zip(self.gamma.iter().zip(&self.beta))
            .map(|(written, (gamma, beta))| f64::from(*gamma) * (written - mean) + f64::from(*beta) * constant)
            .collect();
        let projected = self.project(&normed);
        projected.iter().zip(&self.projection_bias).map(|(value, b)| value + f64::from(*b) * constant).collect()
    }

    /// Returns B of one head, scaled so that `c = B u` (docs/PAPERS.md, 1.8).
    pub fn head_basis(&self, layer: usize, head: usize) -> HeadBasis {
        let (embedding, code) = (self.embedding, self.code_len());
        let columns = self.head_columns(layer, head);
        let mut basis = match &self.projection {
            None => columns,
            Some(p) => {
                // P is stored row by row and nalgebra reads column by column, so this is P transposed.
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

    /// Returns B before the projection, `[width, code]`. The columns are, after the final norm: the head's columns
    /// of `W_O`, its share of the output bias, its share of the subtracted mean, and its share of the norm's
    /// shift.
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

impl HeadBasis {
    /// Returns c = B u, `[embedding]`.
    pub fn contribution(&self, code: &[f64]) -> Vec<f64> {
        self.values.chunks(self.code).map(|row| dot_f64(row, code)).collect()
    }
}
