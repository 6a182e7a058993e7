//! Ablation of the embedding, which gives the scores of any number of texts.

use super::ablation::Ablation;
use crate::decompose::{Decomposition, Readout};
use crate::statistics::Statistics;

/// The mean contribution of every component over a gallery, as vectors of the shared space.
///
/// [`super::MeanParts`] costs less for one text. These means serve any number of texts.
pub struct MeanContributions {
    /// `[layer][head][embedding]`
    heads: Vec<Vec<Vec<f64>>>,
    /// For the CLS-to-CLS attention of each head, `[layer][head][embedding]`.
    cls_to_cls: Vec<Vec<Vec<f64>>>,
    /// `[layer][embedding]`
    mlps: Vec<Vec<f64>>,
    /// For z0, `[embedding]`.
    embedding: Vec<f64>,
}

impl MeanContributions {
    /// Computes the mean contributions from `statistics`.
    pub fn new(readout: &Readout, statistics: &Statistics) -> Self {
        let each_head = |code: &dyn Fn(usize, usize) -> Vec<f64>| -> Vec<Vec<Vec<f64>>> {
            let of_layer = |layer| (0..readout.heads).map(|head| code(layer, head)).collect();
            (0..readout.layers).map(of_layer).collect()
        };
        let mean = |layer, head| readout.code_contribution(layer, head, &statistics.head(layer, head).mean);
        let cls_mean = |layer, head| readout.code_contribution(layer, head, statistics.cls_code(layer, head));
        Self {
            heads: each_head(&mean),
            cls_to_cls: each_head(&cls_mean),
            mlps: (0..readout.layers).map(|layer| statistics.mlp(layer).to_vec()).collect(),
            embedding: statistics.embedded().to_vec(),
        }
    }
}

impl Ablation {
    /// Returns the change that the ablation makes to a picture's unit embedding, `[embedding]`: the means of the
    /// ablated components minus the components themselves. The changes of ablations without a common component add
    /// up.
    pub fn shift(&self, image: &Decomposition<'_>, means: &MeanContributions) -> Vec<f64> {
        let mut shift = vec![0.0; means.embedding.len()];
        let off = |layer: usize, head: usize| self.heads.contains(&(layer, head));
        if !self.heads.is_empty() {
            add(&mut shift, &image.sum_of_heads(off), -1.0);
            self.heads.iter().for_each(|(layer, head)| add(&mut shift, &means.heads[*layer][*head], 1.0));
        }
        if self.cls_to_cls {
            // The CLS-to-CLS attention of an ablated head is already replaced with the head.
            add(&mut shift, &image.sum_of_cls_to_cls(|layer, head| !off(layer, head)), -1.0);
            for (layer, heads) in means.cls_to_cls.iter().enumerate() {
                let on = heads.iter().enumerate().filter(|(head, _mean)| !off(layer, *head));
                on.for_each(|(_head, mean)| add(&mut shift, mean, 1.0));
            }
        }
        if !self.mlps.is_empty() {
            let own = image.mlps();
            for layer in &self.mlps {
                add(&mut shift, &means.mlps[*layer], 1.0);
                add(&mut shift, &own[*layer], -1.0);
            }
        }
        if self.embedding {
            add(&mut shift, &means.embedding, 1.0);
            add(&mut shift, &image.embedded(), -1.0);
        }
        shift
    }
}

fn add(sum: &mut [f64], values: &[f64], sign: f64) {
    sum.iter_mut().zip(values).for_each(|(sum, value)| *sum += sign * value);
}
