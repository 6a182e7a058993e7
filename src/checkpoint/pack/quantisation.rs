//! The ways of storing a model's weights, and the number of bits that each way uses for each matrix.

use serde::{Deserialize, Serialize};

use super::quantise::BLOCK;
use crate::model::{ModelConfig, TensorSpec};

/// How a pack stores its matrices. Vectors always stay f32.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Quantisation {
    #[default]
    Q8,
    /// 4 bits for most matrices. The matrices that matter most for the embedding stay in 8 bits (`wants_8_bits`).
    Q4,
    F16,
    F32,
}

/// The format in which one tensor is stored.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TensorFormat {
    F32,
    F16,
    /// I8 values `[rows, columns]` and F16 scales `[rows, blocks]`.
    Q8,
    /// U8 values `[rows, columns / 2]`, two per byte with the first in the low bits, and F16 scales `[rows, blocks]`.
    Q4,
}

/// The matrices outside the layers that stay in 8 bits in a Q4 pack: they make the first residual stream and read the
/// last one. They are few, and nothing averages their errors.
const ENDS: [&str; 6] = [
    "vision.patch.weight",
    "vision.positions",
    "vision.registers",
    "vision.projection.weight",
    "text.positions",
    "text.projection.weight",
];

/// The matrices of every layer that stay in 8 bits in a Q4 pack. They are a sixth of a layer's values, and they cause
/// nearly half of the error of 4 bits.
const OF_LAYERS: [&str; 2] = ["attention.value.weight", "attention.output.weight"];

impl TensorFormat {
    /// Returns how `quantisation` stores a tensor of `model`.
    pub fn of(spec: &TensorSpec, quantisation: Quantisation, model: &ModelConfig) -> Self {
        let [_, columns] = spec.shape[..] else { return Self::F32 };
        match quantisation {
            Quantisation::F32 => Self::F32,
            Quantisation::F16 => Self::F16,
            Quantisation::Q4 if columns.is_multiple_of(BLOCK) && !wants_8_bits(&spec.name, model) => Self::Q4,
            Quantisation::Q8 | Quantisation::Q4 => Self::Q8,
        }
    }
}

/// Returns whether a matrix stays in 8 bits in a Q4 pack.
///
/// The choice follows a measurement on the default pack's trained towers (width 384, where 4 bits cost most), with 61
/// pictures of a gallery, of all kinds and sizes, and with ten texts. The numbers are cosines between an embedding
/// and the embedding of the f32 model:
///
/// | in 8 bits | pictures, mean | pictures, worst | size |
/// |---|---|---|---|
/// | everything | 0.9998 | 0.9997 | 47.9 MB |
/// | the ends, and the values and outputs of attention | 0.973 | | 28.7 MB |
/// | these, the whole first layer and the whole last third | 0.991 | 0.970 | 34.6 MB |
/// | these and the whole last half, without the first layer | 0.993 | 0.969 | 35.4 MB |
/// | these, the whole first layer and the whole last half | 0.995 | 0.980 | 36.8 MB |
/// | these and the whole last two thirds, without the first layer | 0.996 | 0.975 | 37.6 MB |
///
/// In the last three rows, all texts reach at least 0.993. The first layer's queries and keys are the hardest to
/// round. The last layers write directly into the residual stream that is read out. The errors of earlier layers pass
/// through norms first.
fn wants_8_bits(name: &str, model: &ModelConfig) -> bool {
    let text_layers = model.text.as_ref().map_or(0, |text| text.layers);
    let towers = [("vision.blocks.", model.vision.layers), ("text.blocks.", text_layers)];
    let in_layer = towers.into_iter().find_map(|(prefix, layers)| {
        let (layer, part) = name.strip_prefix(prefix)?.split_once('.')?;
        Some((layer.parse::<usize>().ok()?, layers, part))
    });
    match in_layer {
        None => ENDS.contains(&name),
        Some((layer, layers, part)) => layer == 0 || 2 * layer >= layers || OF_LAYERS.contains(&part),
    }
}
