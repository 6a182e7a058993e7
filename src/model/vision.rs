//! The vision transformer, and the trace of one crop through it.

use burn::tensor::{Device, Tensor, TensorData, Transaction};

use super::block::{Block, BlockShape, Passed, Qkv, Wanted};
use super::layers::{Linear, Norm, pool};
use super::{Backend, ModelError, TensorSource, TensorSpec, VisionConfig, floats, resize_positions};
use crate::geometry::{Grid, Size};

/// A crop as the model takes it: normalised values, channels first, `[3, height, width]`.
#[derive(Clone, Debug, PartialEq)]
pub struct Crop {
    pub size: Size,
    pub values: Vec<f32>,
}

/// What one crop left behind on its way through the transformer: all that the decomposition needs.
///
/// Only the CLS row of each attention counts (papers.md, 1.4). N counts CLS, registers and patches.
#[derive(Clone, Debug)]
pub struct Trace {
    pub grid: Grid,
    /// N, tokens in all.
    pub tokens: usize,
    /// CLS and registers.
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
#[derive(Clone, Debug)]
pub struct TracedLayer {
    /// CLS attention, `[head][token]`.
    pub attention: Vec<f32>,
    /// Values, `[head][token][head width]`.
    pub values: Vec<f32>,
    /// What the MLP adds to CLS. `[width]`
    pub mlp: Vec<f32>,
}

/// A vision transformer of any of the supported families.
#[derive(Debug)]
pub struct VisionTransformer {
    patches: Linear,
    /// What tokens start with, on the grid that the model was trained on. `[1, N, width]`
    start: Tensor<3>,
    ln_pre: Option<Norm>,
    blocks: Vec<Block>,
    ln_post: Norm,
    projection: Option<Linear>,
    config: VisionConfig,
    leading: LeadingTokens,
    backend: Backend,
}

/// What tokens start with before any patch, in reach of the CPU, which resizes positions.
#[derive(Clone, Debug)]
struct LeadingTokens {
    /// `[width]`
    class: Vec<f32>,
    /// `[registers][width]`
    registers: Vec<f32>,
    /// `[1 + positions][width]`
    positions: Vec<f32>,
}

/// One run through all blocks, on the device.
pub(super) struct Pass {
    pub grid: Grid,
    /// `[1, width]`
    pub embedded_cls: Tensor<2>,
    /// After the last block, before the final norm. `[1, wanted tokens, width]`
    pub stream: Tensor<3>,
}

impl VisionTransformer {
    /// The tower's tensors. LayerScale, where a checkpoint has one, is folded into `attention.output` and
    /// `mlp.out`; a patch embedding without bias has a zero one.
    pub fn tensors(config: &VisionConfig, embedding: usize) -> Vec<TensorSpec> {
        let width = config.width;
        let mut specs = vec![
            TensorSpec::new("vision.patch.weight", [width, 3 * config.patch * config.patch]),
            TensorSpec::new("vision.patch.bias", [width]),
            TensorSpec::new("vision.class_token", [width]),
            TensorSpec::new("vision.positions", [1 + config.position_grid.len(), width]),
        ];
        if config.registers > 0 {
            specs.push(TensorSpec::new("vision.registers", [config.registers, width]));
        }
        let norms: &[&str] = if config.ln_pre { &["ln_pre", "ln_post"] } else { &["ln_post"] };
        for norm in norms {
            specs.push(TensorSpec::new(format!("vision.{norm}.gamma"), [width]));
            specs.push(TensorSpec::new(format!("vision.{norm}.beta"), [width]));
        }
        for layer in 0..config.layers {
            specs.extend(Block::tensors(&format!("vision.blocks.{layer}"), block_shape(config)));
        }
        if config.projection {
            specs.push(TensorSpec::new("vision.projection.weight", [embedding, width]));
        }
        if config.projection_bias {
            specs.push(TensorSpec::new("vision.projection.bias", [embedding]));
        }
        specs
    }

    /// Loads the tower onto a device, or for the CPU's kernels.
    ///
    /// # Errors
    /// Where a tensor is missing or malformed.
    pub fn load(
        config: &VisionConfig,
        embedding: usize,
        source: &mut dyn TensorSource,
        backend: impl Into<Backend>,
    ) -> Result<Self, ModelError> {
        let backend = backend.into();
        let width = config.width;
        let norm = |name: &str, source: &mut dyn TensorSource| {
            Norm::load(&format!("vision.{name}"), width, config.eps, source, &backend)
        };
        let leading = LeadingTokens {
            class: source.tensor("vision.class_token", &[width])?,
            registers: match config.registers {
                0 => Vec::new(),
                count => source.tensor("vision.registers", &[count, width])?,
            },
            positions: source.tensor("vision.positions", &[1 + config.position_grid.len(), width])?,
        };
        let patch_inputs = 3 * config.patch * config.patch;
        let projection = |source: &mut dyn TensorSource| {
            Linear::load("vision.projection", [width, embedding], config.projection_bias, source, &backend)
        };
        Ok(Self {
            patches: Linear::load("vision.patch", [patch_inputs, width], true, source, &backend)?,
            ln_pre: if config.ln_pre { Some(norm("ln_pre", source)?) } else { None },
            blocks: (0..config.layers)
                .map(|layer| Block::load(&format!("vision.blocks.{layer}"), block_shape(config), source, &backend))
                .collect::<Result<_, _>>()?,
            ln_post: norm("ln_post", source)?,
            projection: if config.projection { Some(projection(source)?) } else { None },
            start: leading.start(config, config.position_grid, &backend.device()),
            config: config.clone(),
            leading,
            backend,
        })
    }

    /// Runs the tower over one crop and reads back what the decomposition needs.
    ///
    /// # Errors
    /// Where the crop is smaller than a patch or not of its stated size, or the device fails.
    pub async fn trace(&self, crop: &Crop) -> Result<Trace, ModelError> {
        self.trace_beside(crop, &mut |_layer, _qkv| {}).await
    }

    /// [`Self::trace`], and beside it the attention rollout (Abnar and Zuidema, 2020): how much each patch
    /// flows into CLS through the attentions of layers `first` and later, each the mean over its heads, half of
    /// every token staying itself. `[row][column]`
    ///
    /// # Errors
    /// As [`Self::trace`].
    pub async fn trace_with_rollout(&self, crop: &Crop, first: usize) -> Result<(Trace, Vec<f32>), ModelError> {
        let mut attentions: Vec<Tensor<2>> = Vec::new();
        let mut keep = |layer: usize, qkv: &Qkv| {
            if layer >= first {
                attentions.push(qkv.mean_attention());
            }
        };
        let trace = self.trace_beside(crop, &mut keep).await?;
        // CLS's row of the product A_L ... A_first with A = (I + attention) / 2, last layer first.
        let mut flow = Tensor::<2>::zeros([1, trace.tokens], &self.backend.device());
        flow = flow.slice_fill([0..1, 0..1], 1.0);
        for attention in attentions.into_iter().rev() {
            flow = (flow.clone() + flow.matmul(attention)).mul_scalar(0.5);
        }
        let data = flow.into_data_async().await.map_err(|err| ModelError::Device(format!("{err:?}")))?;
        let patches = floats(data)?.split_off(trace.leading_tokens);
        Ok((trace, patches))
    }

    /// [`Self::trace`]; `see` is shown each layer's queries, keys and values on the way.
    async fn trace_beside(&self, crop: &Crop, see: &mut dyn FnMut(usize, &Qkv)) -> Result<Trace, ModelError> {
        let (reads, pass) = self.trace_reads(crop, Wanted::Cls, see)?;
        let data = reads.execute_async().await.map_err(|err| ModelError::Device(format!("{err:?}")))?;
        collect_trace(&self.config, pass.grid, data)
    }

    /// Runs the tower and registers what a trace is made of, in the order that [`collect_trace`] takes it in.
    pub(super) fn trace_reads(
        &self,
        crop: &Crop,
        wanted: Wanted,
        see: &mut dyn FnMut(usize, &Qkv),
    ) -> Result<(Transaction, Pass), ModelError> {
        let mut layers = Vec::with_capacity(3 * self.blocks.len());
        let pass = self.pass(crop, wanted, &mut |layer, Passed { qkv, mlp_of_cls, .. }| {
            see(layer, qkv);
            layers.push((qkv.cls_attention(), qkv.value.clone(), mlp_of_cls.clone()));
        })?;
        let mut reads = Transaction::default().register(pass.embedded_cls.clone());
        for (attention, values, mlp) in layers {
            reads = reads.register(attention).register(values).register(mlp);
        }
        let cls = self.cls_of(&pass.stream)?;
        let embedding = self.read_out(cls.clone())?;
        Ok((reads.register(cls).register(embedding), pass))
    }

    /// Runs all blocks over a crop, the last one for the `wanted` tokens only; `see` is shown what each leaves.
    pub(super) fn pass(
        &self,
        crop: &Crop,
        wanted: Wanted,
        see: &mut dyn FnMut(usize, &Passed),
    ) -> Result<Pass, ModelError> {
        let (patches, grid) = patchify(crop, self.config.patch, &self.backend.device())?;
        let mut stream = self.embed(patches, grid)?;
        let embedded_cls = self.cls_of(&stream)?;
        for (layer, block) in self.blocks.iter().enumerate() {
            let wanted = if layer + 1 == self.blocks.len() { wanted } else { Wanted::All };
            let passed = block.forward_pre_norm(stream, wanted, false)?;
            see(layer, &passed);
            stream = passed.stream;
        }
        Ok(Pass { grid, embedded_cls, stream })
    }

    pub(super) fn config(&self) -> &VisionConfig {
        &self.config
    }

    /// The final norm.
    pub(super) fn ln_post(&self, tokens: Tensor<3>) -> Result<Tensor<3>, ModelError> {
        self.ln_post.apply(tokens)
    }

    /// Tokens after the embedding, `[1, N, width]`: CLS, registers, then patches, rows first.
    fn embed(&self, patches: Tensor<3>, grid: Grid) -> Result<Tensor<3>, ModelError> {
        let start = match grid == self.config.position_grid {
            true => self.start.clone(),
            false => self.leading.start(&self.config, grid, &patches.device()),
        };
        let tokens = self.patches.add_to(start, patches)?;
        match &self.ln_pre {
            Some(norm) => norm.apply(tokens),
            None => Ok(tokens),
        }
    }

    /// The CLS token of `[1, N, width]`, as `[1, width]`.
    fn cls_of(&self, tokens: &Tensor<3>) -> Result<Tensor<2>, ModelError> {
        Ok(pool(tokens.clone(), 0..1, &self.backend)?.squeeze_dim(1))
    }

    /// `[1, width]` to `[1, embedding]`.
    fn read_out(&self, cls: Tensor<2>) -> Result<Tensor<2>, ModelError> {
        let normed = self.ln_post.apply(cls.unsqueeze())?;
        let embedding = match &self.projection {
            Some(projection) => projection.apply(normed)?,
            None => normed,
        };
        Ok(embedding.squeeze_dim(0))
    }
}

impl LeadingTokens {
    /// Class token and positions, and registers, which carry none, between them. `[1, N, width]`
    fn start(&self, config: &VisionConfig, grid: Grid, device: &Device) -> Tensor<3> {
        let width = config.width;
        let positions =
            resize_positions(&self.positions, width, config.position_grid, grid, config.position_resize);
        let (of_class, of_patches) = positions.split_at(width);
        let mut start: Vec<f32> = self.class.iter().zip(of_class).map(|(class, place)| class + place).collect();
        start.extend(&self.registers);
        start.extend(of_patches);
        let tokens = config.leading_tokens() + grid.len();
        Tensor::from_data(TensorData::new(start, [1, tokens, width]), device)
    }
}

fn block_shape(config: &VisionConfig) -> BlockShape {
    BlockShape {
        width: config.width,
        heads: config.heads,
        mlp_width: config.mlp_width,
        activation: config.activation,
        eps: config.eps,
        exact_cls: true,
    }
}

/// Cuts a crop into patches: `[1, patches, 3 * patch * patch]`, each patch channel by channel.
fn patchify(crop: &Crop, patch: usize, device: &Device) -> Result<(Tensor<3>, Grid), ModelError> {
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
    let data = TensorData::new(patches, [1, grid.len(), 3 * patch * patch]);
    Ok((Tensor::from_data(data, device), grid))
}

pub(super) fn collect_trace(
    config: &VisionConfig,
    grid: Grid,
    data: Vec<TensorData>,
) -> Result<Trace, ModelError> {
    let mut data = data.into_iter().map(floats);
    let mut next = || data.next().unwrap_or_else(|| Err(ModelError::Device("it returned too few tensors".into())));
    Ok(Trace {
        grid,
        tokens: config.leading_tokens() + grid.len(),
        leading_tokens: config.leading_tokens(),
        embedded_cls: next()?,
        layers: (0..config.layers)
            .map(|_layer| Ok(TracedLayer { attention: next()?, values: next()?, mlp: next()? }))
            .collect::<Result<_, ModelError>>()?,
        final_cls: next()?,
        embedding: next()?,
    })
}
