//! Count, mean and covariance of vectors.

use nalgebra::DMatrix;

/// Count, mean and scatter of vectors, gathered one by one (Welford) or merged from parts (pairwise).
#[derive(Clone, Debug, PartialEq)]
pub struct Moments {
    pub count: u64,
    pub mean: Vec<f64>,
    /// The lower triangle of the sum of (x - mean)(x - mean)^T, row by row.
    pub(super) scatter: Vec<f64>,
}

impl Moments {
    /// Creates the moments of zero vectors of `len` numbers.
    pub fn new(len: usize) -> Self {
        Self { count: 0, mean: vec![0.0; len], scatter: vec![0.0; triangle(len)] }
    }

    /// Adds one vector.
    pub fn push(&mut self, x: &[f64]) {
        self.count += 1;
        let count = self.count as f64;
        let before: Vec<f64> = x.iter().zip(&self.mean).map(|(x, mean)| x - mean).collect();
        self.mean.iter_mut().zip(&before).for_each(|(mean, off)| *mean += off / count);
        // (x - mean before)(x - mean after)^T is symmetric, because both are multiples of the same vector.
        self.add_outer(&before, (count - 1.0) / count);
    }

    /// Adds the vectors of `other`.
    pub fn merge(&mut self, other: &Self) {
        if other.count == 0 {
            return;
        }
        let (ours, theirs) = (self.count as f64, other.count as f64);
        let apart: Vec<f64> = other.mean.iter().zip(&self.mean).map(|(theirs, ours)| theirs - ours).collect();
        self.scatter.iter_mut().zip(&other.scatter).for_each(|(sum, part)| *sum += part);
        self.add_outer(&apart, ours * theirs / (ours + theirs));
        self.mean.iter_mut().zip(&apart).for_each(|(mean, apart)| *mean += apart * theirs / (ours + theirs));
        self.count += other.count;
    }

    /// Returns the population covariance S, `[len, len]`. Zero when no vector was added.
    pub fn covariance(&self) -> DMatrix<f64> {
        let len = self.mean.len();
        let scale = 1.0 / self.count.max(1) as f64;
        DMatrix::from_fn(len, len, |row, column| self.scatter[triangle(row.max(column)) + row.min(column)] * scale)
    }

    fn add_outer(&mut self, x: &[f64], weight: f64) {
        let mut entries = self.scatter.iter_mut();
        for (row, left) in x.iter().enumerate() {
            for (right, entry) in x[..=row].iter().zip(entries.by_ref()) {
                *entry += weight * left * right;
            }
        }
    }
}

/// Returns the number of entries in the first `rows` rows of a lower triangle.
pub(super) fn triangle(rows: usize) -> usize {
    rows * (rows + 1) / 2
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_vector_has_zero_covariance_and_itself_as_mean() {
        let mut moments = Moments::new(2);
        moments.push(&[3.0, -4.0]);
        assert_eq!(moments.mean, [3.0, -4.0]);
        assert_eq!(moments.covariance(), DMatrix::zeros(2, 2));
    }

    #[test]
    fn covariance_is_that_of_the_population() {
        let mut moments = Moments::new(2);
        for x in [[1.0, 2.0], [3.0, 6.0]] {
            moments.push(&x);
        }
        assert_eq!(moments.covariance(), DMatrix::from_row_slice(2, 2, &[1.0, 2.0, 2.0, 4.0]));
    }
}
