//! A projection from an image tower into a text space, learned from pictures with captions: LiT's and dino.txt's
//! recipe, both towers frozen. With it the decomposition works for any vision transformer (docs/PAPERS.md, 3, "Text labels
//! for a self-supervised ViT").
//!
//! A closed-form ridge regression of captions on images ([`ridge`]) is where a contrastive refinement ([`contrast`])
//! starts, and [`retrieval`] says what came of it, on pictures that neither has seen. Everything is plain f64 on the
//! CPU: the towers' outputs are computed once, before any of this.

pub mod contrast;
mod optimiser;
pub mod retrieval;
pub mod ridge;
pub mod split;

use nalgebra::{DMatrix, DVector};

use contrast::Contrast;
use ridge::Ridge;
use split::Shuffle;

pub use optimiser::AdamW;

/// Ridge penalties that are tried, in units of the features' mean variance.
const PENALTIES: [f64; 9] = [1e-4, 1e-3, 1e-2, 3e-2, 1e-1, 3e-1, 1.0, 3.0, 10.0];

/// Parts that the training pictures are cut into, of which each in turn is held out to choose by.
const FOLDS: usize = 5;

/// Fewer pictures than this cannot be cut into parts that tell anything.
const FEWEST: usize = 2 * FOLDS;

/// A projection that cannot be learned.
#[derive(Debug, thiserror::Error)]
pub enum AlignError {
    #[error("{0} pictures with captions are too few to learn from: give it {FEWEST} at least, better thousands")]
    TooFew(usize),
    #[error("the features of the pictures are not finite: the image tower's weights are damaged")]
    NotFinite,
    #[error("all pictures look the same to the image tower, so there is nothing to learn from them")]
    Constant,
}

/// Images and the captions that belong to them.
#[derive(Clone, Debug)]
pub struct Pairs {
    /// An image tower's outputs, `[image, width]`: CLS after the final norm.
    pub images: DMatrix<f64>,
    /// Unit vectors of different captions, `[caption, embedding]`.
    pub captions: DMatrix<f64>,
    /// Which image and caption belong together. An image may have several captions, and a caption several images.
    pub pairs: Vec<(usize, usize)>,
}

impl Pairs {
    /// Only these images, in this order, and the captions that belong to them.
    pub fn of_images(&self, images: &[usize]) -> Self {
        let mut place = vec![None; self.images.nrows()];
        for (new, old) in images.iter().enumerate() {
            place[*old] = Some(new);
        }
        let mut captions = Vec::new();
        let mut caption_place = vec![None; self.captions.nrows()];
        let mut pairs = Vec::new();
        for (image, caption) in &self.pairs {
            let Some(image) = place[*image] else { continue };
            let caption = *caption_place[*caption].get_or_insert_with(|| {
                captions.push(*caption);
                captions.len() - 1
            });
            pairs.push((image, caption));
        }
        Self { images: self.images.select_rows(images), captions: self.captions.select_rows(&captions), pairs }
    }

    fn check(&self) -> Result<(), AlignError> {
        if self.images.nrows() < FEWEST {
            return Err(AlignError::TooFew(self.images.nrows()));
        }
        if self.images.iter().any(|value| !value.is_finite()) {
            return Err(AlignError::NotFinite);
        }
        Ok(())
    }
}

/// `normalise(W x + b)`: where an image lies in the text space.
#[derive(Clone, Debug, PartialEq)]
pub struct Projection {
    /// W, `[embedding, width]`.
    pub weight: DMatrix<f64>,
    /// b, `[embedding]`.
    pub bias: DVector<f64>,
}

impl Projection {
    /// Unit vectors, `[image, embedding]`, of features `[image, width]`.
    pub fn embed(&self, images: &DMatrix<f64>) -> DMatrix<f64> {
        let mut embedded = self.unnormalised(images);
        for mut row in embedded.row_iter_mut() {
            let norm = row.norm().max(f64::MIN_POSITIVE);
            row /= norm;
        }
        embedded
    }

    fn unnormalised(&self, images: &DMatrix<f64>) -> DMatrix<f64> {
        let mut embedded = images * self.weight.transpose();
        for mut row in embedded.row_iter_mut() {
            row += self.bias.transpose();
        }
        embedded
    }
}

/// How to learn.
#[derive(Clone, Copy, Debug)]
pub struct Learning {
    /// The ridge penalty, in units of the features' mean variance; none: whichever does best on parts held out.
    pub ridge: Option<f64>,
    /// Epochs of the contrastive refinement, at most.
    pub epochs: usize,
    /// Pairs that are told apart from one another at a time.
    pub batch: usize,
    /// AdamW's step, in units of the weights' own size, so that features of any tower are learned from alike.
    pub rate: f64,
    /// AdamW's decay, which shrinks the weights by `rate * decay` in each step.
    pub decay: f64,
    pub seed: u64,
}

impl Default for Learning {
    fn default() -> Self {
        Self { ridge: None, epochs: 40, batch: 512, rate: 2e-3, decay: 0.05, seed: 0 }
    }
}

/// What was learned.
#[derive(Clone, Debug)]
pub struct Learned {
    pub projection: Projection,
    /// What cosines are multiplied by before softmax.
    pub logit_scale: f64,
    /// Where the refinement started.
    pub ridge: Projection,
    pub penalty: f64,
    /// Every penalty that was tried, and the mean reciprocal rank on the parts held out.
    pub trials: Vec<(f64, f64)>,
    /// The contrastive loss on the part held out, before the refinement and after each of its epochs.
    pub losses: Vec<f64>,
    /// Epochs that helped there; as many were run on all pairs.
    pub epochs: usize,
}

/// Learns from `training`; `on_epoch` hears how many epochs of how many are done.
///
/// # Errors
/// [`AlignError`] where the pairs are too few or not finite.
pub fn learn(
    training: &Pairs,
    learning: &Learning,
    mut on_epoch: impl FnMut(usize, usize),
) -> Result<Learned, AlignError> {
    training.check()?;
    let folds = split::folds(training.images.nrows(), FOLDS, learning.seed);
    let parts: Vec<(Pairs, Pairs)> =
        folds.iter().map(|(rest, held_out)| (training.of_images(rest), training.of_images(held_out))).collect();
    let ridges = parts.iter().map(|(rest, _)| Ridge::new(rest)).collect::<Result<Vec<_>, _>>()?;
    let tried = learning.ridge.map_or_else(|| PENALTIES.to_vec(), |penalty| vec![penalty]);
    let of_penalty = |penalty: f64| {
        let ranks = ridges.iter().zip(&parts).map(|(ridge, (_, held_out))| {
            retrieval::mean_reciprocal_rank(&ridge.solve(penalty).embed(&held_out.images), held_out)
        });
        (penalty, ranks.sum::<f64>() / ridges.len() as f64)
    };
    let trials: Vec<(f64, f64)> = tried.into_iter().map(of_penalty).collect();
    let best = trials.iter().copied().max_by(|a, b| a.1.total_cmp(&b.1));
    let (penalty, _) = best.ok_or(AlignError::TooFew(training.images.nrows()))?;

    // The part held out says how sharp cosines are, and how long to refine; then all pairs are learned from.
    let (Some(ridge), Some((rest, held_out))) = (ridges.first(), parts.first()) else {
        return Err(AlignError::TooFew(training.images.nrows()));
    };
    let start = ridge.solve(penalty);
    let scale = contrast::best_scale(&start.embed(&held_out.images), held_out, LARGEST_SCALE);
    let epochs = 2 * learning.epochs;
    let mut losses = vec![contrast::loss(&start, scale, held_out)];
    let mut trial = Refinement::new(start, scale, ridge.noise(penalty), learning);
    for epoch in 1..=learning.epochs {
        trial.epoch(rest);
        losses.push(contrast::loss(&trial.projection, trial.scale(), held_out));
        on_epoch(epoch, epochs);
    }
    let lowest = losses.iter().enumerate().min_by(|a, b| a.1.total_cmp(b.1));
    let kept = lowest.map_or(0, |(epoch, _)| epoch);

    let ridge = Ridge::new(training)?;
    let (ridge, noise) = (ridge.solve(penalty), ridge.noise(penalty));
    let mut refinement = Refinement::new(ridge.clone(), scale, noise, learning);
    for epoch in 1..=kept {
        refinement.epoch(training);
        on_epoch(learning.epochs + epoch, learning.epochs + kept);
    }
    let logit_scale = refinement.scale();
    Ok(Learned { projection: refinement.projection, logit_scale, ridge, penalty, trials, losses, epochs: kept })
}

/// The contrastive refinement of a projection. Features get the noise that the ridge penalty stands for, anew each
/// time, so that what kept the regression from learning pictures by heart keeps this from it too.
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

/// The scale is kept below this, as CLIP's is: beyond, one pair in a batch is all that counts.
const LARGEST_SCALE: f64 = 100.0;

impl Refinement {
    fn new(projection: Projection, scale: f64, noise: f64, learning: &Learning) -> Self {
        let Learning { rate, decay, .. } = *learning;
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

    /// Goes through all pairs once, in an order of chance.
    fn epoch(&mut self, pairs: &Pairs) {
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
