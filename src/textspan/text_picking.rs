//! TextSpan's loop: pick the text along which the outputs vary most, then remove its direction (docs/PAPERS.md, 1.7).

use nalgebra::{DMatrix, DVector, DVectorView};

use super::head_space::{HeadSpace, coordinates};
use crate::decompose::HeadBasis;
use crate::statistics::Moments;

/// Picking stops when the remaining share of the variance is below this.
const LEAST_VARIANCE: f64 = 1e-9;

/// A text whose remaining share of its squared length is below this consists of f32 rounding errors, and its direction
/// means nothing.
const LEAST_LENGTH: f64 = 1e-12;

/// A text that TextSpan picked.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Pick {
    /// The row of the text in the pool.
    pub text: usize,
    /// The share of the head's variance that this text and the earlier picks explain.
    pub explained: f64,
}

/// Picks up to `count` of `texts` (`[T, embedding]`, row by row) for a head, within the head's `rank` strongest
/// directions. The paper's rank is the head width.
///
/// Returns fewer picks when the variance is used up, or the outputs vary along none of the remaining texts.
pub fn textspan(basis: &HeadBasis, moments: &Moments, texts: &[f32], rank: usize, count: usize) -> Vec<Pick> {
    pick_texts(&HeadSpace::new(basis, moments, rank), texts, count).0
}

/// Returns the picks, and the direction along V that each pick removed, `[pick][r]`.
pub(super) fn pick_texts(space: &HeadSpace, texts: &[f32], count: usize) -> (Vec<Pick>, Vec<DVector<f64>>) {
    let mut remainder = Remainder::new(space, texts);
    let mut picks = Vec::new();
    while picks.len() < count && remainder.variance > LEAST_VARIANCE * space.total {
        let Some(text) = remainder.pick() else { break };
        picks.push(Pick { text, explained: 1.0 - remainder.variance / space.total });
    }
    (picks, remainder.directions)
}

/// The remainders of the outputs and the texts, after the picked directions are removed.
///
/// `texts` keeps its original values. The remaining covariance has no part along the picked directions, and a new
/// direction is orthogonal to the earlier ones. So their products with an original text equal their products with the
/// remainder of the text.
struct Remainder {
    /// The texts along V, `[r, T]`: one text in each column.
    texts: DMatrix<f64>,
    /// Squared length of each text before the first pick, `[T]`.
    lengths: Vec<f64>,
    /// Squared length of each text's remainder, `[T]`.
    remaining_lengths: Vec<f64>,
    /// The picked directions along V, orthonormal, `[pick][r]`.
    directions: Vec<DVector<f64>>,
    /// Remaining covariance of the outputs along V, `[r, r]`.
    covariance: DMatrix<f64>,
    /// Variance of the outputs along each text's remainder, `[T]`. 0 for a text without a remainder.
    variances: Vec<f64>,
    /// Remaining variance of the outputs in all directions, |D|^2 / K.
    variance: f64,
}

impl Remainder {
    fn new(space: &HeadSpace, texts: &[f32]) -> Self {
        let texts = coordinates(&space.directions, texts);
        let length_and_variance = |text: DVectorView<'_, f64>| -> (f64, f64) {
            let add = |(length, variance): (f64, f64), (coordinate, spread): (&f64, &f64)| {
                let square = coordinate * coordinate;
                (length + square, variance + square * spread)
            };
            text.iter().zip(&space.variances).fold((0.0, 0.0), add)
        };
        let (lengths, variances): (Vec<f64>, _) = texts.column_iter().map(length_and_variance).unzip();
        Self {
            variances,
            remaining_lengths: lengths.clone(),
            lengths,
            directions: Vec::new(),
            covariance: DMatrix::from_diagonal(&space.variances),
            variance: space.total,
            texts,
        }
    }

    /// Picks the text along which the outputs vary most, and removes its direction from the outputs and the texts.
    /// Among equal texts, the first of the pool is picked, as in the paper's code. Returns the text's row in the pool,
    /// or None when the outputs vary along no text.
    fn pick(&mut self) -> Option<usize> {
        // `max_by` returns the last of equal elements.
        let from_the_end = self.variances.iter().copied().enumerate().rev();
        let (text, variance) = from_the_end.max_by(|a, b| a.1.total_cmp(&b.1))?;
        let direction = self.remainder_of(text).try_normalize(0.0)?;
        if variance.is_nan() || variance <= 0.0 {
            return None;
        }
        let along = &self.covariance * &direction;
        let variance = along.dot(&direction);
        self.variance = (self.variance - variance).max(0.0);
        self.remove(&direction, &along, variance);
        self.directions.push(direction);
        Some(text)
    }

    /// Returns the remainder of a text, `[r]`: the text without its parts along the picked directions.
    ///
    /// Each direction is subtracted twice. When little of the text remains, the rounding error of the first pass is as
    /// large as the remainder.
    fn remainder_of(&self, text: usize) -> DVector<f64> {
        let mut remainder = self.texts.column(text).into_owned();
        for direction in self.directions.iter().chain(&self.directions) {
            remainder.axpy(-direction.dot(&remainder), direction, 1.0);
        }
        remainder
    }

    /// Removes the direction e from the outputs and the texts. `along` is S e, `variance` is e^T S e.
    ///
    /// With y' = y - a e, the new variances need no further matrix product:
    /// y'^T S y' = y^T S y - 2 a (S e)^T y + a^2 e^T S e.
    fn remove(&mut self, direction: &DVector<f64>, along: &DVector<f64>, variance: f64) {
        let (shares, crossed) = (self.texts.tr_mul(direction), self.texts.tr_mul(along));
        let of_texts = self.variances.iter_mut().zip(self.remaining_lengths.iter_mut().zip(&self.lengths));
        for ((of_text, (remaining, length)), (a, b)) in of_texts.zip(shares.iter().zip(crossed.iter())) {
            *of_text -= 2.0 * a * b - a * a * variance;
            *remaining -= a * a;
            if *remaining <= LEAST_LENGTH * length {
                *of_text = 0.0;
            }
        }
        self.covariance.ger(-1.0, direction, along, 1.0);
        self.covariance.ger(-1.0, along, direction, 1.0);
        self.covariance.ger(variance, direction, direction, 1.0);
    }
}
