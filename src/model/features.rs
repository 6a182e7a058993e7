//! What the last block and the final norm make of each patch: all that paper 2 works on.

use crate::geometry::Grid;

/// The last block's attention, queries and keys, and the final tokens, of a crop's patches. CLS and registers
/// are left out; a patch's place is rows first.
#[derive(Clone, Debug, PartialEq)]
pub struct Features {
    pub grid: Grid,
    /// Numbers of a token.
    pub width: usize,
    pub heads: usize,
    /// CLS attention of the last block, `[head][patch]`. It sums to less than 1: the rest lies on CLS itself
    /// and on registers.
    pub cls_attention: Vec<f32>,
    /// Queries of the last block, heads side by side, `[patch][width]`.
    pub queries: Vec<f32>,
    /// Keys of the last block, heads side by side, `[patch][width]`.
    pub keys: Vec<f32>,
    /// Tokens after the final norm, as long as they come, `[patch][width]`.
    pub tokens: Vec<f32>,
}

impl Features {
    /// One head's CLS attention, `[patch]`.
    pub fn attention(&self, head: usize) -> &[f32] {
        &self.cls_attention[head * self.grid.len()..][..self.grid.len()]
    }

    /// The CLS attention, mean over heads, `[patch]`.
    pub fn mean_attention(&self) -> Vec<f32> {
        let mut mean = vec![0.0; self.grid.len()];
        for head in 0..self.heads {
            mean.iter_mut().zip(self.attention(head)).for_each(|(sum, value)| *sum += value / self.heads as f32);
        }
        mean
    }
}
