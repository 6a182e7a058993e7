//! Ridge regression of captions on images, in closed form.

use nalgebra::{DMatrix, DVector, RowDVector, SymmetricEigen};

use super::error::AlignError;
use super::pairs::Pairs;
use super::projection::Projection;

/// A ridge regression that is prepared for any penalty: `W = C V (E + lambda)^-1 V^T`. V and E are the
/// eigenvectors and eigenvalues of the features' covariance. C is the covariance of captions with features.
pub struct Ridge {
    values: DVector<f64>,
    vectors: DMatrix<f64>,
    /// C V, `[embedding, width]`.
    crossed: DMatrix<f64>,
    image_mean: RowDVector<f64>,
    caption_mean: RowDVector<f64>,
    /// The value of a penalty of 1: the mean of the eigenvalues.
    unit: f64,
}

impl Ridge {
    /// Prepares the regression. Every pair counts once. The bias is not penalised.
    ///
    /// # Errors
    /// [`AlignError::Constant`] when all images are equal.
    pub fn new(pairs: &Pairs) -> Result<Self, AlignError> {
        let (images, captions): (Vec<usize>, Vec<usize>) = pairs.pairs.iter().copied().unzip();
        let centred = |mut rows: DMatrix<f64>| {
            let mean = rows.row_mean();
            rows.row_iter_mut().for_each(|mut row| row -= &mean);
            (rows, mean)
        };
        let (images, image_mean) = centred(pairs.images.select_rows(&images));
        let (captions, caption_mean) = centred(pairs.captions.select_rows(&captions));
        let count = images.nrows().max(1) as f64;
        let SymmetricEigen { eigenvalues: values, eigenvectors: vectors } =
            SymmetricEigen::new(images.transpose() * &images / count);
        let unit = values.sum() / values.len().max(1) as f64;
        if unit.is_nan() || unit <= 1e-12 {
            return Err(AlignError::Constant);
        }
        let crossed = captions.transpose() * images * &vectors / count;
        Ok(Self { values, vectors, crossed, image_mean, caption_mean, unit })
    }

    /// Returns the standard deviation of the feature noise that corresponds to the penalty. Least squares with
    /// this noise equals the ridge regression.
    pub fn noise(&self, penalty: f64) -> f64 {
        (penalty * self.unit).sqrt()
    }

    /// Returns the projection that minimises the mean of `|W x + b - t|^2` plus `penalty * unit * |W|^2`. unit is
    /// the features' mean variance.
    pub fn solve(&self, penalty: f64) -> Projection {
        let mut scaled = self.crossed.clone();
        for (mut column, value) in scaled.column_iter_mut().zip(self.values.iter()) {
            // Rounding can make a tiny eigenvalue negative.
            column /= value.max(0.0) + penalty.max(1e-12) * self.unit;
        }
        let weight = scaled * self.vectors.transpose();
        let bias = self.caption_mean.transpose() - &weight * self.image_mean.transpose();
        Projection { weight, bias }
    }
}
