//! Learns a projection: ridge regression, then contrastive refinement (docs/PAPERS.md, 3).

use super::contrast::{self, Contrast};
use super::error::AlignError;
use super::optimiser::AdamW;
use super::pairs::Pairs;
use super::projection::Projection;
use super::retrieval;
use super::ridge::Ridge;
use super::split::{self, FOLDS, Shuffle};

/// Ridge penalties to try, in units of the features' mean variance.
const PENALTIES: [f64; 9] = [1e-4, 1e-3, 1e-2, 3e-2, 1e-1, 3e-1, 1.0, 3.0, 10.0];

/// The largest scale, as in CLIP. With a larger scale a single pair dominates a batch.
const LARGEST_SCALE: f64 = 100.0;

/// The settings of the learning.
#[derive(Clone, Copy, Debug)]
pub struct LearningOptions {
    /// The ridge penalty, in units of the features' mean variance. None: the penalty that is best on the held-out
    /// parts.
    pub ridge: Option<f64>,
    /// The largest number of epochs of the contrastive refinement.
    pub epochs: usize,
    /// Pairs in a batch.
    pub batch: usize,
    /// AdamW's learning rate, in units of the weights' own size, so that one rate suits the features of any tower.
    pub rate: f64,
    /// AdamW's weight decay: each step shrinks the weights by `rate * decay`.
    pub decay: f64,
    pub seed: u64,
}

impl Default for LearningOptions {
    fn default() -> Self {
        Self { ridge: None, epochs: 40, batch: 512, rate: 2e-3, decay: 0.05, seed: 0 }
    }
}

/// A learned projection, and how it was learned.
#[derive(Clone, Debug)]
pub struct LearnedProjection {
    pub projection: Projection,
    /// The factor of the cosines before softmax.
    pub logit_scale: f64,
    /// The ridge regression, at which the refinement started.
    pub ridge: Projection,
    /// The chosen ridge penalty.
    pub penalty: f64,
    /// Every penalty that was tried, with its mean reciprocal rank on the held-out parts.
    pub trials: Vec<(f64, f64)>,
    /// The contrastive loss on the held-out part, before the refinement and after each of its epochs.
    pub losses: Vec<f64>,
    /// The number of epochs with the lowest held-out loss. The refinement on all pairs ran for as many epochs.
    pub epochs: usize,
}

/// A part of the pairs, and the ridge regression on the rest.
struct CrossValidationFold {
    rest: Pairs,
    held_out: Pairs,
    ridge: Ridge,
}

/// The outcome of a refinement that was watched on a held-out part.
struct WatchedRefinement {
    /// The scale with the lowest held-out loss before the refinement.
    scale: f64,
    /// The held-out loss before the refinement and after each epoch.
    losses: Vec<f64>,
    /// The number of epochs with the lowest held-out loss.
    best_epochs: usize,
}

/// Learns a projection from `training`. Calls `on_epoch` with the number of finished epochs and of all epochs.
///
/// # Errors
/// [`AlignError`] when there are too few pairs, or the features are not finite.
pub fn learn(
    training: &Pairs,
    learning: &LearningOptions,
    mut on_epoch: impl FnMut(usize, usize),
) -> Result<LearnedProjection, AlignError> {
    training.check()?;
    let folds = folds(training, learning.seed)?;
    let trials = try_penalties(&folds, learning.ridge);
    let best = trials.iter().copied().max_by(|a, b| a.1.total_cmp(&b.1));
    let (Some((penalty, _)), Some(fold)) = (best, folds.first()) else {
        return Err(AlignError::TooFew(training.images.nrows()));
    };
    // A held-out part decides the scale and the number of epochs. The final refinement then uses all pairs.
    let watched = fold.watch_refinement(penalty, learning, &mut on_epoch);
    let ridge = Ridge::new(training)?;
    let (ridge, noise) = (ridge.solve(penalty), ridge.noise(penalty));
    let mut refinement = Refinement::new(ridge.clone(), watched.scale, noise, learning);
    let epochs = watched.best_epochs;
    for epoch in 1..=epochs {
        refinement.run_epoch(training);
        on_epoch(learning.epochs + epoch, learning.epochs + epochs);
    }
    let logit_scale = refinement.scale();
    let WatchedRefinement { losses, .. } = watched;
    Ok(LearnedProjection {
        projection: refinement.projection,
        logit_scale,
        ridge,
        penalty,
        trials,
        losses,
        epochs,
    })
}

/// Cuts the pairs into parts by image, and solves the ridge regression without each part.
fn folds(training: &Pairs, seed: u64) -> Result<Vec<CrossValidationFold>, AlignError> {
    let fold = |(rest, held_out): &(Vec<usize>, Vec<usize>)| {
        let (rest, held_out) = (training.of_images(rest), training.of_images(held_out));
        Ok(CrossValidationFold { ridge: Ridge::new(&rest)?, rest, held_out })
    };
    split::folds(training.images.nrows(), FOLDS, seed).iter().map(fold).collect()
}

/// Returns each penalty with its mean reciprocal rank on the held-out parts. Tries only `penalty` when one is given.
fn try_penalties(folds: &[CrossValidationFold], penalty: Option<f64>) -> Vec<(f64, f64)> {
    let candidates = penalty.map_or_else(|| PENALTIES.to_vec(), |penalty| vec![penalty]);
    let trial = |penalty: f64| {
        let ranks = folds.iter().map(|CrossValidationFold { held_out, ridge, .. }| {
            retrieval::mean_reciprocal_rank(&ridge.solve(penalty).embed(&held_out.images), held_out)
        });
        (penalty, ranks.sum::<f64>() / folds.len() as f64)
    };
    candidates.into_iter().map(trial).collect()
}

impl CrossValidationFold {
    /// Refines the regression for all epochs and measures the loss on the held-out part.
    fn watch_refinement(
        &self,
        penalty: f64,
        learning: &LearningOptions,
        on_epoch: &mut impl FnMut(usize, usize),
    ) -> WatchedRefinement {
        let Self { rest, held_out, ridge } = self;
        let start = ridge.solve(penalty);
        let scale = contrast::best_scale(&start.embed(&held_out.images), held_out, LARGEST_SCALE);
        let mut losses = vec![contrast::loss(&start, scale, held_out)];
        let mut refinement = Refinement::new(start, scale, ridge.noise(penalty), learning);
        for epoch in 1..=learning.epochs {
            refinement.run_epoch(rest);
            losses.push(contrast::loss(&refinement.projection, refinement.scale(), held_out));
            on_epoch(epoch, 2 * learning.epochs);
        }
        let lowest = losses.iter().enumerate().min_by(|a, b| a.1.total_cmp(b.1));
        let best_epochs = lowest.map_or(0, |(epoch, _)| epoch);
        WatchedRefinement { scale, losses, best_epochs }
    }
}

/// The contrastive refinement of a projection.
///
/// Each epoch adds new noise to the features, with the deviation that corresponds to the ridge penalty. The penalty
/// keeps the regression from overfitting; the noise keeps the refinement from overfitting in the same way.
struct Refinement {
    projection: Projection,
    log_scale: f64,
    noise: f64,
    batch: usize,
    weight: AdamW,
    bias: AdamW,
    scale: AdamW,
    shuffle: Shuffle,
}

impl Refinement {
    fn new(projection: Projection, scale: f64, noise: f64, learning: &LearningOptions) -> Self {
        let LearningOptions { rate, decay, .. } = *learning;
        let size = |norm: f64, numbers: usize| (norm / (numbers as f64).sqrt()).max(1e-9);
        let weight_size = size(projection.weight.norm(), projection.weight.len());
        let bias_size = size(projection.bias.norm(), projection.bias.len());
        Self {
            log_scale: scale.ln(),
            noise,
            batch: learning.batch.max(2),
            weight: AdamW::new(projection.weight.len(), rate * weight_size, decay / weight_size),
            bias: AdamW::new(projection.bias.len(), rate * bias_size, 0.0),
            scale: AdamW::new(1, rate, 0.0),
            shuffle: Shuffle::new(learning.seed),
            projection,
        }
    }

    fn scale(&self) -> f64 {
        self.log_scale.exp()
    }

    /// Runs one epoch: all pairs once, in random order.
    fn run_epoch(&mut self, pairs: &Pairs) {
        let order = self.shuffle.order(pairs.pairs.len());
        for batch in order.chunks(self.batch).filter(|batch| batch.len() > 1) {
            let contrast = Contrast::new(pairs, batch).with_noise(self.noise, &mut self.shuffle);
            let step = contrast.gradient(&self.projection, self.log_scale.exp());
            self.weight.step(self.projection.weight.as_mut_slice(), step.weight.as_slice());
            self.bias.step(self.projection.bias.as_mut_slice(), step.bias.as_slice());
            self.scale.step(std::slice::from_mut(&mut self.log_scale), &[step.log_scale]);
            self.log_scale = self.log_scale.clamp(0.0, LARGEST_SCALE.ln());
        }
    }
}
