//! TextSpan: the texts that span what a head writes (papers.md, Paper 1, TextSpan).
//!
//! The plain algorithm is stated on the K x d matrix D of a head's contributions. Every step of it depends on D
//! through its Gram matrix alone, and `D = U B^T`, so it runs here on the moments of U: the right singular
//! vectors of D are those of `B (S + m m^T) B^T`, and the spread of D along a text is `t^T B S B^T t`. B's
//! columns are not orthonormal, hence the QR factorisation before the eigenvectors.

mod late_heads;

use nalgebra::{DMatrix, DVector, SymmetricEigen};

use crate::decompose::HeadBasis;
use crate::statistics::Moments;

pub use late_heads::{LateHeads, Replaced};

/// Picking ends when less than this share of the variance is left.
const SPENT: f64 = 1e-9;

/// Singular directions weaker than this, squared and against the strongest, are rounding.
const NOISE: f64 = 1e-15;

/// A text of which less than this is left, squared, is f32's rounding: it points nowhere any more.
const GONE: f64 = 1e-12;

/// A text that TextSpan picked.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Pick {
    /// Its row in the pool.
    pub text: usize,
    /// Share of the head's variance explained by this text and those before it.
    pub explained: f64,
}

/// Picks up to `count` of `texts` (`[T, embedding]`, rows first) for a head, within its `rank` strongest
/// directions (the head width in the paper).
///
/// Fewer come back where the variance is spent, or no text that is left has any along it.
pub fn textspan(basis: &HeadBasis, moments: &Moments, texts: &[f32], rank: usize, count: usize) -> Vec<Pick> {
    span(&HeadSpace::new(basis, moments, rank), texts, count).0
}

/// The picks, and of each the direction along V that it took out.
fn span(space: &HeadSpace, texts: &[f32], count: usize) -> (Vec<Pick>, Vec<DVector<f64>>) {
    let mut span = Span::new(space, texts);
    let (mut picks, mut directions) = (Vec::with_capacity(count), Vec::with_capacity(count));
    while picks.len() < count && span.left > SPENT * space.total {
        let Some((text, direction)) = span.pick() else { break };
        picks.push(Pick { text, explained: 1.0 - span.left / space.total });
        directions.push(direction);
    }
    (picks, directions)
}

/// A head's outputs, put together from its texts alone (papers.md, Paper 1, TextSpan, step 3): the mean, and
/// the part of the rest that lies along the directions that the texts took out.
///
/// The directions are orthonormal: each is what was left of its text when it was picked.
pub struct Reconstruction {
    pub picks: Vec<Pick>,
    /// `[pick][embedding]`
    directions: Vec<Vec<f64>>,
    /// A direction's inner products with the columns of B, `[pick][code]`.
    along: Vec<Vec<f64>>,
    mean_code: Vec<f64>,
    /// `[embedding]`
    mean: Vec<f64>,
}

impl Reconstruction {
    /// From up to `count` texts; the arguments are those of [`textspan`].
    pub fn new(basis: &HeadBasis, moments: &Moments, texts: &[f32], rank: usize, count: usize) -> Self {
        let space = HeadSpace::new(basis, moments, rank);
        let (picks, directions) = span(&space, texts, count);
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

    /// What each text adds to the mean in one picture's reconstruction, `[pick][embedding]`. `code` is the
    /// head's code for the picture.
    pub fn steps(&self, code: &[f64]) -> Vec<Vec<f64>> {
        let off: Vec<f64> = code.iter().zip(&self.mean_code).map(|(value, mean)| value - mean).collect();
        let step = |(direction, along): (&Vec<f64>, &Vec<f64>)| -> Vec<f64> {
            let length: f64 = along.iter().zip(&off).map(|(along, off)| along * off).sum();
            direction.iter().map(|value| value * length).collect()
        };
        self.directions.iter().zip(&self.along).map(step).collect()
    }

    /// The head's mean contribution, which a reconstruction starts at. `[embedding]`
    pub fn mean(&self) -> &[f64] {
        &self.mean
    }

    /// The contribution from the first `count` texts, `[embedding]`; from none it is the mean.
    pub fn contribution(&self, code: &[f64], count: usize) -> Vec<f64> {
        let mut sum = self.mean.clone();
        for step in self.steps(code).iter().take(count) {
            sum.iter_mut().zip(step).for_each(|(sum, value)| *sum += value);
        }
        sum
    }
}

/// The r strongest directions of a head's outputs, and how the outputs spread along them.
struct HeadSpace {
    /// V, orthonormal columns, `[embedding, r]`.
    directions: DMatrix<f64>,
    /// Covariance of the outputs along V, `[r, r]`.
    covariance: DMatrix<f64>,
    /// Variance in all directions, those outside V too: |D|^2 / K before the first pick.
    total: f64,
}

impl HeadSpace {
    fn new(basis: &HeadBasis, moments: &Moments, rank: usize) -> Self {
        let (q, r) = DMatrix::from_row_slice(basis.embedding, basis.code, &basis.values).qr().unpack();
        let covariance = moments.covariance();
        let mean = DVector::from_column_slice(&moments.mean);
        let gram = &r * (&covariance + &mean * mean.transpose()) * r.transpose();
        let spread = &r * covariance * r.transpose();
        let SymmetricEigen { eigenvectors, eigenvalues } = SymmetricEigen::new(gram);
        let mut strongest: Vec<usize> = (0..eigenvalues.len()).collect();
        strongest.sort_by(|a, b| eigenvalues[*b].total_cmp(&eigenvalues[*a]));
        let floor = strongest.first().map_or(0.0, |first| eigenvalues[*first] * NOISE);
        strongest.retain(|index| eigenvalues[*index] > floor);
        // K images span no more than K directions.
        strongest.truncate(rank.min(usize::try_from(moments.count).unwrap_or(rank)));
        let inner = eigenvectors.select_columns(&strongest);
        Self { directions: q * &inner, covariance: inner.transpose() * &spread * &inner, total: spread.trace() }
    }
}

/// The algorithm's state: what is left of every text, and of the outputs' covariance.
struct Span {
    /// R, along V: `[r, T]`, a text a column.
    texts: DMatrix<f64>,
    /// Squared length of each text before the first pick.
    lengths: Vec<f64>,
    covariance: DMatrix<f64>,
    /// Variance of the outputs along each text; 0 along texts that are gone.
    variances: Vec<f64>,
    /// |D|^2 / K.
    left: f64,
}

impl Span {
    fn new(space: &HeadSpace, texts: &[f32]) -> Self {
        let size = space.directions.nrows();
        let texts = texts[..texts.len() - texts.len() % size].iter().map(|value| f64::from(*value));
        let texts = DMatrix::from_iterator(size, texts.len() / size, texts);
        let texts = space.directions.tr_mul(&texts);
        let spread = &space.covariance * &texts;
        let variances = texts.column_iter().zip(spread.column_iter()).map(|(text, spread)| text.dot(&spread));
        Self {
            variances: variances.collect(),
            lengths: texts.column_iter().map(|text| text.norm_squared()).collect(),
            covariance: space.covariance.clone(),
            left: space.total,
            texts,
        }
    }

    /// Takes the text along which the outputs vary most, and its direction out of everything; none where
    /// they vary along no text. The text, and the direction along V.
    fn pick(&mut self) -> Option<(usize, DVector<f64>)> {
        let (text, variance) = self.variances.iter().copied().enumerate().max_by(|a, b| a.1.total_cmp(&b.1))?;
        let direction = self.texts.column(text).try_normalize(0.0)?;
        if variance.is_nan() || variance <= 0.0 {
            return None;
        }
        let along = &self.covariance * &direction;
        let variance = along.dot(&direction);
        self.left = (self.left - variance).max(0.0);
        self.forget(&direction, &along, variance);
        Some((text, direction))
    }

    /// Projects texts and covariance off `direction`. With y' = y - a e, variances follow without another
    /// product: y'^T S y' = y^T S y - 2 a (S e)^T y + a^2 e^T S e.
    fn forget(&mut self, direction: &DVector<f64>, along: &DVector<f64>, variance: f64) {
        let shares = self.texts.tr_mul(direction);
        let crossed = self.texts.tr_mul(along);
        for ((left, a), b) in self.variances.iter_mut().zip(shares.iter()).zip(crossed.iter()) {
            *left -= 2.0 * a * b - a * a * variance;
        }
        self.texts.ger(-1.0, direction, &shares, 1.0);
        let texts = self.texts.column_iter().zip(&self.lengths);
        for (variance, (text, length)) in self.variances.iter_mut().zip(texts) {
            if text.norm_squared() <= GONE * length {
                *variance = 0.0;
            }
        }
        self.covariance.ger(-1.0, direction, along, 1.0);
        self.covariance.ger(-1.0, along, direction, 1.0);
        self.covariance.ger(variance, direction, direction, 1.0);
    }
}
