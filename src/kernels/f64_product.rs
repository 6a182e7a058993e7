//! The product of f64 matrices, for results that must not be rounded to f32.

use nalgebra::DMatrix;

/// Returns `left' right`, `[rows, columns]`, of `[inner, rows]` and `[inner, columns]`. The gemm crate computes
/// the product, because it uses WebAssembly's vector registers for f64, which nalgebra does not.
///
/// # Panics
/// When the matrices have different heights.
pub fn transposed_product(left: &DMatrix<f64>, right: &DMatrix<f64>) -> DMatrix<f64> {
    let ([inner, rows], [also_inner, columns]) = ([left.nrows(), left.ncols()], [right.nrows(), right.ncols()]);
    assert_eq!(inner, also_inner, "matrices of different heights are multiplied");
    let mut product = DMatrix::zeros(rows, columns);
    // SAFETY: all three matrices are stored column by column and have the numbers of rows and columns that are
    // passed.
    unsafe {
        gemm::gemm(
            rows,
            columns,
            inner,
            product.as_mut_slice().as_mut_ptr(),
            rows as isize,
            1,
            false,
            left.as_slice().as_ptr(),
            1,
            inner as isize,
            right.as_slice().as_ptr(),
            inner as isize,
            1,
            0.0,
            1.0,
            false,
            false,
            false,
            gemm::Parallelism::None,
        );
    }
    product
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn products_equal_those_of_nalgebra() {
        for (inner, rows, columns) in [(1, 1, 1), (7, 5, 3), (64, 33, 17), (3, 0, 2), (0, 2, 2)] {
            let left = DMatrix::from_fn(inner, rows, |row, column| (row as f64 + 1.3 * column as f64).sin());
            let right = DMatrix::from_fn(inner, columns, |row, column| (0.7 * row as f64 - column as f64).cos());
            let apart = transposed_product(&left, &right) - left.tr_mul(&right);
            assert!(apart.amax() < 1e-12, "{inner} x {rows} x {columns}");
        }
    }
}
