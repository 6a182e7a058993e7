//! The block on any backend.

use super::burn_block::BurnBlock;
use super::kernel_block::KernelBlock;
use super::output::{BlockOutput, WantedTokens};
use super::shader_block::ShaderBlock;
use super::shape::BlockShape;
use crate::model::backend::Backend;
use crate::model::error::ModelError;
use crate::model::tensor::DeviceTensor;
use crate::model::tensor_source::TensorSource;

/// Attention and MLP with their norms. The caller chooses the pre-norm or the post-norm forward pass.
#[derive(Debug)]
pub enum Block {
    Burn(BurnBlock),
    Kernels(KernelBlock),
    Shaders(ShaderBlock),
}

impl Block {
    pub fn load(
        prefix: &str,
        shape: BlockShape,
        source: &mut dyn TensorSource,
        backend: &Backend,
    ) -> Result<Self, ModelError> {
        Ok(match backend {
            Backend::Burn(device) => Self::Burn(BurnBlock::load(prefix, shape, source, device)?),
            Backend::Kernels => Self::Kernels(KernelBlock::load(prefix, shape, source)?),
            Backend::Shaders(gpu) => Self::Shaders(ShaderBlock::load(prefix, shape, source, gpu)?),
        })
    }

    /// Runs the block pre-norm, as in CLIP and DINO: `x += attention(ln_1(x)); x += mlp(ln_2(x))`.
    pub fn forward_pre_norm(
        &self,
        stream: DeviceTensor<3>,
        wanted: WantedTokens,
        causal: bool,
    ) -> Result<BlockOutput, ModelError> {
        match self {
            Self::Burn(block) => Ok(block.forward_pre_norm(stream.on_cpu()?, wanted, causal)),
            Self::Kernels(block) => block.forward_pre_norm(stream.on_cpu()?, wanted, causal),
            Self::Shaders(block) => Ok(block.forward_pre_norm(stream.on_gpu()?, wanted, causal)),
        }
    }

    /// Runs the block post-norm, as in BERT: `x = ln_1(x + attention(x)); x = ln_2(x + mlp(x))`.
    pub fn forward_post_norm(&self, stream: DeviceTensor<3>) -> Result<DeviceTensor<3>, ModelError> {
        match self {
            Self::Burn(block) => Ok(block.forward_post_norm(stream.on_cpu()?).into()),
            Self::Kernels(block) => Ok(block.forward_post_norm(stream.on_cpu()?)?.into()),
            Self::Shaders(block) => Ok(block.forward_post_norm(stream.on_gpu()?).into()),
        }
    }
}
