//! What the page asks of the heads' texts together, and what it is told.

use serde::{Deserialize, Serialize};

/// What the gallery's pictures are told apart by.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Classes {
    /// The phrases of each class, whose mean stands for it.
    pub phrases: Vec<Vec<String>>,
    /// Pictures of the gallery, and the class that each is said to be of. None: all pictures, and nothing is said.
    pub labels: Option<Vec<(usize, usize)>>,
}

/// What so many texts for each late head keep.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Point {
    /// Texts for each head; with none, heads are their means.
    pub texts: usize,
    /// The mean share of the heads' variance that they explain.
    pub explained: f64,
    /// What becomes of the pictures.
    pub kept: Option<Kept>,
}

/// What becomes of the pictures' classes.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Kept {
    /// The share of them whose class is still the whole model's.
    pub same: f64,
    /// The share of them whose class is the one that they are said to be of.
    pub right: Option<f64>,
}

/// The completeness curve.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Completeness {
    /// How many layers' heads are put together from texts.
    pub late_layers: usize,
    pub heads: usize,
    /// Texts to choose from.
    pub pool: usize,
    /// Pictures of the gallery that were told apart.
    pub pictures: usize,
    /// The whole model.
    pub whole: Option<Kept>,
    /// Earlier attention by its mean, late heads as they are.
    pub early: Option<Kept>,
    pub points: Vec<Point>,
}

/// Measures how much a few texts for each late head preserve: of the heads' variance, and of the gallery's classes
/// (docs/PAPERS.md, 1.9).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct MeasureCompleteness {
    pub classes: Classes,
}
