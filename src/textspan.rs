//! TextSpan: the texts that span what a head writes (docs/PAPERS.md, 1.7).
//!
//! The plain algorithm is stated on the K x d matrix D of a head's contributions. Every step of it depends on D
//! through its Gram matrix alone, and `D = U B^T`, so it runs here on the moments of U: the right singular
//! vectors of D are those of `B (S + m m^T) B^T`, and the spread of D along a text is `t^T B S B^T t`. B's
//! columns are not orthonormal, hence the QR factorisation before the eigenvectors.

mod late_heads;

use nalgebra::{DMatrix, DVector, DVectorView, SymmetricEigen};

use crate::decompose::HeadBasis;
use crate::kernels::FloatMatrix;
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
    let mut picks = Vec::new();
    while picks.len() < count && span.left > SPENT * space.total {
        let Some(text) = span.pick() else { break };
        picks.push(Pick { text, explained: 1.0 - span.left / space.total });
    }
    (picks, span.directions)
}

/// A head's outputs, put together from its texts alone (docs/PAPERS.md, 1.7, step 3): the mean, and
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
    /// V, orthonormal columns, `[embedding, r]`: of all bases of the space the one along which the outputs vary
    /// independently.
    directions: DMatrix<f64>,
    /// Variance of the outputs along each of V. `[r]`
    variances: DVector<f64>,
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
        if strongest.is_empty() {
            return Self { directions: q * inner, variances: DVector::zeros(0), total: spread.trace() };
        }
        // Texts are many and directions few: a second turn here saves a product with every text.
        let SymmetricEigen { eigenvectors, eigenvalues } =
            SymmetricEigen::new(inner.transpose() * &spread * &inner);
        Self { directions: q * (inner * eigenvectors), variances: eigenvalues, total: spread.trace() }
    }
}

/// Texts along orthonormal `directions`, `[r, T]`. In f32, as the texts themselves are: nothing that follows is
/// rounded, and so a text still goes to nothing when it is taken out.
fn along(directions: &DMatrix<f64>, texts: &[f32]) -> DMatrix<f64> {
    let (size, rank) = directions.shape();
    let rows: Vec<f32> = directions.as_slice().iter().map(|value| *value as f32).collect();
    let count = texts.len() / size;
    let mut shares = vec![0.0; count * rank];
    FloatMatrix::new(&rows, &vec![0.0; rank]).apply(&texts[..count * size], &mut shares);
    DMatrix::from_iterator(rank, count, shares.into_iter().map(f64::from))
}

/// The algorithm's state: what is left of the outputs' covariance, and how long every text still is and how the outputs
/// vary along it.
///
/// The texts themselves stay as they were: a direction that is picked has no part along those before it, and neither
/// has what is left of the covariance, so their products with a text are those with what is left of it.
struct Span {
    /// Along V: `[r, T]`, a text a column.
    texts: DMatrix<f64>,
    /// Squared length of each text before the first pick, and what is left of it.
    lengths: Vec<f64>,
    left_of_lengths: Vec<f64>,
    /// What was picked, orthonormal.
    directions: Vec<DVector<f64>>,
    covariance: DMatrix<f64>,
    /// Variance of the outputs along what is left of each text; 0 along texts that are gone.
    variances: Vec<f64>,
    /// |D|^2 / K.
    left: f64,
}

impl Span {
    fn new(space: &HeadSpace, texts: &[f32]) -> Self {
        let texts = along(&space.directions, texts);
        let of_text = |share: DVectorView<'_, f64>| -> (f64, f64) {
            let add = |(length, variance): (f64, f64), (share, along): (&f64, &f64)| {
                let square = share * share;
                (length + square, variance + square * along)
            };
            share.iter().zip(&space.variances).fold((0.0, 0.0), add)
        };
        let (lengths, variances): (Vec<f64>, _) = texts.column_iter().map(of_text).unzip();
        Self {
            variances,
            left_of_lengths: lengths.clone(),
            lengths,
            directions: Vec::new(),
            covariance: DMatrix::from_diagonal(&space.variances),
            left: space.total,
            texts,
        }
    }

    /// Takes the text along which the outputs vary most, and its direction out of everything; none where
    /// they vary along no text. The text's row in the pool.
    fn pick(&mut self) -> Option<usize> {
        let (text, variance) = self.variances.iter().copied().enumerate().max_by(|a, b| a.1.total_cmp(&b.1))?;
        let direction = self.left_of(text).try_normalize(0.0)?;
        if variance.is_nan() || variance <= 0.0 {
            return None;
        }
        let along = &self.covariance * &direction;
        let variance = along.dot(&direction);
        self.left = (self.left - variance).max(0.0);
        self.forget(&direction, &along, variance);
        self.directions.push(direction);
        Some(text)
    }

    /// A text less its parts along the directions. Twice: of a text that is nearly gone, rounding leaves as much along
    /// them the first time.
    fn left_of(&self, text: usize) -> DVector<f64> {
        let mut left = self.texts.column(text).into_owned();
        for direction in self.directions.iter().chain(&self.directions) {
            left.axpy(-direction.dot(&left), direction, 1.0);
        }
        left
    }

    /// Projects texts and covariance off `direction`. With y' = y - a e, variances follow without another
    /// product: y'^T S y' = y^T S y - 2 a (S e)^T y + a^2 e^T S e.
    fn forget(&mut self, direction: &DVector<f64>, along: &DVector<f64>, variance: f64) {
        let (shares, crossed) = (self.texts.tr_mul(direction), self.texts.tr_mul(along));
        let of_texts = self.variances.iter_mut().zip(self.left_of_lengths.iter_mut().zip(&self.lengths));
        for ((left, (left_of_length, length)), (a, b)) in of_texts.zip(shares.iter().zip(crossed.iter())) {
            *left -= 2.0 * a * b - a * a * variance;
            *left_of_length -= a * a;
            if *left_of_length <= GONE * length {
                *left = 0.0;
            }
        }
        self.covariance.ger(-1.0, direction, along, 1.0);
        self.covariance.ger(-1.0, along, direction, 1.0);
        self.covariance.ger(variance, direction, direction, 1.0);
    }
}
