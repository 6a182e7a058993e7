//! Statistics of every component of a model over a gallery.

use super::error::StatisticsError;
use super::moments::Moments;
use crate::decompose::{Decomposition, Readout};

/// The statistics of a model's components over a gallery.
#[derive(Clone, Debug, PartialEq)]
pub struct Statistics {
    /// SHA-256 of the weights with which the statistics were gathered.
    pub(super) weights: String,
    pub(super) images: u64,
    pub(super) layers: usize,
    pub(super) heads: usize,
    /// Moments of each head's code, `[layer][head]`.
    pub(super) codes: Vec<Moments>,
    /// Mean code of each head's CLS-to-CLS attention, `[layer][head][code]`.
    pub(super) cls_codes: Vec<f64>,
    /// Mean contribution of each MLP, `[layer][embedding]`.
    pub(super) mlps: Vec<f64>,
    /// Mean contribution of z0, `[embedding]`.
    pub(super) embedded: Vec<f64>,
}

impl Statistics {
    /// Creates statistics of zero images. `weights` is the SHA-256 of the pack's weights.
    pub fn new(readout: &Readout, weights: &str) -> Self {
        let heads = readout.layers * readout.heads;
        Self {
            weights: weights.to_owned(),
            images: 0,
            layers: readout.layers,
            heads: readout.heads,
            codes: vec![Moments::new(readout.code_len()); heads],
            cls_codes: vec![0.0; heads * readout.code_len()],
            mlps: vec![0.0; readout.layers * readout.embedding],
            embedded: vec![0.0; readout.embedding],
        }
    }

    /// Adds one image.
    pub fn push(&mut self, image: &Decomposition<'_>) {
        self.images += 1;
        let mut cls_codes = Vec::with_capacity(self.cls_codes.len());
        for (index, moments) in self.codes.iter_mut().enumerate() {
            let (layer, head) = (index / self.heads, index % self.heads);
            moments.push(&image.head_code(layer, head));
            cls_codes.extend(image.cls_code(layer, head));
        }
        let share = 1.0 / self.images as f64;
        move_towards(&mut self.cls_codes, &cls_codes, share);
        move_towards(&mut self.mlps, &image.mlps().concat(), share);
        move_towards(&mut self.embedded, &image.embedded(), share);
    }

    /// Adds the images of `other`.
    ///
    /// # Errors
    /// [`StatisticsError::OtherWeights`] or [`StatisticsError::Unlike`] when `other` belongs to another model.
    pub fn merge(&mut self, other: &Self) -> Result<(), StatisticsError> {
        other.belongs_to(&self.weights)?;
        let shape = |of: &Self| (of.layers, of.heads, of.code_len(), of.embedded.len());
        if shape(self) != shape(other) {
            return Err(StatisticsError::Unlike);
        }
        self.images += other.images;
        if other.images == 0 {
            return Ok(());
        }
        let share = other.images as f64 / self.images as f64;
        self.codes.iter_mut().zip(&other.codes).for_each(|(ours, theirs)| ours.merge(theirs));
        move_towards(&mut self.cls_codes, &other.cls_codes, share);
        move_towards(&mut self.mlps, &other.mlps, share);
        move_towards(&mut self.embedded, &other.embedded, share);
        Ok(())
    }

    /// Checks that the statistics belong to a pack's weights.
    ///
    /// # Errors
    /// [`StatisticsError::OtherWeights`].
    pub fn belongs_to(&self, weights: &str) -> Result<(), StatisticsError> {
        if self.weights == weights {
            return Ok(());
        }
        Err(StatisticsError::OtherWeights { expected: weights.to_owned(), found: self.weights.clone() })
    }

    /// Checks that the statistics have the shape of the model.
    ///
    /// # Errors
    /// [`StatisticsError::Unlike`].
    pub fn fits(&self, readout: &Readout) -> Result<(), StatisticsError> {
        let ours = (self.layers, self.heads, self.code_len(), self.embedded.len());
        if ours == (readout.layers, readout.heads, readout.code_len(), readout.embedding) {
            Ok(())
        } else {
            Err(StatisticsError::Unlike)
        }
    }

    /// Returns the number of images.
    pub fn images(&self) -> u64 {
        self.images
    }

    /// Returns the SHA-256 of the weights to which the statistics belong.
    pub fn weights(&self) -> &str {
        &self.weights
    }

    /// Returns the moments of a head's code.
    pub fn head(&self, layer: usize, head: usize) -> &Moments {
        &self.codes[layer * self.heads + head]
    }

    /// Returns the mean code of a head's CLS-to-CLS attention.
    pub fn cls_code(&self, layer: usize, head: usize) -> &[f64] {
        let start = (layer * self.heads + head) * self.code_len();
        &self.cls_codes[start..start + self.code_len()]
    }

    /// Returns the mean contribution of an MLP, `[embedding]`.
    pub fn mlp(&self, layer: usize) -> &[f64] {
        let size = self.embedded.len();
        &self.mlps[layer * size..(layer + 1) * size]
    }

    /// Returns the mean contribution of z0, `[embedding]`.
    pub fn embedded(&self) -> &[f64] {
        &self.embedded
    }

    pub(super) fn code_len(&self) -> usize {
        self.codes.first().map_or(0, |moments| moments.mean.len())
    }
}

/// Computes `mean += share * (other - mean)`.
fn move_towards(mean: &mut [f64], other: &[f64], share: f64) {
    mean.iter_mut().zip(other).for_each(|(mean, other)| *mean += share * (other - *mean));
}
