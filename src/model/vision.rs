//! The vision transformer, and the trace of one crop through it.

mod recorded;
mod run;

use burn::tensor::{Device, Tensor, TensorData};

use self::recorded::Runs;
use self::run::Asked;
use super::block::{Block, BlockShape, Qkv};
use super::layers::{Linear, Norm};
use super::{Backend, Features, ModelError, TensorSource, TensorSpec, VisionConfig, floats, resize_positions};
use crate::geometry::{Grid, Size};

/// A crop as the model takes it: normalised values, channels first, `[3, height, width]`.
#[derive(Clone, Debug, PartialEq)]
pub struct Crop {
    pub size: Size,
    pub values: Vec<f32>,
}

/// What one crop left behind on its way through the transformer: all that the decomposition needs.
///
/// Only the CLS row of each attention counts (docs/PAPERS.md, 1.4). N counts CLS, registers and patches.
#[derive(Clone, Debug, PartialEq)]
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
#[derive(Clone, Debug, PartialEq)]
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
    runs: Runs,
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
            runs: Runs::default(),
        })
    }

    /// Runs the tower over one crop and reads back what the decomposition needs.
    ///
    /// # Errors
    /// Where the crop is smaller than a patch or not of its stated size, or the device fails.
    pub async fn trace(&self, crop: &Crop) -> Result<Trace, ModelError> {
        let (grid, mut parts) = self.read(crop, Asked::Trace).await?;
        parts.trace(&self.config, grid)
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
        let (grid, mut parts) = self.read_beside(crop, Asked::Trace, &mut keep).await?;
        let trace = parts.trace(&self.config, grid)?;
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

    /// Runs the tower over one crop and reads back what it made of the patches.
    ///
    /// # Errors
    /// As [`Self::trace`].
    pub async fn features(&self, crop: &Crop) -> Result<Features, ModelError> {
        let (grid, mut parts) = self.read(crop, Asked::Features).await?;
        let attention = parts.take()?;
        parts.features(&self.config, grid, &attention)
    }

    /// [`Self::trace`] and [`Self::features`] of one run.
    ///
    /// # Errors
    /// As [`Self::trace`].
    pub async fn trace_with_features(&self, crop: &Crop) -> Result<(Trace, Features), ModelError> {
        let (grid, mut parts) = self.read(crop, Asked::Both).await?;
        let trace = parts.trace(&self.config, grid)?;
        let last = trace.layers.last().map_or(&[][..], |layer| &layer.attention);
        let features = parts.features(&self.config, grid, last)?;
        Ok((trace, features))
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
