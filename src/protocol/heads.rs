//! The heads: their maps, the texts that describe them, and the statistics that the texts are computed from.

use serde::{Deserialize, Serialize};

use crate::geometry::{Grid, PhotoRect};

/// The source of the head statistics.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum StatisticsSource {
    /// The pack.
    Pack,
    /// A file that headlamp wrote.
    File,
    /// The gallery.
    Gallery,
}

/// A text that describes a head.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct HeadLabel {
    pub text: String,
    /// The share of the head's variance that this text and all texts before it explain.
    pub variance_explained: f32,
}

/// Maps where one head looks. With a phrase: each patch's signed contribution to the phrase's score through this
/// head, or to the difference between the phrase and `rather_than`. Without a phrase: the head's CLS attention.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct MapHead {
    pub layer: usize,
    pub head: usize,
    pub phrase: Option<String>,
    pub rather_than: Option<String>,
    pub templates: bool,
}

/// The map of one head. Buffer 0: `f32` per patch, rows first.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct HeadMap {
    pub grid: Grid,
    pub crop_in_photo: PhotoRect,
}

/// Finds the texts that span one head's outputs (TextSpan; docs/PAPERS.md, 1.7), the text that explains the most
/// variance first.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LabelHead {
    pub layer: usize,
    pub head: usize,
    pub count: usize,
}

/// The texts of one head.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct HeadLabels {
    pub labels: Vec<HeadLabel>,
    /// The number of images that the head statistics were computed from.
    pub images: u64,
}

/// Finds the texts of every head.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LabelAllHeads {
    pub count: usize,
}

/// The texts of every head.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct AllHeadLabels {
    /// `[layer][head]`
    pub labels: Vec<Vec<Vec<HeadLabel>>>,
    /// The number of images that the head statistics were computed from.
    pub images: u64,
}

/// Uses these lines as the pool of texts for head labels from now on, or the pack's own pool if there are no lines.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct UsePool {
    pub lines: Vec<String>,
}

/// The pool of texts is in use.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PoolReady {
    pub lines: usize,
}

/// Uses the head statistics of `source` from now on. A file is sent as buffer 0.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct UseStatistics {
    pub source: StatisticsSource,
}

/// The head statistics are in use.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct StatisticsReady {
    pub images: u64,
}
