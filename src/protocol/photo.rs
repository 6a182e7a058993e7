//! The current photo, and the parts of the model in its scores.

use serde::{Deserialize, Serialize};

use crate::geometry::{Framing, Grid, PhotoRect, Size};

/// The current photo as the model was shown it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct PhotoSummary {
    pub name: String,
    pub photo: Size,
    pub preview: Size,
    pub framing: Framing,
    pub crop_in_photo: PhotoRect,
    pub grid: Grid,
    /// Largest absolute difference between the components' sum and the unit embedding.
    pub residual: f64,
    pub seconds: TraceSeconds,
}

/// Where tracing a photo spent its time.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct TraceSeconds {
    pub decode: f64,
    pub encode: f64,
}

/// Scores of phrases, and every component's part in them. The parts of one phrase sum to its score.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Attribution {
    pub texts: Vec<String>,
    /// Cosine per text.
    pub scores: Vec<f32>,
    /// softmax(logit_scale * cosine).
    pub probabilities: Vec<f32>,
    /// `[layer][head][text]`
    pub heads: Vec<Vec<Vec<f32>>>,
    /// `[layer][text]`
    pub mlps: Vec<Vec<f32>>,
    /// z0's part, per text.
    pub embedding: Vec<f32>,
    /// Where components are switched off: the cosines with all of them on.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub intact: Option<Vec<f32>>,
}
