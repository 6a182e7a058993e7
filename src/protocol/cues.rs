//! Spurious cues in a labelled gallery (docs/PAPERS.md, 1.12).

use serde::{Deserialize, Serialize};

use crate::ablate::Ablation;

/// A picture of the gallery with its labels. There are two classes and two values of the nuisance.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LabelledPicture {
    pub picture: usize,
    pub class: usize,
    /// `None`: the nuisance's prompts decide.
    pub nuisance: Option<usize>,
}

/// The prompts of the two classes, and of the two values of the nuisance. A prompt of several phrases is their mean.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct CuePrompts {
    pub classes: [Vec<String>; 2],
    pub nuisances: [Vec<String>; 2],
}

/// A head, and how its part in the margin follows the labels. The margin is the score of class 1 minus that of class 0.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct CueHead {
    pub layer: usize,
    pub head: usize,
    /// The mean margin at one value of the nuisance minus that at the other, with the class held fixed.
    pub nuisance: f64,
    /// The mean margin of class 1 minus that of class 0, with the nuisance held fixed.
    pub class: f64,
    /// How well the head's part in the nuisance's own margin separates the two values, in standard deviations.
    pub tells: f64,
}

/// The accuracy of the classifier under an ablation.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct CueOutcome {
    pub ablation: Ablation,
    pub overall: Option<f64>,
    /// The accuracy of the group with the lowest accuracy.
    pub worst: Option<f64>,
    /// The number of pictures and the accuracy of each group: by class, then by nuisance.
    pub groups: [(u64, Option<f64>); 4],
}

/// The heads that follow the nuisance, and what ablations bring.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct CueReport {
    pub pictures: usize,
    /// The number of pictures behind the means that replace ablated components.
    pub means_of: u64,
    /// The value of the nuisance that speaks for class 1.
    pub nuisance_of_class_1: usize,
    /// The heads that follow the nuisance most come first.
    pub heads: Vec<CueHead>,
    /// No ablation; the proposed heads; everything but late attention; both.
    pub outcomes: Vec<CueOutcome>,
}

/// Finds the heads that follow a nuisance among labelled pictures of the gallery, and measures what ablations bring.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct FindCues {
    pub pictures: Vec<LabelledPicture>,
    pub prompts: CuePrompts,
}
