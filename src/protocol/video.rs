//! Videos: opening, sampling, tracking, scores, mask propagation and files.
//!
//! A video is processed frame by frame, one request per frame. To cancel, the page requests no more frames; the
//! results so far stay. `video` is the number that the page gave the open video. The page drops answers with another
//! number.

use serde::{Deserialize, Serialize};

use super::sampling::Sampling;
use crate::geometry::{Grid, PhotoRect, Size};

/// The files of a video. They travel with the message.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum VideoSource {
    /// One video file.
    File { name: String },
    /// Pictures in order, with the start of each in seconds.
    Pictures { names: Vec<String>, times: Vec<f64> },
}

/// The kind of a seed, in pixels of the frame.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum SeedKind {
    Point {
        x: f64,
        y: f64,
    },
    Box(PhotoRect),
    /// The part of the frame that scores highest for a phrase.
    Phrase(String),
}

/// A seed of an object on one frame.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Seed {
    /// The index of the sampled frame.
    pub frame: usize,
    /// Objects have the numbers 1, 2, …; 0 is the background.
    pub object: u32,
    pub kind: SeedKind,
}

/// One propagation of masks through the sampled frames, in one direction (docs/PAPERS.md, 2.4).
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct PropagationRun {
    /// The number of the run; another number starts a new propagation.
    pub number: u32,
    pub seeds: Vec<Seed>,
    /// The short side of the frames for the model, in pixels; 480 in the DAVIS protocol.
    pub short_side: usize,
}

/// The masks to save.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum MasksOf {
    Tracks,
    Propagation,
}

/// Opens a video, which replaces the previous video. Its files travel with the message.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct OpenVideo {
    pub video: u32,
    pub source: VideoSource,
}

/// Chooses the frames to process. The results of other frames are dropped.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct SampleVideo {
    pub video: u32,
    pub sampling: Sampling,
}

/// Decodes a sampled frame, runs the model on it, and tracks objects up to it. The page asks for the frames in order.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct TraceFrame {
    pub video: u32,
    /// The index of the sampled frame.
    pub index: usize,
    /// How many frames the page will ask for after this one. Helper workers may start on them.
    pub ahead: usize,
}

/// Tracks the objects of other heads over the frames that are done.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Retrack {
    pub video: u32,
    /// Heads of the last block.
    pub heads: Vec<usize>,
}

/// Scores phrases on every frame that is done.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ScoreFrames {
    pub video: u32,
    pub phrases: Vec<String>,
    pub templates: bool,
}

/// Divides the scores of one phrase on the frames among the heads.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SplitScores {
    pub video: u32,
    pub phrase: String,
    pub templates: bool,
}

/// Segments one frame by a phrase against others.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SegmentFrame {
    pub video: u32,
    /// The index of the sampled frame.
    pub index: usize,
    pub phrase: String,
    pub against: Vec<String>,
    pub background: bool,
}

/// Continues a run by one frame. The first frame is the one with the seeds; each later frame is the neighbour of the
/// frame before.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Propagate {
    pub video: u32,
    pub run: PropagationRun,
    /// The index of the sampled frame.
    pub index: usize,
}

/// Removes all propagated masks.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ForgetMasks {
    pub video: u32,
}

/// Finds the texts that describe each tracked object better than the rest of the frame.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LabelTracks {
    pub video: u32,
    /// Texts per object.
    pub count: usize,
}

/// Computes head labels from the statistics of this video's frames from now on.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct UseVideoStatistics {
    pub video: u32,
}

/// Writes tracks or propagated masks as JSON, each mask in COCO's run lengths.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ExportJson {
    pub video: u32,
    pub of: MasksOf,
    /// The objects' names, by number.
    pub names: Vec<(u32, String)>,
}

/// Writes the masks as a zip of PNG files, one per frame. A pixel's value is the number of its object.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ExportMasks {
    pub video: u32,
    pub of: MasksOf,
}

/// Other heads were tracked. Buffer 0: the tracks of all frames that are done, frame after frame.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Retracked {
    pub frames: Vec<FrameObjects>,
}

/// Scores of phrases on the `frames` that are done. Buffer 0: `f32` `[phrase][frame]`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct FramesScored {
    pub frames: usize,
}

/// One phrase's scores, divided among the heads. Buffer 0: `f32` `[layer][head][frame]`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ScoresSplit {
    pub frames: usize,
}

/// One segmented frame. Buffer 0: the soft map, `f32` in [0, 1] per pixel of `size`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct FrameSegmented {
    pub size: Size,
    pub crop_in_frame: PhotoRect,
    /// The mean of the map. Pixels with a higher value are foreground.
    pub threshold: f32,
    /// Whether no patch scored positive.
    pub empty: bool,
}

/// The propagated masks were removed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct MasksForgotten;

/// The texts of every tracked object.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct TracksLabelled {
    pub tracks: Vec<TrackLabels>,
}

/// A written file. Buffer 0: its bytes.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ExportedFile {
    pub name: String,
    /// The MIME type.
    pub kind: String,
}

/// An opened video.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct VideoSummary {
    pub name: String,
    /// The size of a frame, upright.
    pub size: Size,
    /// The duration, in seconds.
    pub duration: f64,
    /// The number of frames.
    pub frames: usize,
    /// Frames per second.
    pub rate: f64,
    /// The codec and container, in words: "H.264 in MP4".
    pub coding: String,
}

/// The sampled frames of a video.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct SampledVideo {
    /// The start of each sampled frame, in seconds.
    pub times: Vec<f64>,
    pub sampling: Sampling,
    pub grid: Grid,
    /// The memory that the results of all frames take, in bytes.
    pub bytes: u64,
}

/// The objects on one frame.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct FrameObjects {
    /// The objects' numbers, in the order of the tracks.
    pub objects: Vec<u32>,
    /// Whether the scene changes here; then objects are discovered again.
    pub is_cut: bool,
}

/// One frame that went through the model. Buffer 0: the tracks, `f32` `[object][patch]`. Each track sums to one.
/// Buffer 1: the CLS attention of the last block, `f32` `[head][patch]`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct FrameSummary {
    pub index: usize,
    pub grid: Grid,
    pub crop_in_frame: PhotoRect,
    /// The heads of the last block whose objects are tracked.
    pub heads: Vec<usize>,
    pub objects: FrameObjects,
    pub seconds: FrameSeconds,
}

/// The times of processing one frame, in seconds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct FrameSeconds {
    pub decode: f64,
    pub encode: f64,
    pub track: f64,
}

/// One frame of a propagation. Buffer 0: the soft masks, `f32` `[object][patch]`, the background first.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct PropagatedFrame {
    pub index: usize,
    pub grid: Grid,
    pub crop_in_frame: PhotoRect,
    /// The objects' numbers, in the order of the masks after the background.
    pub objects: Vec<u32>,
    pub seconds: f64,
}

/// The texts that describe a tracked object.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct TrackLabels {
    pub object: u32,
    /// Each text with the difference of its score: the object's patches minus the frame's other patches.
    pub labels: Vec<(String, f32)>,
}
