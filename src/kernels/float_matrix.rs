//! Products of f32 matrices: for matrices that change with every picture, and for the few rows that must not be
//! rounded to integers.

use std::array::from_fn;

use super::lanes::F32x4;

/// Rows and columns of the product that are computed together.
pub(super) const ROWS: usize = 4;
pub(super) const COLUMNS: usize = 8;

/// A matrix and a bias, `y = W x + b`, in f32.
#[derive(Clone, Debug)]
pub struct FloatMatrix {
    panels: Panels,
    bias: Vec<f32>,
}

impl FloatMatrix {
    /// Creates the matrix from `weights`, `[outputs, inputs]`, and `bias`, `[outputs]`.
    pub fn new(weights: &[f32], bias: &[f32]) -> Self {
        let mut panels = Panels::default();
        panels.fill_transposed(weights, weights.len() / bias.len().max(1));
        Self { panels, bias: bias.to_vec() }
    }

    /// Writes the products with `rows`, `[row][input]`, to `products`, `[row][output]`.
    pub fn apply(&self, rows: &[f32], products: &mut [f32]) {
        let (inputs, outputs) = (self.panels.inner.max(1), self.bias.len().max(1));
        for (rows, products) in rows.chunks(ROWS * inputs).zip(products.chunks_mut(ROWS * outputs)) {
            // With fewer than four rows, the last row is repeated.
            let last = rows.len() / inputs - 1;
            let four = from_fn(|row| &rows[row.min(last) * inputs..][..inputs]);
            for (panel, sums) in self.panels.products(four).enumerate() {
                let bias = &self.bias[panel * COLUMNS..];
                for (product, sums) in products.chunks_mut(outputs).zip(sums) {
                    let sums = sums.into_iter().flat_map(F32x4::to_array);
                    let targets = product[panel * COLUMNS..].iter_mut().zip(sums).zip(bias);
                    targets.for_each(|((product, sum), bias)| *product = sum + bias);
                }
            }
        }
    }
}

/// A matrix `[inner, columns]`, stored in panels of eight columns: `[panel][inner][8]`.
#[derive(Clone, Debug, Default)]
pub(super) struct Panels {
    inner: usize,
    values: Vec<[f32; COLUMNS]>,
}

impl Panels {
    /// Stores `rows`, `[inner, columns]`. The last panel is filled up with zeros.
    pub fn fill(&mut self, rows: &[f32], columns: usize) {
        self.start(rows.len() / columns, columns);
        for (row, values) in rows.chunks_exact(columns).enumerate() {
            for (panel, values) in values.chunks(COLUMNS).enumerate() {
                self.values[panel * self.inner + row][..values.len()].copy_from_slice(values);
            }
        }
    }

    /// Stores the transpose of `rows`, `[columns, inner]`.
    pub fn fill_transposed(&mut self, rows: &[f32], inner: usize) {
        // A matrix without rows has no columns either.
        self.start(inner, rows.len().checked_div(inner).unwrap_or(0));
        for (column, values) in rows.chunks_exact(inner.max(1)).enumerate() {
            let panel = &mut self.values[column / COLUMNS * inner..][..inner];
            panel.iter_mut().zip(values).for_each(|(place, value)| place[column % COLUMNS] = *value);
        }
    }

    fn start(&mut self, inner: usize, columns: usize) {
        self.inner = inner;
        self.values.clear();
        self.values.resize(columns.div_ceil(COLUMNS) * inner, [0.0; COLUMNS]);
    }

    /// Returns the products of four rows with each panel in turn. A row that is shorter than `inner` counts as if
    /// it ended in zeros.
    pub fn products(&self, rows: [&[f32]; ROWS]) -> impl Iterator<Item = [[F32x4; 2]; ROWS]> {
        self.values.chunks_exact(self.inner.max(1)).map(move |panel| tile(rows, panel))
    }
}

#[inline(always)]
fn tile([a, b, c, d]: [&[f32]; ROWS], columns: &[[f32; COLUMNS]]) -> [[F32x4; 2]; ROWS] {
    let mut sums = [[F32x4::splat(0.0); 2]; ROWS];
    for ((((columns, a), b), c), d) in columns.iter().zip(a).zip(b).zip(c).zip(d) {
        let ([left, right], _) = columns.as_chunks::<4>() else { unreachable!("eight are twice four") };
        let columns = [F32x4::load(left), F32x4::load(right)];
        for (sums, row) in sums.iter_mut().zip([a, b, c, d]) {
            let row = F32x4::splat(*row);
            *sums = [sums[0] + row * columns[0], sums[1] + row * columns[1]];
        }
    }
    sums
}

#[cfg(test)]
mod tests {
    use super::*;

    /// With as many rows as a tile takes, with fewer, and with more.
    #[test]
    fn products_equal_the_plain_sums() {
        let weights: Vec<f32> = (0..11 * 5).map(|index| (index as f32 * 0.7).sin()).collect();
        let bias: Vec<f32> = (0..11).map(|index| index as f32 * 0.5).collect();
        let matrix = FloatMatrix::new(&weights, &bias);
        for count in [1, 4, 6] {
            let rows: Vec<f32> = (0..count * 5).map(|index| (index as f32 * 1.3).cos()).collect();
            let mut products = vec![0.0; count * 11];
            matrix.apply(&rows, &mut products);
            for (row, products) in rows.chunks(5).zip(products.chunks(11)) {
                for ((weights, bias), product) in weights.chunks(5).zip(&bias).zip(products) {
                    let exact = bias + weights.iter().zip(row).map(|(w, x)| w * x).sum::<f32>();
                    assert!((product - exact).abs() < 1e-5, "{product} is not {exact}");
                }
            }
        }
    }
}
