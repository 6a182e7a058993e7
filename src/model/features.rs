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

/// [`Features`] that are still on the device.
struct PatchTensors {
    grid: Grid,
    width: usize,
    heads: usize,
    /// In the order of [`Features`]' fields.
    tensors: [Tensor<2>; 4],
}

impl VisionTransformer {
    /// Runs the tower over one crop and reads back what it made of the patches.
    ///
    /// # Errors
    /// As [`Self::trace`].
    pub async fn features(&self, crop: &Crop) -> Result<Features, ModelError> {
        let mut last = None;
        let pass = self.pass(crop, Wanted::All, &mut |_layer, passed| last = Some(passed.qkv.clone()))?;
        let patches = self.patch_tensors(pass.grid, last, pass.stream)?;
        let reads = patches.register(Transaction::default());
        let data = reads.execute_async().await.map_err(|err| ModelError::Device(format!("{err:?}")))?;
        patches.collect(data)
    }

    /// [`Self::trace`] and [`Self::features`] of one run.
    ///
    /// # Errors
    /// As [`Self::trace`].
    pub async fn trace_with_features(&self, crop: &Crop) -> Result<(Trace, Features), ModelError> {
        let mut last = None;
        let (reads, pass) = self.trace_reads(crop, Wanted::All, &mut |_layer, qkv| last = Some(qkv.clone()))?;
        let patches = self.patch_tensors(pass.grid, last, pass.stream)?;
        let reads = patches.register(reads);
        let mut data = reads.execute_async().await.map_err(|err| ModelError::Device(format!("{err:?}")))?;
        let of_patches = data.split_off(data.len().saturating_sub(patches.tensors.len()));
        Ok((collect_trace(self.config(), pass.grid, data)?, patches.collect(of_patches)?))
    }

    /// `stream` is what the last block leaves, `last` its queries and keys.
    fn patch_tensors(&self, grid: Grid, last: Option<Qkv>, stream: Tensor<3>) -> Result<PatchTensors, ModelError> {
        let Some(last) = last else { return Err(ModelError::Config("vision.layers is 0".into())) };
        let config = self.config();
        let (leading, patches, width, heads) = (config.leading_tokens(), grid.len(), config.width, config.heads);
        let side_by_side =
            |of_heads: Tensor<4>| of_heads.narrow(2, leading, patches).swap_dims(1, 2).reshape([patches, width]);
        let attention = last.cls_attention().narrow(3, leading, patches).reshape([heads, patches]);
        let tokens = self.ln_post(stream)?.narrow(1, leading, patches).reshape([patches, width]);
        let tensors = [attention, side_by_side(last.query), side_by_side(last.key), tokens];
        Ok(PatchTensors { grid, width, heads, tensors })
    }
}

impl PatchTensors {
    fn register(&self, reads: Transaction) -> Transaction {
        self.tensors.iter().fold(reads, |reads, tensor| reads.register(tensor.clone()))
    }

    fn collect(self, data: Vec<TensorData>) -> Result<Features, ModelError> {
        let mut data = data.into_iter().map(floats);
        let mut next =
            || data.next().unwrap_or_else(|| Err(ModelError::Device("it returned too few tensors".into())));
        Ok(Features {
            grid: self.grid,
            width: self.width,
            heads: self.heads,
            cls_attention: next()?,
            queries: next()?,
            keys: next()?,
            tokens: next()?,
        })
    }
}
