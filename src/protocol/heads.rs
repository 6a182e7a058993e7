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
    /// The frames of the open video.
    Video,
}

/// The source of the pool of texts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum PoolSource {
    /// The pack.
    Pack,
    /// The texts that come with headlamp, for a model without a pool.
    Headlamp,
    /// The person's own texts.
    Person,
}

/// The sources of the head labels that the browser stored with the model at an earlier visit. They are in use after
/// the model was opened.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct KeptLabels {
    /// `None`: the pack's own statistics are in use.
    pub statistics: Option<KeptStatistics>,
    /// `None`: the pack's own pool is in use.
    pub pool: Option<KeptPool>,
}

/// Stored head statistics.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct KeptStatistics {
    pub source: StatisticsSource,
    pub images: u64,
}

/// A stored pool of texts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct KeptPool {
    pub source: PoolSource,
    /// The number of texts.
    pub lines: usize,
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

/// Prepares these lines as the pool of texts for head labels. Without lines: goes back to the pack's own pool or, if
/// the pack has none, prepares the texts that come with headlamp. The pool in use stays until [`EmbedPool`] has
/// embedded the last text.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct UsePool {
    pub lines: Vec<String>,
}

/// Embeds the next texts of the prepared pool, for about a tenth of a second. The page asks again until all texts are
/// done.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct EmbedPool;

/// How far the prepared pool is. The pool is in use when all its texts are done.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PoolProgress {
    /// The number of embedded texts.
    pub done: usize,
    /// The number of all texts of the pool.
    pub total: usize,
    pub source: PoolSource,
    /// The reason why the next visit must embed the texts again. `None`: the browser stored them, or more follow.
    pub not_kept: Option<String>,
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
    /// The reason why the next visit will not find the statistics. `None`: the browser stored them, or they are the
    /// pack's own.
    pub not_kept: Option<String>,
}
