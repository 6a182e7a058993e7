//! The completeness check: how much of the embedding remains when a few texts replace each late head
//! (docs/PAPERS.md, 1.9).
//!
//! Every head of the last layers is reconstructed from its texts. Earlier attention is mean-ablated. MLPs and z0
//! stay.

use super::reconstruction::Reconstruction;
use crate::decompose::Readout;
use crate::retrieve::PictureCodes;
use crate::statistics::Statistics;

/// The heads of the last layers, with the texts to reconstruct them from.
pub struct LateHeads<'a> {
    readout: &'a Readout,
    /// The number of layers whose heads are reconstructed from texts.
    pub layers: usize,
    /// Each late head, (layer, head), with its reconstruction.
    heads: Vec<((usize, usize), Reconstruction)>,
    /// The mean contribution of earlier attention, `[embedding]`.
    early_mean: Vec<f64>,
}

/// A picture's unit embedding with attention replaced, `[embedding]` each. The result is not of unit length.
pub struct ReplacedAttention {
    /// Earlier attention is replaced by its mean; late heads are unchanged.
    pub early: Vec<f64>,
    /// Earlier attention and late heads are replaced by their means. `steps` are added to this.
    base: Vec<f64>,
    /// For each pick, the sum over all late heads of the vector that the head's text adds, `[pick][embedding]`.
    steps: Vec<Vec<f64>>,
}

impl<'a> LateHeads<'a> {
    /// Reconstructs each head of the last `layers` layers from up to `most` of `texts` (`[T, embedding]`, row by
    /// row). Calls `on_head` after each head.
    pub fn new(
        readout: &'a Readout,
        statistics: &Statistics,
        texts: &[f32],
        layers: usize,
        most: usize,
        mut on_head: impl FnMut(),
    ) -> Self {
        let layers = layers.min(readout.layers);
        let first = readout.layers - layers;
        let heads_of = |layers: std::ops::Range<usize>| {
            layers.flat_map(|layer| (0..readout.heads).map(move |head| (layer, head)))
        };
        let mut early_mean = vec![0.0; readout.embedding];
        for (layer, head) in heads_of(0..first) {
            add(&mut early_mean, &readout.code_contribution(layer, head, &statistics.head(layer, head).mean));
        }
        let reconstruct = |(layer, head)| {
            let (basis, moments) = (readout.head_basis(layer, head), statistics.head(layer, head));
            let reconstruction = Reconstruction::new(&basis, moments, texts, readout.head_width(), most);
            on_head();
            ((layer, head), reconstruction)
        };
        let heads = heads_of(first..readout.layers).map(reconstruct).collect();
        Self { readout, layers, heads, early_mean }
    }

    /// Replaces the attention of a picture.
    pub fn replace(&self, image: &PictureCodes) -> ReplacedAttention {
        // All components sum to the embedding. Without attention, MLPs and z0 remain.
        let mut early = image.without_attention(self.readout);
        add(&mut early, &self.early_mean);
        let (mut base, mut steps) = (early.clone(), Vec::<Vec<f64>>::new());
        for ((layer, head), reconstruction) in &self.heads {
            let code = image.code(self.readout, *layer, *head);
            add(&mut early, &self.readout.code_contribution(*layer, *head, &code));
            add(&mut base, reconstruction.mean());
            for (place, step) in reconstruction.steps(&code).into_iter().enumerate() {
                match steps.get_mut(place) {
                    Some(all) => add(all, &step),
                    None => steps.push(step),
                }
            }
        }
        ReplacedAttention { early, base, steps }
    }

    /// Returns the number of reconstructed heads.
    pub fn heads(&self) -> usize {
        self.heads.len()
    }

    /// Returns the share of variance that a late head's first `count` texts explain, as the mean over the late
    /// heads.
    pub fn explained(&self, count: usize) -> f64 {
        let of_head = |reconstruction: &Reconstruction| {
            let used = count.min(reconstruction.picks.len());
            used.checked_sub(1).map_or(0.0, |last| reconstruction.picks[last].explained)
        };
        self.heads.iter().map(|(_place, reconstruction)| of_head(reconstruction)).sum::<f64>()
            / self.heads.len().max(1) as f64
    }
}

impl ReplacedAttention {
    /// Returns the embedding with each late head reconstructed from its first `count` texts. With zero texts the
    /// heads are replaced by their means.
    pub fn by_texts(&self, count: usize) -> Vec<f64> {
        let mut left = self.base.clone();
        self.steps.iter().take(count).for_each(|step| add(&mut left, step));
        left
    }
}

fn add(sum: &mut [f64], values: &[f64]) {
    sum.iter_mut().zip(values).for_each(|(sum, value)| *sum += value);
}
