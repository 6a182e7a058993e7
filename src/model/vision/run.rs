//! One run through the tower, and what is read back of it.

use burn::tensor::{Tensor, TensorData, Transaction};

use super::{Crop, Trace, TracedLayer, VisionTransformer};
use crate::geometry::{Grid, Size};
use crate::model::block::{Passed, Qkv, Wanted};
use crate::model::layers::pool;
use crate::model::{Features, ModelError, VisionConfig, floats};

/// What is read back of a run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Asked {
    /// What a [`Trace`] is made of.
    Trace,
    /// What [`Features`] are made of.
    Features,
    Both,
}

/// What a run left, tensor by tensor: the trace's, or the last block's CLS attention where there is none, then the
/// features'.
pub struct Parts(std::vec::IntoIter<Vec<f32>>);

impl VisionTransformer {
    /// Runs the tower over a crop and reads back what is asked for.
    ///
    /// # Errors
    /// Where the crop is smaller than a patch or not of its stated size, or the device fails.
    pub(super) async fn read(&self, crop: &Crop, asked: Asked) -> Result<(Grid, Parts), ModelError> {
        let (patches, grid) = patchify(crop, self.config.patch)?;
        if self.is_worth_recording(grid) {
            return Ok((grid, self.read_recorded(patches, grid, asked).await?));
        }
        Ok((grid, self.read_launched(patches, grid, asked, &mut |_layer, _qkv| {}).await?))
    }

    /// [`Self::read`]; `see` is shown each layer's queries, keys and values on the way.
    pub(super) async fn read_beside(
        &self,
        crop: &Crop,
        asked: Asked,
        see: &mut dyn FnMut(usize, &Qkv),
    ) -> Result<(Grid, Parts), ModelError> {
        let (patches, grid) = patchify(crop, self.config.patch)?;
        Ok((grid, self.read_launched(patches, grid, asked, see).await?))
    }

    /// Runs the tower over patches and reads back each tensor that is asked for.
    async fn read_launched(
        &self,
        patches: Vec<f32>,
        grid: Grid,
        asked: Asked,
        see: &mut dyn FnMut(usize, &Qkv),
    ) -> Result<Parts, ModelError> {
        let left = self.run(self.on_device(patches, grid), self.start_of(grid), asked, see)?;
        let reads = left.into_iter().fold(Transaction::default(), Transaction::register);
        let data = reads.execute_async().await.map_err(|err| ModelError::Device(format!("{err:?}")))?;
        self.backend.check()?;
        Ok(Parts::new(data.into_iter().map(floats).collect::<Result<_, _>>()?))
    }

    /// Patches where the tower runs, `[1, patches, 3 * patch * patch]`.
    pub(super) fn on_device(&self, patches: Vec<f32>, grid: Grid) -> Tensor<3> {
        let count = grid.len();
        let shape = [1, count, patches.len() / count];
        Tensor::from_data(TensorData::new(patches, shape), &self.backend.device())
    }

    /// What the tokens of this grid start with, `[1, N, width]`.
    pub(super) fn start_of(&self, grid: Grid) -> Tensor<3> {
        match grid == self.config.position_grid {
            true => self.start.clone(),
            false => self.leading.start(&self.config, grid, &self.backend.device()),
        }
    }

    /// Runs all blocks, the last one for all tokens only where its patches are asked for. What is to be read, in the
    /// order in which [`Parts`] are taken in.
    pub(super) fn run(
        &self,
        patches: Tensor<3>,
        start: Tensor<3>,
        asked: Asked,
        see: &mut dyn FnMut(usize, &Qkv),
    ) -> Result<Vec<Tensor<1>>, ModelError> {
        let mut stream = self.embed(patches, start)?;
        let (traced, mut left, mut last) = (asked != Asked::Features, Vec::new(), None);
        if traced {
            left.push(self.cls_of(&stream)?.flatten(0, 2));
        }
        for (layer, block) in self.blocks.iter().enumerate() {
            let wanted = match asked {
                Asked::Trace if layer + 1 == self.blocks.len() => Wanted::Cls,
                _ => Wanted::All,
            };
            let passed = block.forward_pre_norm(stream, wanted, false)?;
            see(layer, &passed.qkv);
            let Passed { qkv, mlp_of_cls, .. } = passed;
            if traced {
                let attention = qkv.cls_attention().flatten(0, 3);
                left.extend([attention, qkv.value.clone().flatten(0, 3), mlp_of_cls.flatten(0, 2)]);
            }
            (stream, last) = (passed.stream, Some(qkv));
        }
        if traced {
            let cls = self.cls_of(&stream)?;
            left.extend([cls.clone().flatten(0, 2), self.read_out(cls)?.flatten(0, 2)]);
        }
        if asked != Asked::Trace {
            let Some(last) = last else { return Err(ModelError::Config("vision.layers is 0".into())) };
            if !traced {
                left.push(last.cls_attention().flatten(0, 3));
            }
            let (queries, keys) = (last.query.flatten(0, 3), last.key.flatten(0, 3));
            left.extend([queries, keys, self.ln_post.apply(stream)?.flatten(0, 2)]);
        }
        Ok(left)
    }

    /// Tokens after the embedding, `[1, N, width]`: CLS, registers, then patches, rows first.
    fn embed(&self, patches: Tensor<3>, start: Tensor<3>) -> Result<Tensor<3>, ModelError> {
        let tokens = self.patches.add_to(start, patches)?;
        match &self.ln_pre {
            Some(norm) => norm.apply(tokens),
            None => Ok(tokens),
        }
    }

    /// The CLS token of `[1, N, width]`, as `[1, 1, width]`.
    fn cls_of(&self, tokens: &Tensor<3>) -> Result<Tensor<3>, ModelError> {
        pool(tokens.clone(), 0..1, &self.backend)
    }

    /// `[1, 1, width]` to `[1, 1, embedding]`.
    fn read_out(&self, cls: Tensor<3>) -> Result<Tensor<3>, ModelError> {
        let normed = self.ln_post.apply(cls)?;
        match &self.projection {
            Some(projection) => projection.apply(normed),
            None => Ok(normed),
        }
    }
}

impl Parts {
    pub fn new(parts: Vec<Vec<f32>>) -> Self {
        Self(parts.into_iter())
    }

    /// Of f32s one behind the other, so many to a tensor.
    ///
    /// # Errors
    /// Where there are more or fewer.
    pub fn of_bytes(bytes: &[u8], lengths: &[usize]) -> Result<Self, ModelError> {
        let (mut numbers, odd) = bytes.as_chunks::<4>();
        if numbers.len() != lengths.iter().sum::<usize>() || !odd.is_empty() {
            return Err(ModelError::Device(format!("it returned {} bytes of other tensors", bytes.len())));
        }
        let parts = lengths.iter().map(|length| {
            let (part, rest) = numbers.split_at(*length);
            numbers = rest;
            part.iter().map(|number| f32::from_ne_bytes(*number)).collect()
        });
        Ok(Self::new(parts.collect()))
    }

    /// The next tensor.
    ///
    /// # Errors
    /// Where the run left too little.
    pub fn take(&mut self) -> Result<Vec<f32>, ModelError> {
        self.0.next().ok_or_else(|| ModelError::Device("it returned too few tensors".into()))
    }

    /// The trace.
    ///
    /// # Errors
    /// Where the run left too little, or [`ModelError::NotFinite`].
    pub fn trace(&mut self, config: &VisionConfig, grid: Grid) -> Result<Trace, ModelError> {
        let trace = Trace {
            grid,
            tokens: config.leading_tokens() + grid.len(),
            leading_tokens: config.leading_tokens(),
            embedded_cls: self.take()?,
            layers: (0..config.layers)
                .map(|_layer| Ok(TracedLayer { attention: self.take()?, values: self.take()?, mlp: self.take()? }))
                .collect::<Result<_, ModelError>>()?,
            final_cls: self.take()?,
            embedding: self.take()?,
        };
        // Whatever is not finite before is not finite here.
        match trace.embedding.iter().all(|value| value.is_finite()) {
            true => Ok(trace),
            false => Err(ModelError::NotFinite),
        }
    }

    /// Takes the patches out of what is of all tokens. `attention` is the last block's, `[head][token]`.
    ///
    /// # Errors
    /// Where the run left too little.
    pub fn features(
        &mut self,
        config: &VisionConfig,
        grid: Grid,
        attention: &[f32],
    ) -> Result<Features, ModelError> {
        let VisionConfig { width, heads, .. } = *config;
        let (leading, patches) = (config.leading_tokens(), grid.len());
        let (tokens, head_width) = (leading + patches, width / heads);
        let side_by_side = |of_heads: &[f32]| -> Vec<f32> {
            let of_patch = |patch| (0..heads).map(move |head| (head * tokens + leading + patch) * head_width);
            let starts = (0..patches).flat_map(of_patch);
            starts.flat_map(|start| &of_heads[start..start + head_width]).copied().collect()
        };
        Ok(Features {
            grid,
            width,
            heads,
            cls_attention: attention.chunks(tokens).flat_map(|row| &row[leading..]).copied().collect(),
            queries: side_by_side(&self.take()?),
            keys: side_by_side(&self.take()?),
            tokens: self.take()?.split_off(leading * width),
        })
    }
}

/// Cuts a crop into patches: `[patches][3 * patch * patch]`, each patch channel by channel.
fn patchify(crop: &Crop, patch: usize) -> Result<(Vec<f32>, Grid), ModelError> {
    let Size { width, height } = crop.size;
    let grid = Grid { rows: height / patch, columns: width / patch };
    if grid.is_empty() || crop.values.len() != 3 * width * height {
        return Err(ModelError::Input(format!(
            "a crop of {width} x {height} pixels with {} values cannot be cut into {patch}-pixel patches",
            crop.values.len()
        )));
    }
    let mut patches = Vec::with_capacity(grid.len() * 3 * patch * patch);
    for row in 0..grid.rows {
        for column in 0..grid.columns {
            for channel in 0..3 {
                for y in 0..patch {
                    let start = (channel * height + row * patch + y) * width + column * patch;
                    patches.extend_from_slice(&crop.values[start..start + patch]);
                }
            }
        }
    }
    Ok((patches, grid))
}
