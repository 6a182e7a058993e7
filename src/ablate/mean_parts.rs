//! Ablation of the score of one text.

use super::ablation::Ablation;
use crate::decompose::{Decomposition, Direction, Parts, Readout};
use crate::statistics::Statistics;

/// The mean part of every component in the score of one text, over a gallery.
pub struct MeanParts {
    parts: Parts,
    /// The mean part of each head's CLS-to-CLS attention, `[layer][head]`.
    cls_to_cls: Vec<Vec<f64>>,
}

impl MeanParts {
    /// Computes the parts of the means of `statistics` in the score of `direction`'s text.
    pub fn new(readout: &Readout, statistics: &Statistics, direction: &Direction) -> Self {
        let each_head = |code: &dyn Fn(usize, usize) -> f64| -> Vec<Vec<f64>> {
            (0..readout.layers).map(|layer| (0..readout.heads).map(|head| code(layer, head)).collect()).collect()
        };
        let parts = Parts {
            heads: each_head(&|layer, head| {
                readout.code_part(direction, layer, head, &statistics.head(layer, head).mean)
            }),
            mlps: (0..readout.layers).map(|layer| direction.score_of(statistics.mlp(layer))).collect(),
            embedding: direction.score_of(statistics.embedded()),
        };
        let cls_to_cls =
            each_head(&|layer, head| readout.code_part(direction, layer, head, statistics.cls_code(layer, head)));
        Self { parts, cls_to_cls }
    }

    /// Returns the mean part of every head and MLP and of z0.
    pub fn parts(&self) -> &Parts {
        &self.parts
    }
}

impl Ablation {
    /// Returns every component's part in a text's score. The parts of ablated components are replaced by their
    /// means.
    pub fn parts(&self, image: &Decomposition<'_>, direction: &Direction, means: &MeanParts) -> Parts {
        let mut parts = image.parts(direction);
        if self.cls_to_cls {
            for (layer, heads) in parts.heads.iter_mut().enumerate() {
                for (head, part) in heads.iter_mut().enumerate() {
                    let own = image.code_part(direction, layer, head, &image.cls_code(layer, head));
                    *part += means.cls_to_cls[layer][head] - own;
                }
            }
        }
        self.replace(&mut parts, means);
        parts
    }

    /// Replaces the parts of ablated heads, MLPs and z0 by their means. CLS-to-CLS attention is not a separate
    /// part and does not change here.
    pub fn replace(&self, parts: &mut Parts, means: &MeanParts) {
        for (layer, head) in &self.heads {
            parts.heads[*layer][*head] = means.parts.heads[*layer][*head];
        }
        for layer in &self.mlps {
            parts.mlps[*layer] = means.parts.mlps[*layer];
        }
        if self.embedding {
            parts.embedding = means.parts.embedding;
        }
    }

    /// Returns each patch's part in a text's score, summed over all heads, `[row][column]`. The mean of an ablated
    /// head is spread evenly over all tokens, because the mean does not depend on the patch.
    pub fn patches(&self, image: &Decomposition<'_>, direction: &Direction, means: &MeanParts) -> Vec<f64> {
        let tokens = image.tokens() as f64;
        let even: f64 = self.heads.iter().map(|(layer, head)| means.parts.heads[*layer][*head] / tokens).sum();
        let mut patches = image.patches_of(direction, |layer, head| !self.heads.contains(&(layer, head)));
        patches.iter_mut().for_each(|patch| *patch += even);
        patches
    }
}
