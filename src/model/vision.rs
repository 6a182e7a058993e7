//! The vision transformer, and the trace of one crop through it.

use burn::module::Param;
use burn::nn::{LayerNorm, Linear};
use burn::tensor::{Device, Tensor, TensorData, Transaction};

use super::block::{self, Block, BlockShape, Passed, Qkv, Wanted};
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
    class_token: Param<Tensor<1>>,
    registers: Option<Param<Tensor<2>>>,
    positions: Param<Tensor<2>>,
    ln_pre: Option<LayerNorm>,
    blocks: Vec<Block>,
    ln_post: LayerNorm,
    projection: Option<Linear>,
    shape: VisionShape,
}

/// The parts of the config that running the tower needs, with the position table in reach of the CPU.
#[derive(Clone, Debug)]
struct VisionShape {
    config: VisionConfig,
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
        let device = &backend.device();
        let width = config.width;
        let norm = |name: &str, source: &mut dyn TensorSource| {
            block::load_norm(&format!("vision.{name}"), width, config.eps, source, device)
        };
        let positions = source.tensor("vision.positions", &[1 + config.position_grid.len(), width])?;
        let registers = match config.registers {
            0 => None,
            count => {
                let values = source.tensor("vision.registers", &[count, width])?;
                Some(Param::from_tensor(Tensor::from_data(TensorData::new(values, [count, width]), device)))
            }
        };
        let patch_inputs = 3 * config.patch * config.patch;
        Ok(Self {
            patches: block::load_linear("vision.patch", patch_inputs, width, source, device)?,
            class_token: block::load_vector("vision.class_token", width, source, device)?,
            registers,
            ln_pre: if config.ln_pre { Some(norm("ln_pre", source)?) } else { None },
            blocks: (0..config.layers)
                .map(|layer| Block::load(&format!("vision.blocks.{layer}"), block_shape(config), source, &backend))
                .collect::<Result<_, _>>()?,
            ln_post: norm("ln_post", source)?,
            projection: load_projection(config, embedding, source, device)?,
            positions: Param::from_tensor(position_tensor(config, &positions, config.position_grid, device)),
            shape: VisionShape { config: config.clone(), positions },
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
        let mut flow = Tensor::<2>::zeros([1, trace.tokens], &self.positions.val().device());
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
        collect_trace(&self.shape.config, pass.grid, data)
    }

    /// Runs the tower and registers what a trace is made of, in the order that [`collect_trace`] takes it in.
    pub(super) fn trace_reads(
        &self,
        crop: &Crop,
        wanted: Wanted,
        see: &mut dyn FnMut(usize, &Qkv),
    ) -> Result<(Transaction, Pass), ModelError> {
        let mut layers = Vec::with_capacity(3 * self.blocks.len());
        let pass = self.pass(crop, wanted, &mut |layer, Passed { qkv, mlp, .. }| {
            see(layer, qkv);
            layers.push((qkv.cls_attention(), qkv.value.clone(), cls_of(mlp)));
        })?;
        let mut reads = Transaction::default().register(pass.embedded_cls.clone());
        for (attention, values, mlp) in layers {
            reads = reads.register(attention).register(values).register(mlp);
        }
        let cls = cls_of(&pass.stream);
        let embedding = self.read_out(cls.clone());
        Ok((reads.register(cls).register(embedding), pass))
    }

    /// Runs all blocks over a crop, the last one for the `wanted` tokens only; `see` is shown what each leaves.
    pub(super) fn pass(
        &self,
        crop: &Crop,
        wanted: Wanted,
        see: &mut dyn FnMut(usize, &Passed),
    ) -> Result<Pass, ModelError> {
        let (patches, grid) = patchify(crop, self.shape.config.patch, &self.positions.val().device())?;
        let mut stream = self.embed(patches, grid);
        let embedded_cls = cls_of(&stream);
        for (layer, block) in self.blocks.iter().enumerate() {
            let wanted = if layer + 1 == self.blocks.len() { wanted } else { Wanted::All };
            let passed = block.forward_pre_norm(stream, wanted, false)?;
            see(layer, &passed);
            stream = passed.stream;
        }
        Ok(Pass { grid, embedded_cls, stream })
    }

    pub(super) fn config(&self) -> &VisionConfig {
        &self.shape.config
    }

    /// The final norm.
    pub(super) fn ln_post(&self, tokens: Tensor<3>) -> Tensor<3> {
        self.ln_post.forward(tokens)
    }

    /// Tokens after the embedding, `[1, N, width]`: CLS, registers, then patches, rows first.
    fn embed(&self, patches: Tensor<3>, grid: Grid) -> Tensor<3> {
        let config = &self.shape.config;
        let device = patches.device();
        let positions = if grid == config.position_grid {
            self.positions.val()
        } else {
            position_tensor(config, &self.shape.positions, grid, &device)
        };
        let embedded = self.patches.forward(patches);
        let class = self.class_token.val().reshape([1, 1, config.width]);
        let tokens = Tensor::cat(vec![class, embedded], 1) + positions.unsqueeze();
        let tokens = match &self.registers {
            None => tokens,
            // Registers carry no position.
            Some(registers) => Tensor::cat(
                vec![tokens.clone().narrow(1, 0, 1), registers.val().unsqueeze(), tokens.narrow(1, 1, grid.len())],
                1,
            ),
        };
        match &self.ln_pre {
            Some(norm) => norm.forward(tokens),
            None => tokens,
        }
    }

    fn read_out(&self, cls: Tensor<2>) -> Tensor<2> {
        let normed = self.ln_post.forward(cls);
        match &self.projection {
            Some(projection) => projection.forward(normed),
            None => normed,
        }
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

fn load_projection(
    config: &VisionConfig,
    embedding: usize,
    source: &mut dyn TensorSource,
    device: &Device,
) -> Result<Option<Linear>, ModelError> {
    if !config.projection {
        return Ok(None);
    }
    let weight = block::load_matrix("vision.projection.weight", config.width, embedding, source, device)?;
    let bias = if config.projection_bias {
        Some(block::load_vector("vision.projection.bias", embedding, source, device)?)
    } else {
        None
    };
    Ok(Some(Linear { weight: Param::from_tensor(weight), bias }))
}

/// The CLS token of `[1, N, width]`, as `[1, width]`.
fn cls_of(tokens: &Tensor<3>) -> Tensor<2> {
    let [_, _, width] = tokens.dims();
    tokens.clone().narrow(1, 0, 1).reshape([1, width])
}

fn position_tensor(config: &VisionConfig, table: &[f32], grid: Grid, device: &Device) -> Tensor<2> {
    let resized = resize_positions(table, config.width, config.position_grid, grid, config.position_resize);
    Tensor::from_data(TensorData::new(resized, [1 + grid.len(), config.width]), device)
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
