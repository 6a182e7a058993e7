//! The messages between page and worker: tasks and their answers.
//!
//! A [`Work`] is a unit of work: its struct contains the parameters, and its [`Work::Answer`] is the result. Each
//! feature has a file with its tasks and answers; `work.rs` lists all of them in one table. On the wire a request is a
//! [`Task`] and a response an [`Answer`]. Every request has a number. Its progress reports and its answer repeat this
//! number. Large arrays do not pass through serde: they travel with the message as transferred buffers. The doc
//! comments of tasks and answers list these buffers.

pub mod completeness;
pub mod cues;
mod gallery;
mod heads;
mod model;
mod photo;
mod request;
pub mod sampling;
mod sentence;
mod task_kind;
mod task_progress;
pub mod video;
#[cfg(feature = "web")]
pub mod wire;
mod work;

pub use self::gallery::{
    AddToGallery, ClearGallery, FindOutlyingPictures, GalleryEntry, GalleryOpened, GalleryRanked, GalleryStored,
    OpenGallery, PictureAdded, RankBy, RankGallery, ReadThumbnails, StoreGallery, Thumbnails,
};
pub use self::heads::{
    AllHeadLabels, EmbedPool, HeadLabel, HeadLabels, HeadMap, HeadNames, HeadNaming, KeptLabels, KeptPool,
    KeptStatistics, LabelAllHeads, LabelHead, MapHeads, NameHeads, NamedHead, PoolProgress, PoolSource,
    StatisticsReady, StatisticsSource, UsePool, UseStatistics,
};
pub use self::model::{
    DevicePreference, DeviceSummary, LoadModel, MemorySummary, ModelSettings, ModelSource, OpenPack, OpenSeconds,
    PackSummary, SaveModel, SavedModel, Storage, StorageSummary, is_archive,
};
pub use self::photo::{
    Attribute, Attribution, ExportMask, MaskPng, MeanAttribution, PhotoSummary, Reframe, Segment, Segmented,
    TracePhoto, TraceSeconds,
};
pub use self::request::{AHEAD, GREETING, Request, Response};
pub use self::sentence::sentence;
pub use self::task_kind::TaskKind;
pub use self::task_progress::TaskProgress;
pub use self::work::{Answer, Task, UnexpectedAnswer, VideoAnswer, VideoTask, Work};
