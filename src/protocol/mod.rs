//! What the page asks of the worker, and what the worker answers.
//!
//! A [`Work`] is a unit of work, not a button: its struct holds the parameters, its [`Work::Answer`] the result.
//! Each feature has a file with its tasks and answers; `work.rs` lists all of them in one table. On the wire a
//! request is a [`Task`] and a response an [`Answer`]. Every request carries a number, which its answer and every
//! progress report on the way repeat. Large arrays do not pass through serde: they travel beside the message as
//! transferred buffers, which the doc comments of tasks and answers name.

pub mod completeness;
pub mod cues;
mod gallery;
mod heads;
mod kind;
mod model;
mod photo;
pub mod sampling;
mod sentence;
pub mod video;
#[cfg(feature = "web")]
pub mod wire;
mod work;

use serde::{Deserialize, Serialize};

pub use self::gallery::{
    AddToGallery, ClearGallery, GalleryEntry, GalleryGrown, GalleryKept, GalleryOpened, GalleryRanked,
    KeepGallery, OpenGallery, RankBy, RankGallery, ReadThumbnails, Thumbnails,
};
pub use self::heads::{
    AllHeadLabels, HeadLabel, HeadLabels, HeadMap, LabelAllHeads, LabelHead, MapHead, PoolReady, StatisticsReady,
    StatisticsSource, UsePool, UseStatistics,
};
pub use self::kind::Kind;
pub use self::model::{
    DevicePreference, DeviceSummary, LoadModel, MemorySummary, ModelSource, OpenPack, OpenSeconds, PackSummary,
    Storage, StorageSummary, Told,
};
pub use self::photo::{
    Attribute, Attribution, ExportMask, MaskPng, PhotoSummary, Reframe, Segment, Segmented, TracePhoto,
    TraceSeconds,
};
pub use self::sentence::sentence;
pub use self::work::{Answer, Task, UnexpectedAnswer, VideoAnswer, VideoTask, Work};

/// The id of the [`Progress`] report that the worker sends unasked as soon as it listens. The page numbers its
/// requests from 1 and posts nothing before this report: browsers drop messages to a module worker that still loads
/// its wasm.
pub const GREETING: u32 = 0;

/// At most this many requests are announced ahead.
pub const AHEAD: usize = 4;

/// One piece of work, numbered by the page.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Request {
    pub id: u32,
    pub task: Task,
}

/// A message of the worker about the request of the same number.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Response {
    pub id: u32,
    pub answer: Answer,
}

/// How far a piece of work has come.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum Progress {
    /// Bytes of a download; `total` as the pack's manifest says, 0 where it is not known.
    Bytes { what: String, done: u64, total: u64 },
    /// A phase of the computation, in words: "Reading the photo".
    Phase { what: String },
    /// Items of many: images of a gallery, lines of a pool.
    Items { what: String, done: usize, total: usize },
}
