//! An affine map from image features into a text space.

use nalgebra::{DMatrix, DVector};

/// The map `normalise(W x + b)` from image features into the text space.
#[derive(Clone, Debug, PartialEq)]
pub struct Projection {
    /// W, `[embedding, width]`.
    pub weight: DMatrix<f64>,
    /// b, `[embedding]`.
    pub bias: DVector<f64>,
}

impl Projection {
    /// Returns unit vectors, `[image, embedding]`, for features `[image, width]`.
    pub fn embed(&self, images: &DMatrix<f64>) -> DMatrix<f64> {
        let mut embedded = self.unnormalised(images);
        for mut row in embedded.row_iter_mut() {
            let norm = row.norm().max(f64::MIN_POSITIVE);
            row /= norm;
        }
        embedded
    }

    pub(super) fn unnormalised(&self, images: &DMatrix<f64>) -> DMatrix<f64> {
        let mut embedded = images * self.weight.transpose();
        for mut row in embedded.row_iter_mut() {
            row += self.bias.transpose();
        }
        embedded
    }
}
