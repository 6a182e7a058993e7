//! The contrastive loss between images and captions (symmetric InfoNCE), and its gradient in closed form.

use std::collections::{HashMap, HashSet};

use nalgebra::{DMatrix, DVector, Dim, Matrix, RawStorage};

use super::pairs::Pairs;
use super::projection::Projection;
use super::split::Shuffle;

/// A batch of distinct images and captions, which the loss compares with each other.
pub struct Contrast {
    /// `[image, width]`
    images: DMatrix<f64>,
    /// `[caption, embedding]`
    captions: DMatrix<f64>,
    /// The target probability of each caption for an image, `[image, caption]`; rows sum to 1.
    of_image: DMatrix<f64>,
    /// The target probability of each image for a caption, `[image, caption]`; columns sum to 1.
    of_caption: DMatrix<f64>,
}

/// The gradient of the loss with respect to the projection and the logarithm of the scale.
#[derive(Clone, Debug)]
pub struct Gradient {
    pub weight: DMatrix<f64>,
    pub bias: DVector<f64>,
    pub log_scale: f64,
}

impl Contrast {
    /// Collects the images and captions of a batch of pairs. An image and a caption of two different pairs also
    /// count as a match when they belong together: two pictures with the same caption must not be told apart by
    /// that caption.
    pub fn new(pairs: &Pairs, batch: &[usize]) -> Self {
        let chosen = batch.iter().map(|pair| pairs.pairs[*pair]);
        let (mut images, mut captions): (Vec<usize>, Vec<usize>) = chosen.unzip();
        for list in [&mut images, &mut captions] {
            list.sort_unstable();
            list.dedup();
        }
        let places =
            |list: &[usize]| list.iter().enumerate().map(|(new, old)| (*old, new)).collect::<HashMap<_, _>>();
        let (image_places, caption_places) = (places(&images), places(&captions));
        let mut together = DMatrix::zeros(images.len(), captions.len());
        let among: HashSet<usize> = images.iter().copied().collect();
        for (image, caption) in pairs.pairs.iter().filter(|(image, _)| among.contains(image)) {
            if let (Some(row), Some(column)) = (image_places.get(image), caption_places.get(caption)) {
                together[(*row, *column)] = 1.0;
            }
        }
        let mut of_image: DMatrix<f64> = together.clone();
        of_image.row_iter_mut().for_each(|mut row| row /= row.sum().max(1.0));
        let mut of_caption: DMatrix<f64> = together;
        of_caption.column_iter_mut().for_each(|mut column| column /= column.sum().max(1.0));
        Self {
            images: pairs.images.select_rows(&images),
            captions: pairs.captions.select_rows(&captions),
            of_image,
            of_caption,
        }
    }

    /// Adds normal noise of the given standard deviation to every feature.
    pub fn with_noise(mut self, deviation: f64, random: &mut Shuffle) -> Self {
        self.images.apply(|value| *value += deviation * random.normal());
        self
    }

    /// Collects all images and captions.
    fn all(pairs: &Pairs) -> Self {
        Self::new(pairs, &(0..pairs.pairs.len()).collect::<Vec<_>>())
    }

    /// Returns the mean of two cross entropies: over images, which caption belongs to the image; over captions,
    /// which image belongs to the caption.
    pub fn loss(&self, projection: &Projection, scale: f64) -> f64 {
        self.loss_of(&projection.embed(&self.images), scale)
    }

    fn loss_of(&self, embedded: &DMatrix<f64>, scale: f64) -> f64 {
        let logits = embedded * self.captions.transpose() * scale;
        let of_images: f64 = logits
            .row_iter()
            .zip(self.of_image.row_iter())
            .map(|(row, target)| log_sum_exp(&row) - row.dot(&target))
            .sum();
        let of_captions: f64 = logits
            .column_iter()
            .zip(self.of_caption.column_iter())
            .map(|(column, target)| log_sum_exp(&column) - column.dot(&target))
            .sum();
        0.5 * (of_images / logits.nrows() as f64 + of_captions / logits.ncols() as f64)
    }

    /// Returns the gradient of [`Self::loss`].
    pub fn gradient(&self, projection: &Projection, scale: f64) -> Gradient {
        let unnormalised = projection.unnormalised(&self.images);
        let embedded = projection.embed(&self.images);
        let cosines = &embedded * self.captions.transpose();
        let (images, captions) = (cosines.nrows() as f64, cosines.ncols() as f64);
        // The gradient with respect to the logits is softmax minus target, along rows and along columns.
        let mut by_row = &cosines * scale;
        let mut by_column = by_row.clone();
        by_row.row_iter_mut().for_each(|mut row| {
            let total = log_sum_exp(&row);
            row.apply(|logit| *logit = (*logit - total).exp());
        });
        by_column.column_iter_mut().for_each(|mut column| {
            let total = log_sum_exp(&column);
            column.apply(|logit| *logit = (*logit - total).exp());
        });
        let by_logit = ((by_row - &self.of_image) / images + (by_column - &self.of_caption) / captions) * 0.5;
        let log_scale = scale * by_logit.dot(&cosines);
        // Through the normalisation: only the component orthogonal to the unit vector changes the unit vector.
        let mut by_embedding = by_logit * &self.captions * scale;
        for ((mut row, unit), raw) in
            by_embedding.row_iter_mut().zip(embedded.row_iter()).zip(unnormalised.row_iter())
        {
            let along = row.dot(&unit);
            row -= unit * along;
            row /= raw.norm().max(f64::MIN_POSITIVE);
        }
        Gradient {
            weight: by_embedding.transpose() * &self.images,
            bias: by_embedding.row_sum().transpose(),
            log_scale,
        }
    }
}

/// Returns the loss of a projection over all pairs as one batch.
pub fn loss(projection: &Projection, scale: f64, pairs: &Pairs) -> f64 {
    Contrast::all(pairs).loss(projection, scale)
}

/// Returns the scale between 1 and `most` with the lowest loss, for unit vectors `[image, embedding]` of the
/// pairs' images. Golden-section search finds it, because the loss has one minimum as a function of the scale.
pub fn best_scale(embedded: &DMatrix<f64>, pairs: &Pairs, most: f64) -> f64 {
    const GOLDEN: f64 = 0.618_033_988_749_895;
    let contrast = Contrast::all(pairs);
    let embedded = {
        // `Contrast` keeps the images that have captions, in ascending order.
        let mut images: Vec<usize> = pairs.pairs.iter().map(|(image, _)| *image).collect();
        images.sort_unstable();
        images.dedup();
        embedded.select_rows(&images)
    };
    let of = |log: f64| contrast.loss_of(&embedded, log.exp());
    let (mut low, mut high) = (0.0, most.ln());
    for _round in 0..40 {
        let (left, right) = (high - GOLDEN * (high - low), low + GOLDEN * (high - low));
        if of(left) < of(right) { high = right } else { low = left }
    }
    (0.5 * (low + high)).exp()
}

/// Returns `log(sum(exp(x)))` of a row or column, without overflow.
fn log_sum_exp<R: Dim, C: Dim, S: RawStorage<f64, R, C>>(values: &Matrix<f64, R, C, S>) -> f64 {
    let most = values.iter().fold(f64::NEG_INFINITY, |most, value| most.max(*value));
    most + values.iter().map(|value| (value - most).exp()).sum::<f64>().ln()
}
