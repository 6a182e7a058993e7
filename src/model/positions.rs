//! Resizes a position table to another grid, as torch does (docs/PAPERS.md, 1.5).

use super::config::PositionResize;
use crate::geometry::Grid;

/// The weights of one output sample. They start at input index `first`. Indices are clamped to the edges.
struct Taps {
    first: isize,
    weights: Vec<f64>,
}

/// Resizes a table of one class position and `from` patch positions, `[1 + from, width]`, to the grid `to`.
///
/// The class position does not change. Bicubic with align_corners false; a = -0.75, or -0.5 where torch
/// antialiases.
pub fn resize_positions(table: &[f32], width: usize, from: Grid, to: Grid, resize: PositionResize) -> Vec<f32> {
    if from == to {
        return table.to_vec();
    }
    let (class, patches) = table.split_at(width);
    let row_taps = taps(from.rows, to.rows, resize);
    let column_taps = taps(from.columns, to.columns, resize);
    // First the rows, [to.rows, from.columns, width], then the columns.
    let tall = resample(patches, 1, from.rows, from.columns * width, &row_taps);
    let both = resample(&tall, to.rows, from.columns, width, &column_taps);
    class.iter().copied().chain(both).collect()
}

/// Resamples the middle axis of `[outer, length, inner]`.
fn resample(values: &[f32], outer: usize, length: usize, inner: usize, taps: &[Taps]) -> Vec<f32> {
    let mut resampled = Vec::with_capacity(outer * taps.len() * inner);
    for outer in 0..outer {
        for Taps { first, weights } in taps {
            let mut sum = vec![0.0_f64; inner];
            for (offset, weight) in weights.iter().enumerate() {
                let index = (first + offset as isize).clamp(0, length as isize - 1) as usize;
                let start = (outer * length + index) * inner;
                for (sum, value) in sum.iter_mut().zip(&values[start..start + inner]) {
                    *sum += weight * f64::from(*value);
                }
            }
            resampled.extend(sum.into_iter().map(|sum| sum as f32));
        }
    }
    resampled
}

fn taps(from: usize, to: usize, resize: PositionResize) -> Vec<Taps> {
    let scale = match resize {
        PositionResize::DinoScale => from as f64 / (to as f64 + 0.1),
        PositionResize::Size | PositionResize::Antialias => from as f64 / to as f64,
    };
    (0..to)
        .map(|index| match resize {
            PositionResize::Antialias => antialiased_taps((index as f64 + 0.5) * scale, scale.max(1.0), from),
            PositionResize::Size | PositionResize::DinoScale => {
                let source = (index as f64 + 0.5) * scale - 0.5;
                let floor = source.floor();
                let weights = (-1..=2).map(|tap| cubic(source - floor - f64::from(tap), -0.75)).collect();
                Taps { first: floor as isize - 1, weights }
            }
        })
        .collect()
}

fn antialiased_taps(centre: f64, scale: f64, from: usize) -> Taps {
    let support = 2.0 * scale;
    let first = ((centre - support + 0.5).floor().max(0.0)) as usize;
    let end = ((centre + support + 0.5).floor() as usize).min(from);
    let weights: Vec<f64> = (first..end).map(|index| cubic((index as f64 - centre + 0.5) / scale, -0.5)).collect();
    let total: f64 = weights.iter().sum();
    Taps { first: first as isize, weights: weights.into_iter().map(|weight| weight / total).collect() }
}

/// Returns the value of Keys' cubic convolution kernel.
fn cubic(distance: f64, a: f64) -> f64 {
    let x = distance.abs();
    if x < 1.0 {
        ((a + 2.0) * x - (a + 3.0)) * x * x + 1.0
    } else if x < 2.0 {
        ((a * x - 5.0 * a) * x + 8.0 * a) * x - 4.0 * a
    } else {
        0.0
    }
}
