//! Mean-ablation: a component is replaced by its mean over a gallery (docs/PAPERS.md, 1.11).
//!
//! The parts of a score are linear in the components, so a score after ablation is the score with the parts
//! of the ablated components replaced by those of their means. Nothing is encoded anew, and nothing is
//! normalised anew: as in the paper, what is left is still measured against the original embedding.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

/// The components that are switched off.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Ablation {
    /// (layer, head)
    pub heads: BTreeSet<(usize, usize)>,
    /// Layers whose MLP is off.
    pub mlps: BTreeSet<usize>,
    /// z0
    pub embedding: bool,
    /// What CLS attends to in itself, in every head.
    pub cls_to_cls: bool,
}

/// Studies of the paper, as ablations.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Study {
    /// All MLPs: the paper's Table 1.
    Mlps,
    /// CLS-to-CLS attention in every head: the paper's Table 1.
    ClsToCls,
    /// Both of these.
    MlpsAndClsToCls,
    /// The attention of the first layers, this many: the paper's Figure 2.
    FirstAttentions(usize),
    /// All but the attention of the last four layers: what the paper keeps against spurious cues.
    AllButLastAttentions,
}

/// Late layers, whose attention carries nearly all direct effects (the paper's Section 3.2).
pub const LATE_LAYERS: usize = 4;

impl Ablation {
    /// The ablation of a study, for a model of `layers` layers of `heads` heads.
    pub fn of_study(study: Study, layers: usize, heads: usize) -> Self {
        let all_mlps = || (0..layers).collect();
        let attentions = |count: usize| {
            (0..count.min(layers)).flat_map(|layer| (0..heads).map(move |head| (layer, head))).collect()
        };
        match study {
            Study::Mlps => Self { mlps: all_mlps(), ..Self::default() },
            Study::ClsToCls => Self { cls_to_cls: true, ..Self::default() },
            Study::MlpsAndClsToCls => Self { mlps: all_mlps(), cls_to_cls: true, ..Self::default() },
            Study::FirstAttentions(count) => Self { heads: attentions(count), ..Self::default() },
            Study::AllButLastAttentions => Self::all_but_last(LATE_LAYERS, layers, heads),
        }
    }

    /// All but the attention of the last `late` layers.
    pub fn all_but_last(late: usize, layers: usize, heads: usize) -> Self {
        let early = Study::FirstAttentions(layers.saturating_sub(late));
        let mlps = (0..layers).collect();
        Self { mlps, embedding: true, ..Self::of_study(early, layers, heads) }
    }

    /// Whether a model of `layers` layers of `heads` heads has all that is switched off.
    pub fn fits(&self, layers: usize, heads: usize) -> bool {
        self.heads.iter().all(|(layer, head)| *layer < layers && *head < heads)
            && self.mlps.iter().all(|layer| *layer < layers)
    }

    /// Whether nothing is switched off.
    pub fn is_none(&self) -> bool {
        *self == Self::default()
    }
}

#[cfg(feature = "compute")]
mod parts {
    use super::Ablation;
    use crate::decompose::{Decomposition, Direction, Parts, Readout};
    use crate::statistics::Statistics;

    /// Every component's mean part in one text's score.
    pub struct MeanParts {
        parts: Parts,
        /// The mean part of each head's CLS-to-CLS attention, `[layer][head]`.
        cls_to_cls: Vec<Vec<f64>>,
    }

    impl MeanParts {
        /// The parts that the means of `statistics` have in the score of `direction`'s text.
        pub fn new(readout: &Readout, statistics: &Statistics, direction: &Direction) -> Self {
            let each_head = |code: &dyn Fn(usize, usize) -> f64| -> Vec<Vec<f64>> {
                (0..readout.layers)
                    .map(|layer| (0..readout.heads).map(|head| code(layer, head)).collect())
                    .collect()
            };
            let parts = Parts {
                heads: each_head(&|layer, head| {
                    readout.code_part(direction, layer, head, &statistics.head(layer, head).mean)
                }),
                mlps: (0..readout.layers).map(|layer| direction.score_of(statistics.mlp(layer))).collect(),
                embedding: direction.score_of(statistics.embedded()),
            };
            let cls_to_cls = each_head(&|layer, head| {
                readout.code_part(direction, layer, head, statistics.cls_code(layer, head))
            });
            Self { parts, cls_to_cls }
        }
    }

    impl Ablation {
        /// Every component's part in a text's score, those of ablated components replaced.
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

        /// Replaces the parts of ablated heads, MLPs and z0 by those of their means. CLS-to-CLS attention is no
        /// part of its own, and stays.
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

        /// Each patch's part in a text's score over all heads (`[row][column]`). An ablated head's mean is
        /// spread evenly over all tokens: it can no longer tell one patch from another.
        pub fn patches(&self, image: &Decomposition<'_>, direction: &Direction, means: &MeanParts) -> Vec<f64> {
            let tokens = image.tokens() as f64;
            let even: f64 = self.heads.iter().map(|(layer, head)| means.parts.heads[*layer][*head] / tokens).sum();
            let mut patches = image.patches_of(direction, |layer, head| !self.heads.contains(&(layer, head)));
            patches.iter_mut().for_each(|patch| *patch += even);
            patches
        }
    }
}
#[cfg(feature = "compute")]
mod contributions {
    use super::Ablation;
    use crate::decompose::{Decomposition, Readout};
    use crate::statistics::Statistics;

    /// Every component's mean contribution over a gallery, vectors of the shared space.
    ///
    /// [`super::MeanParts`] answers for one text at little cost; these answer for any number of texts.
    pub struct MeanContributions {
        /// `[layer][head][embedding]`
        heads: Vec<Vec<Vec<f64>>>,
        /// Of each head's CLS-to-CLS attention, `[layer][head][embedding]`.
        cls_to_cls: Vec<Vec<Vec<f64>>>,
        /// `[layer][embedding]`
        mlps: Vec<Vec<f64>>,
        /// z0's, `[embedding]`
        embedding: Vec<f64>,
    }

    impl MeanContributions {
        /// The means that `statistics` hold.
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
        /// What the ablation adds to a picture's unit embedding, `[embedding]`: the means of what it switches
        /// off, less what stood there. Shifts of ablations that have nothing in common add up to that of all.
        pub fn shift(&self, image: &Decomposition<'_>, means: &MeanContributions) -> Vec<f64> {
            let mut shift = vec![0.0; means.embedding.len()];
            let off = |layer: usize, head: usize| self.heads.contains(&(layer, head));
            if !self.heads.is_empty() {
                add(&mut shift, &image.heads_together(off), -1.0);
                self.heads.iter().for_each(|(layer, head)| add(&mut shift, &means.heads[*layer][*head], 1.0));
            }
            if self.cls_to_cls {
                // A head that is off as a whole has no such part any more.
                add(&mut shift, &image.cls_to_cls_together(|layer, head| !off(layer, head)), -1.0);
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
}
#[cfg(feature = "compute")]
pub use {contributions::MeanContributions, parts::MeanParts};

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn studies_switch_off_what_they_name() {
        let all = Ablation::of_study(Study::AllButLastAttentions, 12, 6);
        assert_eq!((all.heads.len(), all.mlps.len(), all.embedding), (8 * 6, 12, true));
        assert!(all.heads.contains(&(7, 5)) && !all.heads.contains(&(8, 0)));
        let both = Ablation::of_study(Study::MlpsAndClsToCls, 12, 6);
        assert!(both.cls_to_cls && both.mlps.len() == 12 && both.heads.is_empty() && !both.embedding);
        assert_eq!(Ablation::of_study(Study::FirstAttentions(99), 3, 2).heads.len(), 6);
        assert!(Ablation::of_study(Study::FirstAttentions(0), 3, 2).is_none());
    }
}
