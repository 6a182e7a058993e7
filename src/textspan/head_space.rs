//! The strongest directions of a head's outputs (docs/PAPERS.md, 1.7, step 1).

use nalgebra::{DMatrix, DVector, SymmetricEigen};

use crate::decompose::HeadBasis;
use crate::kernels::FloatMatrix;
use crate::statistics::Moments;

/// Singular directions with a squared singular value below this share of the largest are rounding errors.
const LEAST_EIGENVALUE: f64 = 1e-15;

/// The r strongest directions of a head's outputs, and the variance of the outputs along them.
pub(super) struct HeadSpace {
    /// V, orthonormal columns, `[embedding, r]`. Among all bases of the space, this is the one along which the
    /// outputs are uncorrelated.
    pub directions: DMatrix<f64>,
    /// Variance of the outputs along each column of V, `[r]`.
    pub variances: DVector<f64>,
    /// Variance in all directions, including those outside V: |D|^2 / K before the first pick.
    pub total: f64,
}

impl HeadSpace {
    pub fn new(basis: &HeadBasis, moments: &Moments, rank: usize) -> Self {
        let (q, r) = DMatrix::from_row_slice(basis.embedding, basis.code, &basis.values).qr().unpack();
        let covariance = moments.covariance();
        let mean = DVector::from_column_slice(&moments.mean);
        let gram = &r * (&covariance + &mean * mean.transpose()) * r.transpose();
        let spread = &r * covariance * r.transpose();
        let SymmetricEigen { eigenvectors, eigenvalues } = SymmetricEigen::new(gram);
        let mut strongest: Vec<usize> = (0..eigenvalues.len()).collect();
        strongest.sort_by(|a, b| eigenvalues[*b].total_cmp(&eigenvalues[*a]));
        let floor = strongest.first().map_or(0.0, |first| eigenvalues[*first] * LEAST_EIGENVALUE);
        strongest.retain(|index| eigenvalues[*index] > floor);
        // K images span at most K directions.
        strongest.truncate(rank.min(usize::try_from(moments.count).unwrap_or(rank)));
        let inner = eigenvectors.select_columns(&strongest);
        if strongest.is_empty() {
            return Self { directions: q * inner, variances: DVector::zeros(0), total: spread.trace() };
        }
        // There are many texts and few directions: rotating the basis here, so that the covariance becomes
        // diagonal, saves a product with every text.
        let SymmetricEigen { eigenvectors, eigenvalues } =
            SymmetricEigen::new(inner.transpose() * &spread * &inner);
        Self { directions: q * (inner * eigenvectors), variances: eigenvalues, total: spread.trace() }
    }
}

/// Returns the coordinates of texts along orthonormal `directions`, `[r, T]`.
///
/// The product is in f32, like the texts. All later steps are in f64, so a text still becomes zero when its
/// direction is removed.
pub(super) fn coordinates(directions: &DMatrix<f64>, texts: &[f32]) -> DMatrix<f64> {
    let (size, rank) = directions.shape();
    let rows: Vec<f32> = directions.as_slice().iter().map(|value| *value as f32).collect();
    let count = texts.len() / size;
    let mut coordinates = vec![0.0; count * rank];
    FloatMatrix::new(&rows, &vec![0.0; rank]).apply(&texts[..count * size], &mut coordinates);
    DMatrix::from_iterator(rank, count, coordinates.into_iter().map(f64::from))
}
