//! What the last block and the final norm make of each patch: all that paper 2 works on.

use burn::tensor::{Tensor, TensorData, Transaction};

use super::block::{Qkv, Wanted};
use super::vision::{Crop, Trace, VisionTransformer, collect_trace};
use super::{ModelError, floats};
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

/// What [`Features`] are made of, still on the device and of all tokens: CLS's attention, queries and keys by heads, and
/// the tokens after the final norm.
struct LastBlock {
    grid: Grid,
    cls_attention: Tensor<4>,
    query: Tensor<4>,
    key: Tensor<4>,
    tokens: Tensor<3>,
}

impl VisionTransformer {
    /// Runs the tower over one crop and reads back what it made of the patches.
    ///
    /// # Errors
    /// As [`Self::trace`].
    pub async fn features(&self, crop: &Crop) -> Result<Features, ModelError> {
        let mut last = None;
        let pass = self.pass(crop, Wanted::All, &mut |_layer, passed| last = Some(passed.qkv.clone()))?;
        let last = self.last_block(pass.grid, last, pass.stream)?;
        let reads = last.register(Transaction::default());
        let data = reads.execute_async().await.map_err(|err| ModelError::Device(format!("{err:?}")))?;
        last.collect(data)
    }

    /// [`Self::trace`] and [`Self::features`] of one run.
    ///
    /// # Errors
    /// As [`Self::trace`].
    pub async fn trace_with_features(&self, crop: &Crop) -> Result<(Trace, Features), ModelError> {
        let mut last = None;
        let (reads, pass) = self.trace_reads(crop, Wanted::All, &mut |_layer, qkv| last = Some(qkv.clone()))?;
        let last = self.last_block(pass.grid, last, pass.stream)?;
        let reads = last.register(reads);
        let mut data = reads.execute_async().await.map_err(|err| ModelError::Device(format!("{err:?}")))?;
        let of_patches = data.split_off(data.len().saturating_sub(LastBlock::READS));
        Ok((collect_trace(self.config(), pass.grid, data)?, last.collect(of_patches)?))
    }

    /// `stream` is what the last block leaves, `last` its queries and keys.
    fn last_block(&self, grid: Grid, last: Option<Qkv>, stream: Tensor<3>) -> Result<LastBlock, ModelError> {
        let Some(last) = last else { return Err(ModelError::Config("vision.layers is 0".into())) };
        let cls_attention = last.cls_attention();
        Ok(LastBlock { grid, cls_attention, query: last.query, key: last.key, tokens: self.ln_post(stream)? })
    }
}

impl LastBlock {
    /// How many tensors it registers.
    const READS: usize = 4;

    fn register(&self, reads: Transaction) -> Transaction {
        let reads = reads.register(self.cls_attention.clone());
        reads.register(self.query.clone()).register(self.key.clone()).register(self.tokens.clone())
    }

    /// Takes the patches out of what was read.
    fn collect(self, data: Vec<TensorData>) -> Result<Features, ModelError> {
        let mut data = data.into_iter().map(floats);
        let mut next =
            || data.next().unwrap_or_else(|| Err(ModelError::Device("it returned too few tensors".into())));
        let (patches, [_, heads, tokens, head_width]) = (self.grid.len(), self.query.dims());
        let (leading, width) = (tokens - patches, heads * head_width);
        let side_by_side = |of_heads: &[f32]| -> Vec<f32> {
            let of_patch = |patch| (0..heads).map(move |head| (head * tokens + leading + patch) * head_width);
            let starts = (0..patches).flat_map(of_patch);
            starts.flat_map(|start| &of_heads[start..start + head_width]).copied().collect()
        };
        Ok(Features {
            grid: self.grid,
            width,
            heads,
            cls_attention: next()?.chunks(tokens).flat_map(|row| &row[leading..]).copied().collect(),
            queries: side_by_side(&next()?),
            keys: side_by_side(&next()?),
            tokens: next()?.split_off(leading * width),
        })
    }
}
