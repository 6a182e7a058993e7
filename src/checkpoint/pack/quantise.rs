//! Quantises matrices to 8 or 4 bits: symmetric, with one f16 scale for each block of 32 inputs of a row, or for the
//! whole row.

use half::f16;

/// The number of inputs that share a scale.
pub const BLOCK: usize = 32;

/// Quantised rows `[rows][columns]` and their scales `[rows][blocks of a row]`.
pub struct Quantised {
    pub values: Vec<i8>,
    pub scales: Vec<f16>,
}

/// Returns the block length of rows of `columns` values: [`BLOCK`] if it divides them, otherwise the whole row.
pub fn block_len(columns: usize) -> usize {
    if columns.is_multiple_of(BLOCK) { BLOCK } else { columns }
}

/// Quantises rows of `columns` values to 8 bits. The scale is rounded to f16 first, so that the values are divided by
/// the same scale that will be read back.
pub fn quantise(values: &[f32], columns: usize) -> Quantised {
    let mut quantised = Quantised { values: Vec::with_capacity(values.len()), scales: Vec::new() };
    for block in values.chunks(columns).flat_map(|row| row.chunks(block_len(columns))) {
        let scale = f16::from_f32(largest(block).abs() / 127.0);
        quantised.scales.push(scale);
        quantised.values.extend(rounded(block, scale, -127.0));
    }
    quantised
}

/// Returns the floats of quantised rows. `scales` holds a whole number of scales per row.
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

/// Quantises rows to 4 bits, -8 to 7. The length of a row is a multiple of [`BLOCK`]. Each block has the scale with
/// the least squared error.
pub fn quantise_to_4_bits(values: &[f32]) -> Quantised {
    let mut quantised = Quantised { values: Vec::with_capacity(values.len()), scales: Vec::new() };
    for block in values.chunks(BLOCK) {
        let scale = best_scale(block);
        quantised.scales.push(scale);
        quantised.values.extend(rounded(block, scale, -8.0));
    }
    quantised
}

/// The candidates for the largest value of a block, in steps of the scale. Plain rounding maps the largest value to
/// 7, or to -8 with a negative scale. A number slightly beyond clips the largest value and rounds the others more
/// finely.
const LARGEST_STEPS: [f32; 6] = [-8.0, -7.5, -7.0, -9.0, 7.0, 7.9];

/// Returns the 4-bit scale with the least squared error among a few candidates. Each candidate is refined once: for
/// given steps, the best scale is the least-squares fit.
fn best_scale(block: &[f32]) -> f16 {
    let largest = largest(block);
    let mut best = (f32::INFINITY, f16::ZERO);
    let mut consider = |scale: f32| {
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
        if let Some(refined) = consider(largest / steps) {
            consider(refined);
        }
    }
    best.1
}

/// Returns the value of largest magnitude, with its sign.
fn largest(block: &[f32]) -> f32 {
    block.iter().fold(0.0_f32, |largest, value| if value.abs() > largest.abs() { *value } else { largest })
}

/// Returns the values in steps of `scale`, clamped to `least..=-least`; for 4 bits, to -8..=7.
fn rounded(block: &[f32], scale: f16, least: f32) -> impl Iterator<Item = i8> {
    // The scale of a block of tiny values rounds to zero in f16; the block becomes zero.
    let inverse = if scale == f16::ZERO { 0.0 } else { 1.0 / scale.to_f32() };
    let most = if least == -8.0 { 7.0 } else { -least };
    block.iter().map(move |value| (value * inverse).round().clamp(least, most) as i8)
}

/// Packs two 4-bit values into each byte, the first in the low bits. Each value is stored plus 8.
pub fn pack_nibbles(values: &[i8]) -> Vec<u8> {
    let nibble = |value: i8| (value + 8).cast_unsigned() & 0xf;
    values.as_chunks::<2>().0.iter().map(|[low, high]| nibble(*low) | nibble(*high) << 4).collect()
}

/// Reverses [`pack_nibbles`].
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
    fn rounding_error_is_at_most_half_a_step() {
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
    fn zero_and_tiny_blocks_become_zero() {
        let values = [0.0_f32; 32].into_iter().chain([1e-12_f32; 32]).collect::<Vec<_>>();
        for Quantised { values: quantised, scales } in [quantise(&values, 64), quantise_to_4_bits(&values)] {
            assert!(dequantise(&quantised, &scales, 64).iter().all(|value| *value == 0.0));
        }
    }

    /// In each block, the searched scale leaves no more error than the plain scale, and the values fit into 4 bits.
    #[test]
    fn searched_scale_beats_plain_4_bit_rounding() {
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
    fn nibbles_survive_packing() {
        let values: Vec<i8> = (-8..8).collect();
        assert_eq!(pack_nibbles(&values)[0], 0x10);
        assert_eq!(unpack_nibbles(&pack_nibbles(&values)), values);
    }
}
