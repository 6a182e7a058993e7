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
    /// The text's property; `None` if the pool gives the text none.
    pub property: Option<String>,
    /// The share of the head's variance that this text and all texts before it explain.
    pub variance_explained: f32,
}

/// Maps where one head looks, or several heads together. With a phrase: each patch's signed contribution to the
/// phrase's score, summed over the heads, or to the difference between the phrase and `rather_than`. Without a phrase:
/// the mean of the heads' CLS attention.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct MapHeads {
    /// The (layer, head) pairs.
    pub heads: Vec<(usize, usize)>,
    pub phrase: Option<String>,
    pub rather_than: Option<String>,
    pub templates: bool,
}

/// The map of one head, or of several heads together. Buffer 0: `f32` per patch, rows first.
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

/// Names every head by the property that its texts stand out for (docs/PAPERS.md, 1.15).
///
/// The work takes seconds. The worker therefore stops after a short time, so that other requests can run, and answers
/// [`HeadNaming::UnderWay`]. The page then asks again.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct NameHeads;

/// The names of all heads, or how many heads already have texts.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum HeadNaming {
    UnderWay { done: usize, total: usize },
    Named(HeadNames),
}

/// The names of all heads of the open model, from the pool and the statistics in use.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct HeadNames {
    /// The properties of the pool, in alphabetical order; empty if the pool has none.
    pub properties: Vec<String>,
    /// `[layer][head]`
    pub heads: Vec<Vec<NamedHead>>,
    /// The number of images that the head statistics were computed from.
    pub images: u64,
    /// The mean consistency of the heads with a name; 0 if no head has a name.
    pub consistency: f32,
    /// The mean overlap of the shares of two heads, from 0 (no two heads share a property) to 1.
    pub entanglement: f32,
}

impl HeadNames {
    /// Returns the number of heads that have a name.
    pub fn named(&self) -> usize {
        self.heads.iter().flatten().filter(|head| head.property.is_some()).count()
    }

    /// Returns the name of one of these heads; `None` for a mixed head.
    pub fn name(&self, head: &NamedHead) -> Option<&str> {
        self.properties.get(head.property?).map(String::as_str)
    }
}

/// A head with its name.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct NamedHead {
    /// The name, as an index into [`HeadNames::properties`]; `None` for a mixed head.
    pub property: Option<usize>,
    /// The largest share of the explained variance that falls to one property: to the name, if the head has one.
    pub share: f32,
    /// The probability that a share stands out as much as this one by chance, or an upper bound of the probability.
    pub p_value: f32,
    /// The share of the first five texts that belong to the property with the largest share.
    pub consistency: f32,
    /// The first ten texts.
    pub texts: Vec<HeadLabel>,
}

/// Prepares the texts of this file as the pool for head labels. Each line is a text, or a text, a TAB and the text's
/// property. If the file is empty: goes back to the pack's own pool or, if the pack has none, prepares the texts that
/// come with headlamp. The pool in use stays until [`EmbedPool`] has embedded the last text.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct UsePool {
    pub file: String,
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
    pub not_stored: Option<String>,
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
    pub not_stored: Option<String>,
}
