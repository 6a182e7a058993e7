//! The vision transformer: one crop in, a trace or patch features out.

use burn::tensor::Tensor;

use super::crop::Crop;
use super::read_back::{ReadTensors, Wanted};
use super::recorded_runs::{RecordedRuns, is_worth_recording};
use super::tower::{LayerObserver, Tower};
use crate::decompose::Trace;
use crate::geometry::Grid;
use crate::model::backend::Backend;
use crate::model::block::Qkv;
use crate::model::config::VisionConfig;
use crate::model::error::ModelError;
use crate::model::tensor::{floats, read_back};
use crate::model::tensor_source::TensorSource;
use crate::track::Features;

/// A vision transformer of any of the supported families.
#[derive(Debug)]
pub struct VisionTransformer {
    tower: Tower,
    recorded_runs: RecordedRuns,
}

impl VisionTransformer {
    /// Loads the tower onto a device, or for the CPU kernels.
    ///
    /// # Errors
    /// When a tensor is missing or malformed.
    pub fn load(
        config: &VisionConfig,
        embedding: usize,
        source: &mut dyn TensorSource,
        backend: impl Into<Backend>,
    ) -> Result<Self, ModelError> {
        let tower = Tower::load(config, embedding, source, backend.into())?;
        Ok(Self { tower, recorded_runs: RecordedRuns::default() })
    }

    /// Returns whether this thread has a recording for the next run of the same kind.
    pub fn is_recorded(&self) -> bool {
        self.recorded_runs.has_recording()
    }

    /// Runs the tower over one crop and reads back the numbers that the decomposition needs.
    ///
    /// # Errors
    /// When the crop is smaller than a patch or does not have its stated size, or the device fails.
    pub async fn trace(&self, crop: &Crop) -> Result<Trace, ModelError> {
        let (grid, mut tensors) = self.read(crop, Wanted::Trace).await?;
        tensors.trace(&self.tower.config, grid)
    }

    /// Runs the tower over one crop. Returns the trace, and the attention rollout (Abnar and Zuidema, 2020),
    /// `[row][column]`: how much of each patch reaches CLS through the attentions of the layers from `first` on.
    ///
    /// A layer's attention is the mean over its heads. Half of each token stays the token itself.
    ///
    /// # Errors
    /// As [`Self::trace`].
    pub async fn trace_with_rollout(&self, crop: &Crop, first: usize) -> Result<(Trace, Vec<f32>), ModelError> {
        let mut layers: Vec<Qkv> = Vec::new();
        let mut keep_layer = |layer: usize, qkv: &Qkv| {
            if layer >= first {
                layers.push(qkv.clone());
            }
        };
        let (patches, grid) = crop.patches(self.tower.config.patch)?;
        let mut tensors = self.read_launched(patches, grid, Wanted::Trace, &mut keep_layer).await?;
        let trace = tensors.trace(&self.tower.config, grid)?;
        // CLS's row of the product A_L ... A_first with A = (I + attention) / 2, last layer first.
        let mut flow = Tensor::<2>::zeros([1, trace.tokens], &self.tower.backend.cpu());
        flow = flow.slice_fill([0..1, 0..1], 1.0);
        for layer in layers.into_iter().rev() {
            let attention = layer.mean_attention().await?;
            flow = (flow.clone() + flow.matmul(attention)).mul_scalar(0.5);
        }
        let data = flow.into_data_async().await.map_err(|err| ModelError::Device(format!("{err:?}")))?;
        let patches = floats(data)?.split_off(trace.leading_tokens);
        Ok((trace, patches))
    }

    /// Runs the tower over one crop and reads back the features of its patches.
    ///
    /// # Errors
    /// As [`Self::trace`].
    pub async fn features(&self, crop: &Crop) -> Result<Features, ModelError> {
        let (grid, mut tensors) = self.read(crop, Wanted::Features).await?;
        let attention = tensors.take()?;
        tensors.features(&self.tower.config, grid, &attention)
    }

    /// Runs the tower over one crop up to block `layer`, and reads back the tokens of the patches for mask propagation
    /// (docs/PAPERS.md, 2.4 and 4.2). The result has no attention, queries and keys.
    ///
    /// # Errors
    /// As [`Self::trace`]; [`ModelError::Input`] when the model has no such block.
    pub async fn tokens_after(&self, crop: &Crop, layer: usize) -> Result<Features, ModelError> {
        let config = &self.tower.config;
        if layer >= config.layers {
            let layers = config.layers;
            return Err(ModelError::Input(format!(
                "the model has no layer {layer}: its {layers} layers are counted from 0"
            )));
        }
        let (grid, mut tensors) = self.read(crop, Wanted::Tokens { layer }).await?;
        tensors.tokens(config, grid, layer)
    }

    /// Returns [`Self::trace`] and [`Self::features`] of one run.
    ///
    /// # Errors
    /// As [`Self::trace`].
    pub async fn trace_with_features(&self, crop: &Crop) -> Result<(Trace, Features), ModelError> {
        let (grid, mut tensors) = self.read(crop, Wanted::Both).await?;
        let trace = tensors.trace(&self.tower.config, grid)?;
        let last = trace.layers.last().map_or(&[][..], |layer| &layer.attention);
        let features = tensors.features(&self.tower.config, grid, last)?;
        Ok((trace, features))
    }

    /// Runs the tower over a crop and reads back the wanted results, through a recording where that is faster.
    async fn read(&self, crop: &Crop, wanted: Wanted) -> Result<(Grid, ReadTensors), ModelError> {
        let (patches, grid) = crop.patches(self.tower.config.patch)?;
        let tensors = if is_worth_recording(&self.tower, grid) {
            self.recorded_runs.run(&self.tower, patches, grid, wanted).await?
        } else {
            self.read_launched(patches, grid, wanted, &mut |_layer, _qkv| {}).await?
        };
        Ok((grid, tensors))
    }

    /// Runs the tower over patches, launch by launch, and reads back each tensor that is wanted.
    async fn read_launched(
        &self,
        patches: Vec<f32>,
        grid: Grid,
        wanted: Wanted,
        observe: LayerObserver<'_>,
    ) -> Result<ReadTensors, ModelError> {
        let tower = &self.tower;
        let results =
            tower.run(tower.patches_on_device(patches, grid), tower.initial_tokens(grid), wanted, observe)?;
        let tensors = read_back(results).await?;
        tower.backend.check()?;
        Ok(ReadTensors::new(tensors))
    }
}
