//! How much of the image tower a few texts for each head keep (docs/PAPERS.md, 1.9):
//! every head of the last layers is put together from its texts, earlier attention is mean-ablated, MLPs stay.

use super::Reconstruction;
use crate::decompose::Readout;
use crate::retrieve::Imprint;
use crate::statistics::Statistics;

/// The heads of the last layers, each ready to be put together from its texts.
pub struct LateHeads<'a> {
    readout: &'a Readout,
    /// How many layers are put together from texts.
    pub layers: usize,
    /// Of each late head its place (layer, head), and what it is put together from.
    heads: Vec<((usize, usize), Reconstruction)>,
    /// What earlier attention contributes on average, `[embedding]`.
    early_mean: Vec<f64>,
}

/// What is left of a picture's unit embedding when attention is put together anew, `[embedding]` each. Not of unit
/// length.
pub struct Replaced {
    /// Earlier attention by its mean, late heads as they are.
    pub early: Vec<f64>,
    /// Earlier attention by its mean, late heads from their means alone, and each text's step on top.
    base: Vec<f64>,
    /// What the first, second, ... texts of all late heads add together.
    steps: Vec<Vec<f64>>,
}

impl<'a> LateHeads<'a> {
    /// Spans each head of the last `layers` layers by up to `most` of `texts` (`[T, embedding]`, rows first);
    /// `on_head` hears of each one that is done.
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
        let span = |(layer, head)| {
            let (basis, moments) = (readout.head_basis(layer, head), statistics.head(layer, head));
            let span = Reconstruction::new(&basis, moments, texts, readout.head_width(), most);
            on_head();
            ((layer, head), span)
        };
        let heads = heads_of(first..readout.layers).map(span).collect();
        Self { readout, layers, heads, early_mean }
    }

    /// Puts a picture's attention together anew.
    pub fn replace(&self, image: &Imprint) -> Replaced {
        // All components sum to the embedding: without attention, MLPs and z0 are left.
        let mut early = image.without_attention(self.readout);
        add(&mut early, &self.early_mean);
        let (mut base, mut steps) = (early.clone(), Vec::<Vec<f64>>::new());
        for ((layer, head), span) in &self.heads {
            let code = image.code(self.readout, *layer, *head);
            add(&mut early, &self.readout.code_contribution(*layer, *head, &code));
            add(&mut base, span.mean());
            for (place, step) in span.steps(&code).into_iter().enumerate() {
                match steps.get_mut(place) {
                    Some(all) => add(all, &step),
                    None => steps.push(step),
                }
            }
        }
        Replaced { early, base, steps }
    }

    /// How many heads are put together.
    pub fn heads(&self) -> usize {
        self.heads.len()
    }

    /// The mean share of the late heads' variance that their first `count` texts explain.
    pub fn explained(&self, count: usize) -> f64 {
        let of_head = |span: &Reconstruction| {
            let spent = count.min(span.picks.len());
            spent.checked_sub(1).map_or(0.0, |last| span.picks[last].explained)
        };
        self.heads.iter().map(|(_place, span)| of_head(span)).sum::<f64>() / self.heads.len().max(1) as f64
    }
}

impl Replaced {
    /// Late heads from their first `count` texts each; from none, they are their means.
    pub fn by_texts(&self, count: usize) -> Vec<f64> {
        let mut left = self.base.clone();
        self.steps.iter().take(count).for_each(|step| add(&mut left, step));
        left
    }
}

fn add(sum: &mut [f64], values: &[f64]) {
    sum.iter_mut().zip(values).for_each(|(sum, value)| *sum += value);
}
