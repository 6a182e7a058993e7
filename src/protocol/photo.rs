//! The current photo: its trace, its scores and its segmentations.

use serde::{Deserialize, Serialize};

use crate::ablate::Ablation;
use crate::geometry::{Framing, Grid, PhotoRect, Size};

/// The current photo, and the crop that the model sees.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct PhotoSummary {
    pub name: String,
    pub photo: Size,
    pub preview: Size,
    pub framing: Framing,
    pub crop_in_photo: PhotoRect,
    pub grid: Grid,
    /// The largest absolute difference between the sum of the components and the unit embedding (docs/PAPERS.md, 1.3).
    pub residual: f64,
    pub seconds: TraceSeconds,
}

/// The times of tracing a photo, in seconds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct TraceSeconds {
    pub decode: f64,
    pub encode: f64,
}

/// The scores of phrases, divided among the components. The parts of a phrase sum to its score.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Attribution {
    pub texts: Vec<String>,
    /// The cosine of each text.
    pub scores: Vec<f32>,
    /// The softmax of `logit_scale * cosine` over the texts.
    pub probabilities: Vec<f32>,
    /// `[layer][head][text]`
    pub heads: Vec<Vec<Vec<f32>>>,
    /// `[layer][text]`
    pub mlps: Vec<Vec<f32>>,
    /// The part of z0, the embedded CLS token, in each text's score.
    pub embedding: Vec<f32>,
    /// The cosines without the ablation; `None` if there is no ablation.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub intact: Option<Vec<f32>>,
    /// The mean part of every component over the images of the head statistics; `None` if there are no statistics.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub means: Option<MeanAttribution>,
}

/// The mean part of every component in the scores of phrases, over the images of the head statistics: the parts of an
/// average picture. No component is ablated.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct MeanAttribution {
    /// `[layer][head][text]`
    pub heads: Vec<Vec<Vec<f32>>>,
    /// `[layer][text]`
    pub mlps: Vec<Vec<f32>>,
    /// The mean part of z0 in each text's score.
    pub embedding: Vec<f32>,
}

/// Decodes the photo file in buffer 0 and runs the model on the photo. The photo becomes the current one. Buffer 0 of
/// the answer is the photo for display: RGBA bytes of `preview` size.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct TracePhoto {
    pub name: String,
    pub framing: Framing,
}

/// Runs the model on the current photo again with another framing. The answer has the same buffer as the answer to
/// [`TracePhoto`].
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Reframe {
    pub framing: Framing,
}

/// Scores phrases against the current photo and divides each score among the model's components. The ablation
/// replaces some components by their means.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Attribute {
    pub phrases: Vec<String>,
    pub templates: bool,
    pub ablation: Ablation,
}

/// Segments the current photo by a phrase, against other phrases and, if `background` is set, against the built-in
/// list of backgrounds. Ablated heads do not distinguish between patches.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Segment {
    pub phrase: String,
    pub against: Vec<String>,
    pub background: bool,
    pub ablation: Ablation,
}

/// A segmentation. Buffer 0: the soft map, `f32` in [0, 1] per pixel of `size`, rows first. The map covers
/// `crop_in_photo`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Segmented {
    pub size: Size,
    pub crop_in_photo: PhotoRect,
    /// The mean of the map. Pixels with a higher value are foreground.
    pub threshold: f32,
    /// Whether no patch scored positive.
    pub empty: bool,
}

/// Writes the mask of a segmentation as a PNG of the photo's own size. The foreground is where the soft map is above
/// `threshold`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ExportMask {
    pub phrase: String,
    pub against: Vec<String>,
    pub background: bool,
    pub ablation: Ablation,
    pub threshold: f32,
}

/// A mask was written. Buffer 0: the PNG file.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct MaskPng;
