//! Inner products and sums in f64.

pub(super) fn dot_f64(a: &[f64], b: &[f64]) -> f64 {
    a.iter().zip(b).map(|(a, b)| a * b).sum()
}

pub(super) fn dot_mixed(a: &[f32], b: &[f64]) -> f64 {
    a.iter().zip(b).map(|(a, b)| f64::from(*a) * b).sum()
}

pub(super) fn add_scaled(sum: &mut [f64], values: &[f32], scale: f64) {
    for (sum, value) in sum.iter_mut().zip(values) {
        *sum += f64::from(*value) * scale;
    }
}
