//! int8 weights: symmetric, one f16 scale for each block of 32 inputs of a row (or for the whole row).

use half::f16;
use serde::{Deserialize, Serialize};

/// How a pack stores its matrices. Vectors stay f32 always.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Quantisation {
    #[default]
    Q8,
    F16,
    F32,
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

/// Quantises rows of `columns` values. The scale is rounded to f16 first, so that the values are rounded
/// against the scale that will be read back.
pub fn quantise(values: &[f32], columns: usize) -> Quantised {
    let mut quantised = Quantised { values: Vec::with_capacity(values.len()), scales: Vec::new() };
    for block in values.chunks(columns).flat_map(|row| row.chunks(block_len(columns))) {
        let largest = block.iter().fold(0.0_f32, |largest, value| largest.max(value.abs()));
        let scale = f16::from_f32(largest / 127.0);
        // A block too small for f16 is zero.
        let inverse = if scale > f16::ZERO { 1.0 / scale.to_f32() } else { 0.0 };
        quantised.scales.push(scale);
        quantised.values.extend(block.iter().map(|value| (value * inverse).round().clamp(-127.0, 127.0) as i8));
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn error_stays_under_half_a_step_of_each_block() {
        for columns in [32, 96, 50] {
            let values: Vec<f32> =
                (0..columns * 7).map(|i| ((i * 7919 % 1013) as f32 / 506.0 - 1.0) * (1.0 + (i / 40) as f32)).collect();
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
        let Quantised { values: q8, scales } = quantise(&values, 64);
        assert!(dequantise(&q8, &scales, 64).iter().all(|value| *value == 0.0));
    }
}
