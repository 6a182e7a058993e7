//! The layers of the vision transformer on one device, and one run through them.

use super::read_back::Wanted;
use crate::geometry::Grid;
use crate::model::backend::Backend;
use crate::model::block::{Block, BlockOutput, BlockShape, Qkv, WantedTokens};
use crate::model::config::VisionConfig;
use crate::model::error::ModelError;
use crate::model::outer_layers::{Linear, Norm, pool};
use crate::model::positions::resize_positions;
use crate::model::tensor::DeviceTensor;
use crate::model::tensor_source::TensorSource;

/// Called with each layer's number and its queries, keys and values.
pub type LayerObserver<'a> = &'a mut dyn FnMut(usize, &Qkv);

/// The layers of a vision transformer, loaded for one backend.
#[derive(Debug)]
pub struct Tower {
    patch_embedding: Linear,
    /// Class token, registers and positions on the grid that the model was trained on, `[1, N, width]`.
    initial_tokens: DeviceTensor<3>,
    ln_pre: Option<Norm>,
    blocks: Vec<Block>,
    ln_post: Norm,
    projection: Option<Linear>,
    pub config: VisionConfig,
    leading: LeadingTokens,
    pub backend: Backend,
}

/// The values of the tokens before a patch is embedded: class token, registers and positions. They stay on the CPU,
/// because the CPU resizes positions.
#[derive(Clone, Debug)]
struct LeadingTokens {
    /// `[width]`
    class: Vec<f32>,
    /// `[registers][width]`
    registers: Vec<f32>,
    /// `[1 + positions][width]`
    positions: Vec<f32>,
}

impl Tower {
    /// Loads the layers.
    ///
    /// # Errors
    /// When a tensor is missing or malformed.
    pub fn load(
        config: &VisionConfig,
        embedding: usize,
        source: &mut dyn TensorSource,
        backend: Backend,
    ) -> Result<Self, ModelError> {
        let width = config.width;
        let norm = |name: &str, source: &mut dyn TensorSource| {
            Norm::load(&format!("vision.{name}"), width, config.eps, source, &backend)
        };
        let block = |layer: usize, source: &mut dyn TensorSource| {
            Block::load(&format!("vision.blocks.{layer}"), block_shape(config), source, &backend)
        };
        let projection = |source: &mut dyn TensorSource| {
            Linear::load("vision.projection", [width, embedding], config.projection_bias, source, &backend)
        };
        let leading = LeadingTokens::load(config, source)?;
        let patch_inputs = 3 * config.patch * config.patch;
        Ok(Self {
            patch_embedding: Linear::load("vision.patch", [patch_inputs, width], true, source, &backend)?,
            ln_pre: if config.ln_pre { Some(norm("ln_pre", source)?) } else { None },
            blocks: (0..config.layers).map(|layer| block(layer, source)).collect::<Result<_, _>>()?,
            ln_post: norm("ln_post", source)?,
            projection: if config.projection { Some(projection(source)?) } else { None },
            initial_tokens: leading.on_grid(config, config.position_grid, &backend),
            config: config.clone(),
            leading,
            backend,
        })
    }

    /// Copies patches to the device, `[1, patches, 3 * patch * patch]`.
    pub fn patches_on_device(&self, patches: Vec<f32>, grid: Grid) -> DeviceTensor<3> {
        let count = grid.len();
        let shape = [1, count, patches.len() / count];
        self.backend.tensor(patches, shape)
    }

    /// Returns the values of the tokens of `grid` before patches are embedded, `[1, N, width]`.
    pub fn initial_tokens(&self, grid: Grid) -> DeviceTensor<3> {
        match grid == self.config.position_grid {
            true => self.initial_tokens.clone(),
            false => self.leading.on_grid(&self.config, grid, &self.backend),
        }
    }

    /// Runs all blocks and returns the tensors to read back, in the order in which `ReadTensors` takes them.
    ///
    /// The last block runs for all tokens only when its patches are wanted. When the tokens after an earlier block are
    /// wanted, the later blocks do not run. `observe` is called after each block.
    ///
    /// # Errors
    /// When the device fails.
    pub fn run(
        &self,
        patches: DeviceTensor<3>,
        initial_tokens: DeviceTensor<3>,
        wanted: Wanted,
        observe: LayerObserver<'_>,
    ) -> Result<Vec<DeviceTensor<1>>, ModelError> {
        let mut stream = self.embed(patches, initial_tokens)?;
        let (is_traced, mut results, mut last) = (wanted.includes_trace(), Vec::new(), None);
        let count = match wanted {
            Wanted::Tokens { layer } => layer + 1,
            _ => self.blocks.len(),
        };
        if is_traced {
            results.push(cls(&stream).flatten());
        }
        for (layer, block) in self.blocks.iter().enumerate().take(count) {
            let tokens = match wanted {
                Wanted::Trace if layer + 1 == self.blocks.len() => WantedTokens::Cls,
                _ => WantedTokens::All,
            };
            let BlockOutput { stream: after, qkv, mlp_of_cls } = block.forward_pre_norm(stream, tokens, false)?;
            observe(layer, &qkv);
            if is_traced {
                let attention = qkv.cls_attention()?.flatten();
                results.extend([attention, qkv.value.clone().flatten(), mlp_of_cls.flatten()]);
            }
            (stream, last) = (after, Some(qkv));
        }
        if is_traced {
            let cls = cls(&stream);
            results.extend([cls.clone().flatten(), self.read_out(cls)?.flatten()]);
        }
        if wanted.includes_features() {
            let Some(last) = last else { return Err(ModelError::Config("vision.layers is 0".into())) };
            if !is_traced {
                results.push(last.cls_attention()?.flatten());
            }
            let (queries, keys) = (last.query.flatten(), last.key.flatten());
            results.extend([queries, keys, self.ln_post.apply(stream)?.flatten()]);
        } else if matches!(wanted, Wanted::Tokens { .. }) {
            let tokens = if count == self.blocks.len() { self.ln_post.apply(stream)? } else { stream };
            results.push(tokens.flatten());
        }
        Ok(results)
    }

    /// Embeds patches, `[1, N, width]`: CLS, registers, then patches row by row.
    fn embed(
        &self,
        patches: DeviceTensor<3>,
        initial_tokens: DeviceTensor<3>,
    ) -> Result<DeviceTensor<3>, ModelError> {
        let tokens = self.patch_embedding.add_to(initial_tokens, patches)?;
        match &self.ln_pre {
            Some(norm) => norm.apply(tokens),
            None => Ok(tokens),
        }
    }

    /// Applies the final norm and the projection: `[1, 1, width]` to `[1, 1, embedding]`.
    fn read_out(&self, cls: DeviceTensor<3>) -> Result<DeviceTensor<3>, ModelError> {
        let normed = self.ln_post.apply(cls)?;
        match &self.projection {
            Some(projection) => projection.apply(normed),
            None => Ok(normed),
        }
    }
}

impl LeadingTokens {
    fn load(config: &VisionConfig, source: &mut dyn TensorSource) -> Result<Self, ModelError> {
        let width = config.width;
        Ok(Self {
            class: source.tensor("vision.class_token", &[width])?,
            registers: match config.registers {
                0 => Vec::new(),
                count => source.tensor("vision.registers", &[count, width])?,
            },
            positions: source.tensor("vision.positions", &[1 + config.position_grid.len(), width])?,
        })
    }

    /// Returns class token plus its position, registers (which have no position) and patch positions for `grid`,
    /// `[1, N, width]`.
    fn on_grid(&self, config: &VisionConfig, grid: Grid, backend: &Backend) -> DeviceTensor<3> {
        let width = config.width;
        let positions =
            resize_positions(&self.positions, width, config.position_grid, grid, config.position_resize);
        let (class_position, patch_positions) = positions.split_at(width);
        let mut tokens: Vec<f32> =
            self.class.iter().zip(class_position).map(|(class, position)| class + position).collect();
        tokens.extend(&self.registers);
        tokens.extend(patch_positions);
        let count = config.leading_tokens() + grid.len();
        backend.tensor(tokens, [1, count, width])
    }
}

/// Returns the CLS token of `[1, N, width]`, as `[1, 1, width]`.
fn cls(tokens: &DeviceTensor<3>) -> DeviceTensor<3> {
    pool(tokens.clone(), 0..1)
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
