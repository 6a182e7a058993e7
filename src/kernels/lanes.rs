//! Four numbers at a time: the vector registers of WebAssembly and of x86, elsewhere arrays that the compiler may make
//! vectors of.

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
    /// The sum of the lanes, in pairs.
    pub fn sum(self) -> f32 {
        let [a, b, c, d] = self.to_array();
        (a + b) + (c + d)
    }

    /// The largest lane.
    pub fn largest(self) -> f32 {
        let [a, b, c, d] = self.to_array();
        a.max(b).max(c.max(d))
    }
}

/// Replaces each value by `map` of it.
#[inline(always)]
pub(super) fn map(values: &mut [f32], map: impl Fn(F32x4) -> F32x4) {
    let (chunks, rest) = values.as_chunks_mut::<4>();
    chunks.iter_mut().for_each(|chunk| *chunk = map(F32x4::load(chunk)).to_array());
    if !rest.is_empty() {
        let mapped = map(F32x4::load(&padded(rest, 0.0))).to_array();
        rest.iter_mut().zip(mapped).for_each(|(value, mapped)| *value = mapped);
    }
}

/// Folds values into four lanes; what is short of a whole four is filled up with `neutral`.
#[inline(always)]
pub(super) fn fold(values: &[f32], neutral: f32, fold: impl Fn(F32x4, F32x4) -> F32x4) -> F32x4 {
    let (chunks, rest) = values.as_chunks::<4>();
    let folded = chunks.iter().fold(F32x4::splat(neutral), |lanes, chunk| fold(lanes, F32x4::load(chunk)));
    if rest.is_empty() { folded } else { fold(folded, F32x4::load(&padded(rest, neutral))) }
}

fn padded(rest: &[f32], filler: f32) -> [f32; 4] {
    let mut padded = [filler; 4];
    padded.iter_mut().zip(rest).for_each(|(lane, value)| *lane = *value);
    padded
}
