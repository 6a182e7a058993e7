//! Arithmetic on rows of numbers.

use super::features::Features;

/// The number of partial sums, so that the compiler uses SIMD registers.
const LANES: usize = 8;

/// Returns the inner products of `A` vectors with one vector of the same length. The one vector is loaded once for
/// all.
pub fn dots<const A: usize>(vectors: [&[f32]; A], with: &[f32]) -> [f32; A] {
    let (chunks, rest) = with.as_chunks::<LANES>();
    let split = vectors.map(|vector| vector[..with.len()].as_chunks::<LANES>());
    let mut sums = [[0.0_f32; LANES]; A];
    for (place, chunk) in chunks.iter().enumerate() {
        for (sum, (vector, _rest)) in sums.iter_mut().zip(&split) {
            for lane in 0..LANES {
                sum[lane] += vector[place][lane] * chunk[lane];
            }
        }
    }
    let mut totals = sums.map(|sum| sum.iter().sum::<f32>());
    for (total, (_chunks, vector)) in totals.iter_mut().zip(&split) {
        *total += vector.iter().zip(rest).map(|(a, b)| a * b).sum::<f32>();
    }
    totals
}

/// Returns the inner product.
pub fn dot(a: &[f32], b: &[f32]) -> f32 {
    dots([a], b)[0]
}

/// Normalises a vector. A zero vector, or a vector with numbers that are not finite, becomes zero.
pub fn unit(vector: &[f32]) -> Vec<f32> {
    let length = vector.iter().map(|value| f64::from(*value).powi(2)).sum::<f64>().sqrt();
    let scale = if length > 0.0 && length.is_finite() { length.recip() } else { 0.0 };
    if scale == 0.0 {
        return vec![0.0; vector.len()];
    }
    vector.iter().map(|value| (f64::from(*value) * scale) as f32).collect()
}

/// Normalises the patch tokens: Z of docs/PAPERS.md, 2, `[patch][width]`.
pub fn unit_tokens(features: &Features) -> Vec<f32> {
    features.tokens.chunks(features.width).flat_map(unit).collect()
}

/// Returns `sum_i weights[i] * rows[i]` for rows of `width` numbers, summed in f64.
pub fn weighted_sum(weights: impl Iterator<Item = f64>, rows: &[f32], width: usize) -> Vec<f64> {
    let mut sum = vec![0.0; width];
    for (weight, row) in weights.zip(rows.chunks(width)) {
        sum.iter_mut().zip(row).for_each(|(sum, value)| *sum += weight * f64::from(*value));
    }
    sum
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dots_are_inner_products_of_any_length() {
        for length in [0, 1, 7, 8, 9, 31] {
            let vector = |start: usize| -> Vec<f32> { (start..start + length).map(|i| (i % 5) as f32).collect() };
            let (a, b, with) = (vector(1), vector(3), vector(2));
            let plain = |v: &[f32]| v.iter().zip(&with).map(|(x, y)| x * y).sum::<f32>();
            assert_eq!(dots([&a, &b], &with), [plain(&a), plain(&b)], "length {length}");
        }
    }

    #[test]
    fn vectors_without_a_direction_become_zero() {
        assert_eq!(unit(&[3.0, 4.0]), [0.6, 0.8]);
        assert_eq!(unit(&[0.0, 0.0]), [0.0, 0.0]);
        assert_eq!(unit(&[f32::NAN, 1.0]), [0.0, 0.0]);
        assert_eq!(unit(&[f32::INFINITY, 1.0]), [0.0, 0.0]);
    }
}
