//! What the page asks of a labelled gallery, and what it is told.

use serde::{Deserialize, Serialize};

use crate::ablate::Ablation;

/// A picture of the gallery, and what it is said to show. Two classes, two values of the nuisance.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LabelledPicture {
    pub picture: usize,
    pub class: usize,
    /// None: as the phrases for it tell.
    pub nuisance: Option<usize>,
}

/// Two groups of two prompts: what the classifier tells apart, and what it should not go by. A prompt of several
/// phrases is their mean.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct CuePrompts {
    pub classes: [Vec<String>; 2],
    pub nuisances: [Vec<String>; 2],
}

/// A head, and how its part in the margin (class 1's score less class 0's) follows the labels.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct CueHead {
    pub layer: usize,
    pub head: usize,
    /// Mean margin at one value of the nuisance less that at the other, the class held fixed.
    pub nuisance: f64,
    /// Mean margin of class 1 less that of class 0, the nuisance held fixed.
    pub class: f64,
    /// How far its part in the nuisance's own phrases tells the nuisance apart, in standard deviations.
    pub tells: f64,
}

/// What the classifier makes of the pictures, something ablated.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct CueOutcome {
    pub ablation: Ablation,
    pub overall: Option<f64>,
    /// Accuracy of the group that has the lowest.
    pub worst: Option<f64>,
    /// Pictures and accuracy by class, then by nuisance.
    pub groups: [(u64, Option<f64>); 4],
}

/// The answer.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct CueReport {
    pub pictures: usize,
    /// Pictures behind the means that stand in for what is ablated.
    pub means_of: u64,
    /// The nuisance whose presence speaks for class 1.
    pub nuisance_of_class_1: usize,
    /// Those that follow the nuisance most first.
    pub heads: Vec<CueHead>,
    /// Nothing ablated; the heads that are proposed; all but late attention; both.
    pub outcomes: Vec<CueOutcome>,
}

/// Finds the heads that follow a nuisance among labelled pictures of the gallery, and measures what ablations bring.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct FindCues {
    pub pictures: Vec<LabelledPicture>,
    pub prompts: CuePrompts,
}
