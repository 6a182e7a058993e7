//! Which components are ablated, and the ablations that the paper studies.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

/// The components that are ablated.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Ablation {
    /// Heads, (layer, head).
    pub heads: BTreeSet<(usize, usize)>,
    /// Layers whose MLP is ablated.
    pub mlps: BTreeSet<usize>,
    /// Whether z0 is ablated.
    pub embedding: bool,
    /// Whether the CLS-to-CLS attention of every head is ablated.
    pub cls_to_cls: bool,
}

/// The ablations that the paper studies.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Study {
    /// All MLPs (the paper's Table 1).
    Mlps,
    /// The CLS-to-CLS attention of every head (the paper's Table 1).
    ClsToCls,
    /// All MLPs and all CLS-to-CLS attention.
    MlpsAndClsToCls,
    /// The attention of the first layers, as many as given (the paper's Figure 2).
    FirstAttentions(usize),
    /// All components except the attention of the last four layers. The paper keeps only these against spurious
    /// cues (docs/PAPERS.md, 1.12).
    AllButLastAttentions,
}

/// The number of late layers. Their attention carries nearly all direct effects (the paper's Section 3.2).
pub const LATE_LAYERS: usize = 4;

impl Ablation {
    /// Returns the ablation of a study, for a model with `layers` layers of `heads` heads.
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

    /// Returns the ablation of everything except the attention of the last `late` layers.
    pub fn all_but_last(late: usize, layers: usize, heads: usize) -> Self {
        let early = Study::FirstAttentions(layers.saturating_sub(late));
        let mlps = (0..layers).collect();
        Self { mlps, embedding: true, ..Self::of_study(early, layers, heads) }
    }

    /// Returns whether a model with `layers` layers of `heads` heads has all components that are ablated.
    pub fn fits(&self, layers: usize, heads: usize) -> bool {
        self.heads.iter().all(|(layer, head)| *layer < layers && *head < heads)
            && self.mlps.iter().all(|layer| *layer < layers)
    }

    /// Returns whether nothing is ablated.
    pub fn is_none(&self) -> bool {
        *self == Self::default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn studies_ablate_the_components_of_their_name() {
        let all = Ablation::of_study(Study::AllButLastAttentions, 12, 6);
        assert_eq!((all.heads.len(), all.mlps.len(), all.embedding), (8 * 6, 12, true));
        assert!(all.heads.contains(&(7, 5)) && !all.heads.contains(&(8, 0)));
        let both = Ablation::of_study(Study::MlpsAndClsToCls, 12, 6);
        assert!(both.cls_to_cls && both.mlps.len() == 12 && both.heads.is_empty() && !both.embedding);
        assert_eq!(Ablation::of_study(Study::FirstAttentions(99), 3, 2).heads.len(), 6);
        assert!(Ablation::of_study(Study::FirstAttentions(0), 3, 2).is_none());
    }
}
