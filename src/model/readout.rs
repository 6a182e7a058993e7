//! Loads the output side of a vision tower, which the decomposition needs on the CPU.

use super::config::VisionConfig;
use super::tensor_source::{TensorError, TensorSource};
use crate::decompose::{OutputWeights, Readout};

/// Loads the output side of the vision tower.
///
/// # Errors
/// When a tensor is missing or malformed.
pub fn load_readout(
    config: &VisionConfig,
    embedding: usize,
    source: &mut dyn TensorSource,
) -> Result<Readout, TensorError> {
    let width = config.width;
    let outputs = (0..config.layers)
        .map(|layer| {
            let name = |part: &str| format!("vision.blocks.{layer}.attention.output.{part}");
            Ok(OutputWeights {
                weight: source.tensor(&name("weight"), &[width, width])?,
                bias: source.tensor(&name("bias"), &[width])?,
            })
        })
        .collect::<Result<_, TensorError>>()?;
    Ok(Readout {
        layers: config.layers,
        heads: config.heads,
        width,
        embedding,
        eps: config.eps,
        outputs,
        gamma: source.tensor("vision.ln_post.gamma", &[width])?,
        beta: source.tensor("vision.ln_post.beta", &[width])?,
        projection: if config.projection {
            Some(source.tensor("vision.projection.weight", &[embedding, width])?)
        } else {
            None
        },
        projection_bias: if config.projection_bias {
            source.tensor("vision.projection.bias", &[embedding])?
        } else {
            vec![0.0; embedding]
        },
    })
}
