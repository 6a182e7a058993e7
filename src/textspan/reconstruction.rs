//! A head's outputs, reconstructed from its texts (docs/PAPERS.md, 1.7, step 3).

use nalgebra::{DMatrix, DVector};

use super::head_space::HeadSpace;
use super::text_picking::{Pick, pick_texts};
use crate::decompose::HeadBasis;
use crate::statistics::Moments;

/// The reconstruction of a head's outputs from its texts: the mean, plus the part of the outputs along the
/// directions that the texts removed.
///
/// The directions are orthonormal: each is the remainder of its text at the time of the pick.
pub struct Reconstruction {
    pub picks: Vec<Pick>,
    /// `[pick][embedding]`
    directions: Vec<Vec<f64>>,
    /// Inner products of each direction with the columns of B, `[pick][code]`.
    along: Vec<Vec<f64>>,
    mean_code: Vec<f64>,
    /// `[embedding]`
    mean: Vec<f64>,
}

impl Reconstruction {
    /// Picks up to `count` texts. The arguments are those of [`textspan`](super::textspan).
    pub fn new(basis: &HeadBasis, moments: &Moments, texts: &[f32], rank: usize, count: usize) -> Self {
        let space = HeadSpace::new(basis, moments, rank);
        let (picks, directions) = pick_texts(&space, texts, count);
        let b = DMatrix::from_row_slice(basis.embedding, basis.code, &basis.values);
        let directions: Vec<DVector<f64>> = directions.iter().map(|inner| &space.directions * inner).collect();
        let along = directions.iter().map(|direction| b.tr_mul(direction).as_slice().to_vec());
        Self {
            picks,
            along: along.collect(),
            directions: directions.iter().map(|direction| direction.as_slice().to_vec()).collect(),
            mean: basis.contribution(&moments.mean),
            mean_code: moments.mean.clone(),
        }
    }

    /// Returns the vector that each text adds to the mean in the reconstruction of one picture, `[pick][embedding]`.
    /// `code` is the head's code for the picture.
    pub fn steps(&self, code: &[f64]) -> Vec<Vec<f64>> {
        let off: Vec<f64> = code.iter().zip(&self.mean_code).map(|(value, mean)| value - mean).collect();
        let step = |(direction, along): (&Vec<f64>, &Vec<f64>)| -> Vec<f64> {
            let length: f64 = along.iter().zip(&off).map(|(along, off)| along * off).sum();
            direction.iter().map(|value| value * length).collect()
        };
        self.directions.iter().zip(&self.along).map(step).collect()
    }

    /// Returns the head's mean contribution, at which a reconstruction starts. `[embedding]`
    pub fn mean(&self) -> &[f64] {
        &self.mean
    }

    /// Returns the contribution reconstructed from the first `count` texts, `[embedding]`. With zero texts it is
    /// the mean.
    pub fn contribution(&self, code: &[f64], count: usize) -> Vec<f64> {
        let mut sum = self.mean.clone();
        for step in self.steps(code).iter().take(count) {
            sum.iter_mut().zip(step).for_each(|(sum, value)| *sum += value);
        }
        sum
    }
}
