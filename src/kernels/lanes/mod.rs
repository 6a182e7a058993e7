//! Four numbers at a time: the vector registers of WebAssembly and x86. Other machines use arrays, which the compiler
//! may vectorise.

#[cfg(not(any(all(target_arch = "wasm32", target_feature = "simd128"), target_arch = "x86_64")))]
mod arrays;
#[cfg(all(target_arch = "wasm32", target_feature = "simd128"))]
mod simd128;
#[cfg(target_arch = "x86_64")]
mod sse2;

#[cfg(not(any(all(target_arch = "wasm32", target_feature = "simd128"), target_arch = "x86_64")))]
use arrays as registers;
#[cfg(all(target_arch = "wasm32", target_feature = "simd128"))]
use simd128 as registers;
#[cfg(target_arch = "x86_64")]
use sse2 as registers;

pub(super) use registers::{F32x4, I16x8, I32x4};

impl F32x4 {
    /// Returns the sum of the lanes, added in pairs.
    pub fn sum(self) -> f32 {
        let [a, b, c, d] = self.to_array();
        (a + b) + (c + d)
    }

    /// Returns the largest lane.
    pub fn largest(self) -> f32 {
        let [a, b, c, d] = self.to_array();
        a.max(b).max(c.max(d))
    }
}

/// Replaces each value by `map` of the value.
#[inline(always)]
pub(super) fn map(values: &mut [f32], map: impl Fn(F32x4) -> F32x4) {
    let (chunks, rest) = values.as_chunks_mut::<4>();
    chunks.iter_mut().for_each(|chunk| *chunk = map(F32x4::load(chunk)).to_array());
    if !rest.is_empty() {
        let mapped = map(F32x4::load(&padded(rest, 0.0))).to_array();
        rest.iter_mut().zip(mapped).for_each(|(value, mapped)| *value = mapped);
    }
}

/// Applies `of` to the values and joins the results into four lanes. A last group of fewer than four values is
/// filled up with `neutral`. Four groups are computed at once, because each join waits for the previous one.
#[inline(always)]
pub(super) fn fold(
    values: &[f32],
    neutral: f32,
    of: impl Fn(F32x4) -> F32x4,
    join: impl Fn(F32x4, F32x4) -> F32x4,
) -> F32x4 {
    let mut lanes = [F32x4::splat(neutral); 4];
    let (sixteens, rest) = values.as_chunks::<16>();
    for sixteen in sixteens {
        let (fours, _) = sixteen.as_chunks::<4>();
        lanes.iter_mut().zip(fours).for_each(|(lanes, four)| *lanes = join(*lanes, of(F32x4::load(four))));
    }
    let (fours, rest) = rest.as_chunks::<4>();
    lanes.iter_mut().zip(fours).for_each(|(lanes, four)| *lanes = join(*lanes, of(F32x4::load(four))));
    if !rest.is_empty() {
        lanes[3] = join(lanes[3], of(F32x4::load(&padded(rest, neutral))));
    }
    join(join(lanes[0], lanes[1]), join(lanes[2], lanes[3]))
}

fn padded(rest: &[f32], filler: f32) -> [f32; 4] {
    let mut padded = [filler; 4];
    padded.iter_mut().zip(rest).for_each(|(lane, value)| *lane = *value);
    padded
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pairs_are_rounded_half_to_even() {
        let (first, second) = ([-32767.0, 32767.0, 0.5, 1.5], [-0.5, -1.5, 2.4, -2.6]);
        let pairs = F32x4::load(&first).round_to_pairs(F32x4::load(&second));
        let halves = pairs.map(|pair| [pair as i16, (pair >> 16) as i16]);
        assert_eq!(halves, [[-32767, 32767], [0, 2], [0, -2], [2, -3]]);
    }

    /// For counts that are no multiple of four, or of sixteen.
    #[test]
    fn every_value_is_folded_once() {
        for count in 1..40 {
            let values: Vec<f32> = (0..count).map(|value| value as f32).collect();
            let sum = fold(&values, 0.0, |values| values + values, |a, b| a + b).sum();
            assert_eq!(sum, (count * (count - 1)) as f32, "{count} values");
        }
    }
}
