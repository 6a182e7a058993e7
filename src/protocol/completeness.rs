//! The completeness curve: how much a few texts per late head preserve (docs/PAPERS.md, 1.9).

use serde::{Deserialize, Serialize};

/// The classes of the gallery's pictures.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct GalleryClasses {
    /// The phrases of each class; their mean is the class's text embedding.
    pub phrases: Vec<Vec<String>>,
    /// Pictures of the gallery with their labelled classes. `None`: all pictures, without labels.
    pub labels: Option<Vec<(usize, usize)>>,
}

/// One point of the curve: how much this number of texts per late head preserves.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct CurvePoint {
    /// Texts per head. With 0, each head is replaced by its mean.
    pub texts: usize,
    /// The share of the heads' variance that the texts explain, averaged over the heads.
    pub explained: f64,
    /// How many pictures keep their class; `None` without pictures.
    pub agreement: Option<ClassAgreement>,
}

/// How many pictures keep their class.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct ClassAgreement {
    /// The share of pictures whose class is the same as with the whole model.
    pub same: f64,
    /// The share of labelled pictures whose class is the labelled one.
    pub right: Option<f64>,
}

/// The completeness curve.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Completeness {
    /// The number of late layers, whose heads are reconstructed from texts.
    pub late_layers: usize,
    pub heads: usize,
    /// The number of texts in the pool.
    pub pool: usize,
    /// The number of pictures that were classified.
    pub pictures: usize,
    /// The result of the whole model.
    pub whole: Option<ClassAgreement>,
    /// The result when early attention is replaced by its mean and late heads stay.
    pub early: Option<ClassAgreement>,
    pub points: Vec<CurvePoint>,
}

/// Measures how much of the heads' variance a few texts for each late head preserve, and how many pictures of the
/// gallery keep their class (docs/PAPERS.md, 1.9).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct MeasureCompleteness {
    pub classes: GalleryClasses,
}
