//! A text, contracted with the weights that follow the residual stream, and the parts of its score.

use super::dot::dot_mixed;

/// A text t as a direction in the residual stream: contracted with the projection, the gain of the final norm, and
/// the output matrices (docs/PAPERS.md, 1.4).
#[derive(Debug)]
pub struct Direction {
    /// t itself, `[embedding]`.
    pub(super) text: Vec<f32>,
    /// gamma * P t, `[width]`.
    pub(super) gain: Vec<f64>,
    /// Sum of `gain`: the weight of the mean that the final norm subtracts.
    pub(super) gain_sum: f64,
    /// (beta P + b) t, a constant that depends on no input.
    pub(super) constant: f64,
    /// `W_O[l,h]` contracted with `gain`: `[layer][width]`, the heads concatenated.
    pub(super) outputs: Vec<Vec<f64>>,
    /// b_O[l] contracted with `gain`, `[layer]`.
    pub(super) output_biases: Vec<f64>,
}

impl Direction {
    /// Returns the text as it was given, `[embedding]`.
    pub fn text(&self) -> &[f32] {
        &self.text
    }

    /// Returns the score of a vector in the shared space.
    pub fn score_of(&self, vector: &[f64]) -> f64 {
        dot_mixed(&self.text, vector)
    }
}

/// Every component's part in the score of one text. The parts sum to the cosine.
#[derive(Clone, Debug, PartialEq)]
pub struct Parts {
    /// `[layer][head]`
    pub heads: Vec<Vec<f64>>,
    /// `[layer]`
    pub mlps: Vec<f64>,
    /// The part of z0.
    pub embedding: f64,
}

impl Parts {
    /// Returns the sum of the parts, which is the score.
    pub fn total(&self) -> f64 {
        self.heads.iter().flatten().sum::<f64>() + self.mlps.iter().sum::<f64>() + self.embedding
    }
}
