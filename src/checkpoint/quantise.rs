//! Weights in 8 or 4 bits: symmetric, one f16 scale for each block of 32 inputs of a row (or for the whole row).

use half::f16;
use serde::{Deserialize, Serialize};

use crate::model::{ModelConfig, TensorSpec};

/// How a pack stores its matrices. Vectors stay f32 always.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Quantisation {
    #[default]
    Q8,
    /// 4 bits for most; what counts most for the embedding stays Q8 (`wants_8_bits`).
    Q4,
    F16,
    F32,
}

/// How one tensor is stored.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stored {
    F32,
    F16,
    /// I8 `[rows, columns]`, and F16 scales `[rows, blocks]`.
    Q8,
    /// U8 `[rows, columns / 2]`, two values a byte, the first one low; and F16 scales `[rows, blocks]`.
    Q4,
}

/// Matrices outside the layers that stay in 8 bits in a Q4 pack: what makes the first residual stream, and what reads
/// the last one. They are few, and nothing averages their errors out.
const ENDS: [&str; 6] = [
    "vision.patch.weight",
    "vision.positions",
    "vision.registers",
    "vision.projection.weight",
    "text.positions",
    "text.projection.weight",
];

/// Matrices of every layer that stay in 8 bits: a sixth of a layer, and nearly half of the error that 4 bits cost.
const OF_LAYERS: [&str; 2] = ["attention.value.weight", "attention.output.weight"];

impl Stored {
    /// How `quantisation` stores a tensor of `model`.
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

/// Whether a matrix stays in 8 bits in a Q4 pack.
///
/// Measured as the cosine of embeddings with those of f32, on the default pack's trained towers (384 wide, where 4
/// bits cost most): 61 pictures of a gallery, of all kinds and sizes, and ten texts:
///
/// | in 8 bits | pictures, mean | at worst | size |
/// |---|---|---|---|
/// | everything | 0.9998 | 0.9997 | 47.9 MB |
/// | the ends, and values and outputs of attention | 0.973 | | 28.7 MB |
/// | and the first layer and the last third whole | 0.991 | 0.970 | 34.6 MB |
/// | and the last half whole, not the first layer | 0.993 | 0.969 | 35.4 MB |
/// | and the first layer and the last half whole | 0.995 | 0.980 | 36.8 MB |
/// | and the last two thirds whole, not the first layer | 0.996 | 0.975 | 37.6 MB |
///
/// Texts lie at 0.993 and above in the last three. The first layer's queries and keys are the hardest to round; the
/// last layers write straight into what is read out, while errors of the ones before pass through norms on the way.
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

/// Inputs that share a scale.
pub const BLOCK: usize = 32;

/// Quantised rows and their scales, `[rows][blocks of a row]`.
pub struct Quantised {
    pub values: Vec<i8>,
    pub scales: Vec<f16>,
}

/// The block length of rows of `columns`: [`BLOCK`] where it divides them, the whole row otherwise.
pub fn block_len(columns: usize) -> usize {
    if columns.is_multiple_of(BLOCK) { BLOCK } else { columns }
}

/// Quantises rows of `columns` values to 8 bits. The scale is rounded to f16 first, so that the values are rounded
/// against the scale that will be read back.
pub fn quantise(values: &[f32], columns: usize) -> Quantised {
    let mut quantised = Quantised { values: Vec::with_capacity(values.len()), scales: Vec::new() };
    for block in values.chunks(columns).flat_map(|row| row.chunks(block_len(columns))) {
        let scale = f16::from_f32(largest(block).abs() / 127.0);
        quantised.scales.push(scale);
        quantised.values.extend(rounded(block, scale, -127.0));
    }
    quantised
}

/// The values that quantised rows stand for. `scales` holds a whole number of scales per row.
pub fn dequantise(values: &[i8], scales: &[f16], columns: usize) -> Vec<f32> {
    let rows = values.len() / columns;
    let block = columns / (scales.len() / rows);
    let mut floats = Vec::with_capacity(values.len());
    for (block, scale) in values.chunks(block).zip(scales) {
        let scale = scale.to_f32();
        floats.extend(block.iter().map(|value| f32::from(*value) * scale));
    }
    floats
}

/// Quantises rows of `columns` values, a multiple of [`BLOCK`], to 4 bits: -8 to 7, each block with the scale that
/// leaves the least squared error.
pub fn quantise_to_4_bits(values: &[f32]) -> Quantised {
    let mut quantised = Quantised { values: Vec::with_capacity(values.len()), scales: Vec::new() };
    for block in values.chunks(BLOCK) {
        let scale = best_scale(block);
        quantised.scales.push(scale);
        quantised.values.extend(rounded(block, scale, -8.0));
    }
    quantised
}

/// Where the block's largest value is put, in steps. Plain rounding puts it on 7 (or -8, by a negative scale);
/// a little beyond clips it and keeps the others finer.
const LARGEST_STEPS: [f32; 6] = [-8.0, -7.5, -7.0, -9.0, 7.0, 7.9];

/// The 4-bit scale of least squared error among a few, each refined once: given the steps, the best scale is the
/// least-squares fit.
fn best_scale(block: &[f32]) -> f16 {
    let largest = largest(block);
    let mut best = (f32::INFINITY, f16::ZERO);
    let mut hold = |scale: f32| {
        let scale = f16::from_f32(scale);
        let (mut error, mut fit, mut norm) = (0.0, 0.0, 0.0);
        for (value, step) in block.iter().zip(rounded(block, scale, -8.0)) {
            let step = f32::from(step);
            error += (value - step * scale.to_f32()).powi(2);
            fit += value * step;
            norm += step * step;
        }
        if error < best.0 {
            best = (error, scale);
        }
        (norm > 0.0).then(|| fit / norm)
    };
    for steps in LARGEST_STEPS {
        if let Some(refined) = hold(largest / steps) {
            hold(refined);
        }
    }
    best.1
}

/// The value of largest magnitude, with its sign.
fn largest(block: &[f32]) -> f32 {
    block.iter().fold(0.0_f32, |largest, value| if value.abs() > largest.abs() { *value } else { largest })
}

/// The values in steps of `scale`, from `least` to `-least` or, in 4 bits, to 7.
fn rounded(block: &[f32], scale: f16, least: f32) -> impl Iterator<Item = i8> {
    // A block too small for f16 is zero.
    let inverse = if scale == f16::ZERO { 0.0 } else { 1.0 / scale.to_f32() };
    let most = if least == -8.0 { 7.0 } else { -least };
    block.iter().map(move |value| (value * inverse).round().clamp(least, most) as i8)
}

/// Two 4-bit values in each byte, the first one low, each plus 8.
pub fn pack_nibbles(values: &[i8]) -> Vec<u8> {
    let nibble = |value: i8| (value + 8).cast_unsigned() & 0xf;
    values.as_chunks::<2>().0.iter().map(|[low, high]| nibble(*low) | nibble(*high) << 4).collect()
}

/// The reverse of [`pack_nibbles`].
pub fn unpack_nibbles(bytes: &[u8]) -> Vec<i8> {
    bytes.iter().flat_map(|byte| [byte & 0xf, byte >> 4]).map(|nibble| nibble.cast_signed() - 8).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ramp(columns: usize) -> Vec<f32> {
        (0..columns * 7).map(|i| ((i * 7919 % 1013) as f32 / 506.0 - 1.0) * (1.0 + (i / 40) as f32)).collect()
    }

    #[test]
    fn error_stays_under_half_a_step_of_each_block() {
        for columns in [32, 96, 50] {
            let values = ramp(columns);
            let Quantised { values: q8, scales } = quantise(&values, columns);
            let restored = dequantise(&q8, &scales, columns);
            let block = block_len(columns);
            for (index, (value, restored)) in values.iter().zip(&restored).enumerate() {
                let scale = scales[index / block].to_f32();
                assert!((value - restored).abs() <= scale * 0.57, "{index}: {value} {restored} {scale}");
            }
        }
    }

    #[test]
    fn zero_and_tiny_blocks_survive() {
        let values = [0.0_f32; 32].into_iter().chain([1e-12_f32; 32]).collect::<Vec<_>>();
        for Quantised { values: quantised, scales } in [quantise(&values, 64), quantise_to_4_bits(&values)] {
            assert!(dequantise(&quantised, &scales, 64).iter().all(|value| *value == 0.0));
        }
    }

    /// The searched scale beats the plain one of each block, and its values fit into 4 bits.
    #[test]
    fn four_bits_are_rounded_better_than_plainly() {
        let values = ramp(96);
        let Quantised { values: q4, scales } = quantise_to_4_bits(&values);
        assert!(q4.iter().all(|value| (-8..8).contains(value)));
        let restored = dequantise(&q4, &scales, 96);
        let error = |restored: &[f32], block: usize| -> f32 {
            let pairs = values.iter().zip(restored).skip(block * BLOCK).take(BLOCK);
            pairs.map(|(value, restored)| (value - restored).powi(2)).sum()
        };
        let plain: Vec<f32> = values
            .chunks(BLOCK)
            .flat_map(|block| {
                let scale = f16::from_f32(largest(block).abs() / 7.0);
                let restored: Vec<f32> =
                    rounded(block, scale, -8.0).map(|step| f32::from(step) * scale.to_f32()).collect();
                restored
            })
            .collect();
        let blocks = 0..values.len() / BLOCK;
        assert!(blocks.clone().all(|block| error(&restored, block) <= error(&plain, block) * 1.001));
        let total = |restored: &[f32]| blocks.clone().map(|block| error(restored, block)).sum::<f32>();
        assert!(total(&restored) < 0.8 * total(&plain), "{} {}", total(&restored), total(&plain));
    }

    #[test]
    fn nibbles_come_back() {
        let values: Vec<i8> = (-8..8).collect();
        assert_eq!(pack_nibbles(&values)[0], 0x10);
        assert_eq!(unpack_nibbles(&pack_nibbles(&values)), values);
    }
}
