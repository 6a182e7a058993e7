//! The numbers that the decomposition needs from one run of a vision transformer.

use crate::geometry::Grid;

/// The numbers of one run over a crop that the decomposition needs.
///
/// Only the CLS row of each attention is needed (docs/PAPERS.md, 1.4). N counts CLS, registers and patches.
#[derive(Clone, Debug, PartialEq)]
pub struct Trace {
    pub grid: Grid,
    /// N, the number of all tokens.
    pub tokens: usize,
    /// The number of CLS and register tokens, which precede the patches.
    pub leading_tokens: usize,
    /// z0, the CLS token after the embedding. `[width]`
    pub embedded_cls: Vec<f32>,
    pub layers: Vec<TracedLayer>,
    /// The CLS residual stream after the last layer, before the final norm. `[width]`
    pub final_cls: Vec<f32>,
    /// The model's own embedding of the crop, not normalised. `[embedding]`
    pub embedding: Vec<f32>,
}

/// One layer of a [`Trace`].
#[derive(Clone, Debug, PartialEq)]
pub struct TracedLayer {
    /// CLS attention, `[head][token]`.
    pub attention: Vec<f32>,
    /// Values, `[head][token][head width]`.
    pub values: Vec<f32>,
    /// The MLP's output at CLS. `[width]`
    pub mlp: Vec<f32>,
}
