//! What the page asks of the worker about a video, and what the worker answers.
//!
//! A video is looked at frame by frame, one request each: the page pumps. To cancel is not to ask for more,
//! and what is done stays. `reel` is the page's number of the opened video: an answer about another one is
//! out of date.

use serde::{Deserialize, Serialize};

use super::sampling::Sampling;
use crate::geometry::{Grid, PhotoRect, Size};

/// What a video consists of; the files come beside the message.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum VideoSource {
    /// One video file.
    File { name: String },
    /// Pictures in their order, and the seconds from which each is shown.
    Pictures { names: Vec<String>, times: Vec<f64> },
}

/// What an object is seeded with, in pixels of the frame.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum SeedKind {
    Point {
        x: f64,
        y: f64,
    },
    Box(PhotoRect),
    /// Whatever on the frame speaks most for a phrase.
    Phrase(String),
}

/// An object shown to the propagation on one frame.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Seed {
    /// Index of a sampled frame.
    pub frame: usize,
    /// The objects are 1, 2, …; 0 is the background.
    pub object: u32,
    pub kind: SeedKind,
}

/// One propagation through the sampled frames, in one direction.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Run {
    /// Tells one run from the next.
    pub number: u32,
    pub seeds: Vec<Seed>,
    /// The frames' short side for the model, in pixels; the protocol's is 480.
    pub short_side: usize,
}

/// How masks are saved.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum MasksOf {
    Tracks,
    Propagation,
}

/// The worker's units of work on videos.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum VideoTask {
    /// Open a video in place of any other; its files come beside the message. Answer: [`VideoAnswer::Opened`].
    Open { reel: u32, source: VideoSource },
    /// Choose the frames to look at, forgetting what was made of others. Answer: [`VideoAnswer::Sampled`].
    Sample { reel: u32, sampling: Sampling },
    /// Decode the sampled frame `index`, run the model on it, and track objects up to it. Frames are asked
    /// for in order, and so many more after this one: further workers may begin on them.
    /// Answer: [`VideoAnswer::FrameTraced`].
    TraceFrame { reel: u32, index: usize, ahead: usize },
    /// Follow objects of other heads over the frames that are done. Answer: [`VideoAnswer::Retracked`].
    Retrack { reel: u32, heads: Vec<usize> },
    /// Score phrases on every frame that is done. Answer: [`VideoAnswer::Scored`].
    ScoreFrames { reel: u32, phrases: Vec<String>, templates: bool },
    /// Divide one phrase's scores on the frames among the heads. Answer: [`VideoAnswer::Split`].
    SplitScores { reel: u32, phrase: String, templates: bool },
    /// Segment one frame by a phrase against others. Answer: [`VideoAnswer::FrameSegmented`].
    SegmentFrame { reel: u32, index: usize, phrase: String, against: Vec<String>, background: bool },
    /// Take a run one frame on: its seeds' first frame first, then neighbour after neighbour.
    /// Answer: [`VideoAnswer::Propagated`].
    Propagate { reel: u32, run: Run, index: usize },
    /// Forget all propagated masks. Answer: [`VideoAnswer::MasksForgotten`].
    ForgetMasks { reel: u32 },
    /// What texts speak for each tracked object more than for the rest of the frame.
    /// Answer: [`VideoAnswer::TracksLabelled`].
    LabelTracks { reel: u32, count: usize },
    /// Label heads from the statistics of this video's frames from now on.
    /// Answer: [`super::Answer::StatisticsReady`].
    UseStatistics { reel: u32 },
    /// Tracks or propagated masks as JSON, each mask in COCO's run lengths. `names` are the objects', by
    /// number. Answer: [`VideoAnswer::File`].
    ExportJson { reel: u32, of: MasksOf, names: Vec<(u32, String)> },
    /// The masks as a zip of PNG files, one a frame, a pixel's value being its object's number.
    /// Answer: [`VideoAnswer::File`].
    ExportMasks { reel: u32, of: MasksOf },
}

impl VideoTask {
    /// The number of the video that is asked about.
    pub fn reel(&self) -> u32 {
        match self {
            Self::Open { reel, .. }
            | Self::Sample { reel, .. }
            | Self::TraceFrame { reel, .. }
            | Self::Retrack { reel, .. }
            | Self::ScoreFrames { reel, .. }
            | Self::SplitScores { reel, .. }
            | Self::SegmentFrame { reel, .. }
            | Self::Propagate { reel, .. }
            | Self::ForgetMasks { reel }
            | Self::LabelTracks { reel, .. }
            | Self::UseStatistics { reel }
            | Self::ExportJson { reel, .. }
            | Self::ExportMasks { reel, .. } => *reel,
        }
    }
}

/// The worker's answers about videos.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum VideoAnswer {
    Opened(VideoSummary),
    Sampled(SampledVideo),
    /// Buffer 0: the tracks, `f32` `[object][patch]`; each sums to one. Buffer 1: the last block's CLS
    /// attention, `f32` `[head][patch]`.
    FrameTraced(FrameSummary),
    /// Buffer 0: the tracks of all frames that are done, one after another.
    Retracked {
        frames: Vec<FrameObjects>,
    },
    /// Buffer 0: `f32` `[phrase][frame]`, of the `frames` that are done.
    Scored {
        frames: usize,
    },
    /// Buffer 0: `f32` `[layer][head][frame]`.
    Split {
        frames: usize,
    },
    /// Buffer 0: the soft map, `f32` in [0, 1] per pixel of `size`.
    FrameSegmented {
        size: Size,
        crop_in_frame: PhotoRect,
        threshold: f32,
        empty: bool,
    },
    /// Buffer 0: soft masks, `f32` `[object][patch]`, background first.
    Propagated(PropagatedFrame),
    MasksForgotten,
    TracksLabelled {
        tracks: Vec<TrackLabels>,
    },
    /// Buffer 0: the file.
    File {
        name: String,
        kind: String,
    },
}

/// An opened video.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct VideoSummary {
    pub name: String,
    /// Upright.
    pub size: Size,
    /// Seconds.
    pub duration: f64,
    /// Frames in all, and a second.
    pub frames: usize,
    pub rate: f64,
    /// What it is coded in, in words: "H.264 in MP4".
    pub coding: String,
}

/// The frames that are to be looked at.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct SampledVideo {
    /// Seconds from which each is shown.
    pub times: Vec<f64>,
    pub sampling: Sampling,
    pub grid: Grid,
    /// What keeping all of them takes.
    pub bytes: u64,
}

/// The objects on one frame.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct FrameObjects {
    /// In the tracks' order.
    pub objects: Vec<u32>,
    /// The scene changed here, and objects were discovered anew.
    pub is_cut: bool,
}

/// One frame, looked at.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct FrameSummary {
    pub index: usize,
    pub grid: Grid,
    pub crop_in_frame: PhotoRect,
    /// Heads of the last block whose objects are tracked.
    pub heads: Vec<usize>,
    pub objects: FrameObjects,
    pub seconds: FrameSeconds,
    /// A further worker ran the model on it.
    pub by_hand: bool,
}

/// Where the time went from asking for a frame to the answer.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct FrameSeconds {
    pub decode: f64,
    pub encode: f64,
    pub track: f64,
}

/// One frame of a propagation.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct PropagatedFrame {
    pub index: usize,
    pub grid: Grid,
    pub crop_in_frame: PhotoRect,
    /// In the masks' order, after the background.
    pub objects: Vec<u32>,
    pub seconds: f64,
}

/// The texts that speak for a tracked object.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct TrackLabels {
    pub object: u32,
    /// Text, and how much more it scores on the object's patches than on the frame's others.
    pub labels: Vec<(String, f32)>,
}
