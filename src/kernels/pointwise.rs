//! Norms, softmax and activations of rows.

use std::ops::Add;

use super::lanes::{self, F32x4};

/// A layer norm.
#[derive(Clone, Debug)]
pub struct Norm {
    pub gamma: Vec<f32>,
    pub beta: Vec<f32>,
    pub eps: f32,
}

impl Norm {
    /// Normalises `row` and writes the result to `into`. Both have the norm's width.
    pub fn apply(&self, row: &[f32], into: &mut [f32]) {
        let share = 1.0 / row.len() as f32;
        let mean = F32x4::splat(sum(row) * share);
        into.copy_from_slice(row);
        lanes::map(into, |values| values - mean);
        let variance = squares(into) * share;
        let scale = F32x4::splat(1.0 / (variance + self.eps).sqrt());
        let (chunks, rest) = into.as_chunks_mut::<4>();
        let (gammas, gamma_rest) = self.gamma.as_chunks::<4>();
        let (betas, beta_rest) = self.beta.as_chunks::<4>();
        for ((values, gamma), beta) in chunks.iter_mut().zip(gammas).zip(betas) {
            *values = (F32x4::load(values) * scale * F32x4::load(gamma) + F32x4::load(beta)).to_array();
        }
        for ((value, gamma), beta) in rest.iter_mut().zip(gamma_rest).zip(beta_rest) {
            *value = *value * scale.to_array()[0] * gamma + beta;
        }
    }
}

fn sum(values: &[f32]) -> f32 {
    lanes::fold(values, 0.0, |values| values, Add::add).sum()
}

/// Returns the sum of squares.
pub(super) fn squares(values: &[f32]) -> f32 {
    lanes::fold(values, 0.0, |values| values * values, Add::add).sum()
}

/// Returns the largest magnitude.
pub(super) fn largest(values: &[f32]) -> f32 {
    lanes::fold(values, 0.0, F32x4::abs, F32x4::max).largest()
}

/// Replaces logits by exp(logit - largest logit) and returns the sum of the results. Each result divided by the
/// sum is the softmax.
pub(super) fn exponentials(logits: &mut [f32]) -> f32 {
    let most = F32x4::splat(lanes::fold(logits, f32::NEG_INFINITY, |logits| logits, F32x4::max).largest());
    lanes::map(logits, |logits| exp(logits - most));
    sum(logits)
}

/// Computes the exact GELU, `x * (1 + erf(x / sqrt 2)) / 2`, with an error below 1e-7 of `|x|`.
pub fn gelu(values: &mut [f32]) {
    // erf by Abramowitz and Stegun, 7.1.26: 1 - erf(z) = polynomial(t) * exp(-z^2), t = 1 / (1 + p z), for z >= 0.
    const TERMS: [f32; 5] = [1.061_405_4, -1.453_152, 1.421_413_7, -0.284_496_74, 0.254_829_6];
    let (zero, one) = (F32x4::splat(0.0), F32x4::splat(1.0));
    let slope = F32x4::splat(0.327_591_1 * std::f32::consts::FRAC_1_SQRT_2);
    lanes::map(values, |x| {
        let size = x.abs();
        let t = one / (one + slope * size);
        let polynomial = TERMS.iter().fold(zero, |sum, term| (sum + F32x4::splat(*term)) * t);
        let tail = F32x4::splat(0.5) * polynomial * exp(F32x4::splat(-0.5) * x * x);
        x.max(zero) - size * tail
    });
}

/// Computes `x * sigmoid(1.702 x)`.
pub fn quick_gelu(values: &mut [f32]) {
    let (zero, one) = (F32x4::splat(0.0), F32x4::splat(1.0));
    lanes::map(values, |x| {
        let small = exp(F32x4::splat(-1.702) * x.abs());
        (x.max(zero) + x.min(zero) * small) / (one + small)
    });
}

/// Returns e^x for x <= 0, with a relative error of about 1e-7. Returns e^-87 for all smaller x.
#[inline(always)]
fn exp(x: F32x4) -> F32x4 {
    // The Taylor series over half a power of two. ln 2 is split into two parts. The first part is exact in few bits.
    const TERMS: [f32; 7] = [1.0 / 720.0, 1.0 / 120.0, 1.0 / 24.0, 1.0 / 6.0, 0.5, 1.0, 1.0];
    const LN_2: [f32; 2] = [0.693_359_4, -2.121_944_4e-4];
    let x = x.max(F32x4::splat(-87.0));
    let powers = (x * F32x4::splat(std::f32::consts::LOG2_E)).round();
    let whole = powers.to_f32();
    let rest = x - whole * F32x4::splat(LN_2[0]) - whole * F32x4::splat(LN_2[1]);
    let series = TERMS[1..].iter().fold(F32x4::splat(TERMS[0]), |sum, term| sum * rest + F32x4::splat(*term));
    series * powers.power_of_two()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn exponentials_are_exact_up_to_rounding() {
        let logits: Vec<f32> = (0..3001).map(|index| -(index as f32) * 0.0289).collect();
        let mut values = logits.clone();
        let sum = exponentials(&mut values);
        for (logit, value) in logits.iter().zip(&values) {
            let exact = f64::from(*logit).exp();
            assert!((f64::from(*value) - exact).abs() <= 3e-7 * exact.max(1e-37), "{logit}: {value} {exact}");
        }
        let exact: f64 = logits.iter().map(|logit| f64::from(*logit).exp()).sum();
        assert!((f64::from(sum) / exact - 1.0).abs() < 1e-6);
    }

    /// Compares with the integral itself, by Simpson's rule.
    #[test]
    fn gelu_is_exact() {
        let normal = |x: f64| (-x * x / 2.0).exp() / (2.0 * std::f64::consts::PI).sqrt();
        let below = |x: f64| {
            let steps = 400;
            let step = x / f64::from(steps);
            let inner = |index: i32| if index % 2 == 0 { 2.0 } else { 4.0 };
            let inside: f64 = (1..steps).map(|index| inner(index) * normal(f64::from(index) * step)).sum();
            0.5 + (normal(0.0) + inside + normal(x)) * step / 3.0
        };
        let inputs: Vec<f32> = (-60..=60).map(|index| index as f32 * 0.1).collect();
        let mut values = inputs.clone();
        gelu(&mut values);
        for (x, value) in inputs.iter().zip(values) {
            let exact = f64::from(*x) * below(f64::from(*x));
            assert!((f64::from(value) - exact).abs() < 2e-7 * (1.0 + f64::from(x.abs())), "{x}: {value} {exact}");
        }
    }

    #[test]
    fn quick_gelu_is_x_times_a_sigmoid() {
        let inputs: Vec<f32> = (-300..=300).map(|index| index as f32 * 0.1).collect();
        let mut values = inputs.clone();
        quick_gelu(&mut values);
        for (x, value) in inputs.iter().map(|x| f64::from(*x)).zip(values) {
            let exact = x / (1.0 + (-1.702 * x).exp());
            assert!((f64::from(value) - exact).abs() < 3e-7 * (1.0 + x.abs()), "{x}: {value} {exact}");
        }
    }

    #[test]
    fn a_norm_centres_and_scales_a_row() {
        for width in [3, 8, 30] {
            let row: Vec<f32> = (0..width).map(|index| 50.0 + (index as f32 * 1.7).sin()).collect();
            let norm = Norm { gamma: vec![2.0; width], beta: vec![0.25; width], eps: 1e-6 };
            let mut normed = vec![0.0; width];
            norm.apply(&row, &mut normed);
            let size = width as f64;
            let mean = row.iter().map(|value| f64::from(*value)).sum::<f64>() / size;
            let variance = row.iter().map(|value| (f64::from(*value) - mean).powi(2)).sum::<f64>() / size;
            for (value, normed) in row.iter().zip(normed) {
                let exact = (f64::from(*value) - mean) / (variance + 1e-6).sqrt() * 2.0 + 0.25;
                assert!((f64::from(normed) - exact).abs() < 1e-4, "{normed} {exact}");
            }
        }
    }
}
