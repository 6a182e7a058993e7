//! What the page asks and the worker answers.
//!
//! The variants are units of work, not buttons. Every request carries a number that its answer, and any
//! progress on the way, repeats. Large arrays do not pass through serde: they travel beside the message as
//! transferred buffers, named in each variant's docs.

pub mod completeness;
pub mod cues;
mod gallery;
mod heads;
mod model;
mod photo;
pub mod sampling;
mod text;
pub mod video;
#[cfg(feature = "web")]
pub mod wire;

use serde::{Deserialize, Serialize};

use self::completeness::{Classes, Completeness};
use self::cues::{CuePrompts, CueReport, LabelledPicture};
use self::video::{VideoAnswer, VideoTask};
use crate::ablate::Ablation;
use crate::geometry::{Framing, Grid, PhotoRect, Size};

pub use self::gallery::{GalleryEntry, RankBy};
pub use self::heads::{HeadLabel, StatisticsSource};
pub use self::model::{
    DevicePreference, DeviceSummary, MemorySummary, ModelSource, OpenSeconds, PackSummary, Storage,
    StorageSummary, Told,
};
pub use self::photo::{Attribution, PhotoSummary, TraceSeconds};
pub use self::text::{file_stem, sentence};

/// The number under which the worker, once it listens, sends one [`Progress`] of its own accord. The page
/// numbers its requests from 1 and posts nothing before: browsers drop what is posted to a module worker
/// that is still loading its wasm.
pub const GREETING: u32 = 0;

/// It is of use to say what will be asked for next, up to so many pieces.
pub const AHEAD: usize = 4;

/// One piece of work, numbered by the page.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Request {
    pub id: u32,
    pub task: Task,
}

/// The worker's units of work.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum Task {
    /// Fetch, verify and load the pack at `url` (a folder). Answer: [`Answer::PackOpened`].
    OpenPack { url: String, device: DevicePreference },
    /// Make a pack of a published CLIP's weights, and open it. Files come beside the message. The pack that is
    /// open stays so until the new one is. Answer: [`Answer::PackOpened`].
    LoadModel { source: ModelSource, storage: Storage, told: Told, device: DevicePreference },
    /// Decode the photo file in buffer 0, and run the model on it. It becomes the current photo.
    /// Answer: [`Answer::PhotoTraced`].
    TracePhoto { name: String, framing: Framing },
    /// Run the model on the current photo again, framed otherwise. Answer: [`Answer::PhotoTraced`].
    Reframe { framing: Framing },
    /// Score the phrases against the current photo and divide each score among the model's components, some
    /// of them replaced by their means. Answer: [`Answer::Attributed`].
    Attribute { phrases: Vec<String>, templates: bool, ablation: Ablation },
    /// Where one head looks. With a phrase, each patch's signed contribution to the phrase through this
    /// head, or to the difference between it and the phrase `rather_than`; without, the head's CLS attention.
    /// Answer: [`Answer::HeadMap`].
    HeadMap { layer: usize, head: usize, phrase: Option<String>, rather_than: Option<String>, templates: bool },
    /// Segment the current photo by a phrase, against other phrases and, by choice, the built-in
    /// background list. Ablated heads tell no patches apart. Answer: [`Answer::Segmented`].
    Segment { phrase: String, against: Vec<String>, background: bool, ablation: Ablation },
    /// The mask of a segmentation as a PNG of the photo's own size, foreground where the soft map is
    /// above `threshold`. Answer: [`Answer::MaskPng`].
    ExportMask { phrase: String, against: Vec<String>, background: bool, ablation: Ablation, threshold: f32 },
    /// The texts that span one head's outputs (TextSpan), most telling first. Answer: [`Answer::HeadLabels`].
    LabelHead { layer: usize, head: usize, count: usize },
    /// The same of every head. Answer: [`Answer::AllHeadLabels`].
    LabelAllHeads { count: usize },
    /// Label heads from these lines from now on; none: from the pack's own pool. Answer: [`Answer::PoolReady`].
    UsePool { lines: Vec<String> },
    /// Take head statistics from `source` from now on; a file comes as buffer 0.
    /// Answer: [`Answer::StatisticsReady`].
    UseStatistics { source: StatisticsSource },
    /// Open the gallery that the browser keeps for the open model, or begin one. Answer:
    /// [`Answer::GalleryOpened`].
    OpenGallery,
    /// Look at one picture, the first file beside the message, and take it into the gallery. `next` are those
    /// that will be asked for after it, their files behind its own: further workers may begin on them. Answer:
    /// [`Answer::GalleryGrown`].
    AddToGallery { entry: GalleryEntry, next: Vec<GalleryEntry> },
    /// The gallery's pictures count for later visits up to here. Answer: [`Answer::GalleryKept`].
    KeepGallery,
    /// Thumbnails of some of the gallery's pictures. Answer: [`Answer::Thumbnails`].
    Thumbnails { pictures: Vec<usize> },
    /// The gallery's pictures by likeness or score, through `heads` (layer, head) or, where there are none, the
    /// whole model. Answer: [`Answer::GalleryRanked`].
    RankGallery { by: RankBy, heads: Vec<(usize, usize)>, most: usize },
    /// Which heads follow a nuisance among labelled pictures of the gallery, and what ablations would bring.
    /// Answer: [`Answer::Cues`].
    FindCues { pictures: Vec<LabelledPicture>, prompts: CuePrompts },
    /// How much of what the model sees a few texts for each late head keep: of the heads' variance, and of the
    /// gallery's classes. Answer: [`Answer::Completeness`].
    MeasureCompleteness { classes: Classes },
    /// Forget the gallery. Answer: [`Answer::GalleryOpened`].
    ClearGallery,
    /// Work on a video. Answer: [`Answer::Video`].
    Video(VideoTask),
}

/// What the worker sends back.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Response {
    pub id: u32,
    pub answer: Answer,
}

/// Answers, progress and failures.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum Answer {
    /// The work goes on; more will follow under the same number.
    Progress(Progress),
    PackOpened(PackSummary),
    /// Buffer 0: the photo for display, RGBA bytes of `preview` size.
    PhotoTraced(PhotoSummary),
    Attributed(Attribution),
    /// Buffer 0: `f32` per patch, rows first.
    HeadMap {
        grid: Grid,
        crop_in_photo: PhotoRect,
    },
    /// Buffer 0: the soft map, `f32` in [0, 1] per pixel of `size`, rows first, covering `crop_in_photo`.
    /// Foreground is above `threshold`, the map's own mean. `empty` says that nothing scored positive.
    Segmented {
        size: Size,
        crop_in_photo: PhotoRect,
        threshold: f32,
        empty: bool,
    },
    /// Buffer 0: the PNG file.
    MaskPng,
    HeadLabels {
        labels: Vec<HeadLabel>,
        images: u64,
    },
    /// `labels` is `[layer][head]`.
    AllHeadLabels {
        labels: Vec<Vec<Vec<HeadLabel>>>,
        images: u64,
    },
    PoolReady {
        lines: usize,
    },
    StatisticsReady {
        images: u64,
    },
    /// `not_kept` says why a later visit will not find the gallery.
    GalleryOpened {
        pictures: Vec<GalleryEntry>,
        not_kept: Option<String>,
    },
    /// The picture is the gallery's last one now; `left_out` says why it is not. `by_hand`: a further worker ran
    /// the model on it.
    GalleryGrown {
        left_out: Option<String>,
        by_hand: bool,
    },
    GalleryKept,
    /// A buffer for each picture: its thumbnail's file.
    Thumbnails,
    /// Pictures and their cosines or scores, best first.
    GalleryRanked {
        order: Vec<(usize, f32)>,
    },
    Cues(CueReport),
    Completeness(Completeness),
    Video(VideoAnswer),
    /// The work failed, and nothing else is lost; the sentence says what to do.
    Failed {
        message: String,
    },
    /// The device that the model was on does not answer any more. A new worker may have it, or the CPU.
    DeviceLost,
}

/// How far a piece of work has come.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum Progress {
    /// Bytes of a download; `total` where the pack's manifest gives it.
    Bytes { what: String, done: u64, total: u64 },
    /// A phase of compute, in words: "Reading the photo".
    Phase { what: String },
    /// Items of many: images of a gallery, lines of a pool.
    Items { what: String, done: usize, total: usize },
}
