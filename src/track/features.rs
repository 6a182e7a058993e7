//! The numbers of one frame that tracking needs (docs/PAPERS.md, 2).

use crate::geometry::Grid;

/// Attention, queries and keys of the last block, and the tokens after the final norm, for the patches of a crop.
/// CLS and registers are left out. Patches are listed row by row.
#[derive(Clone, Debug, PartialEq)]
pub struct Features {
    pub grid: Grid,
    /// Width of a token.
    pub width: usize,
    pub heads: usize,
    /// CLS attention of the last block, `[head][patch]`. A row sums to less than 1, because CLS itself and the
    /// registers also receive attention.
    pub cls_attention: Vec<f32>,
    /// Queries of the last block, `[patch][width]`, with the heads concatenated.
    pub queries: Vec<f32>,
    /// Keys of the last block, `[patch][width]`, with the heads concatenated.
    pub keys: Vec<f32>,
    /// Tokens after the final norm, or after an earlier block ([`Self::of_tokens`]), not normalised to unit length, `[patch][width]`.
    pub tokens: Vec<f32>,
}

impl Features {
    /// Returns features that contain only the tokens, as mask propagation needs them.
    pub fn of_tokens(grid: Grid, width: usize, tokens: Vec<f32>) -> Self {
        Self { grid, width, heads: 0, cls_attention: Vec::new(), queries: Vec::new(), keys: Vec::new(), tokens }
    }

    /// Returns the CLS attention of one head, `[patch]`.
    pub fn attention(&self, head: usize) -> &[f32] {
        &self.cls_attention[head * self.grid.len()..][..self.grid.len()]
    }

    /// Returns the CLS attention as the mean over heads, `[patch]`.
    pub fn mean_attention(&self) -> Vec<f32> {
        let mut mean = vec![0.0; self.grid.len()];
        for head in 0..self.heads {
            mean.iter_mut().zip(self.attention(head)).for_each(|(sum, value)| *sum += value / self.heads as f32);
        }
        mean
    }
}
