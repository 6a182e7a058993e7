//! What the page asks and the worker answers.
//!
//! The variants are units of work, not buttons. Every request carries a number that its answer, and any
//! progress on the way, repeats. Large arrays do not pass through serde: they travel beside the message as
//! transferred buffers, named in each variant's docs.

use serde::{Deserialize, Serialize};

use super::completeness::message::{Classes, Completeness};
use super::cues::message::{CuePrompts, CueReport, LabelledPicture};
use super::video::message::{VideoAnswer, VideoTask};
use crate::ablate::Ablation;
use crate::geometry::{Framing, Grid, PhotoRect, Size};

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

/// Where the page would like the model to run.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum DevicePreference {
    /// A real GPU where there is one, the CPU otherwise.
    #[default]
    Auto,
    Cpu,
    /// WebGPU on whatever adapter there is, a software one included; fails where there is none.
    Gpu,
}

/// Where a published model's weights are.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum ModelSource {
    /// Files of these names: weights, and the configs that belong to them.
    Files { names: Vec<String> },
    /// A repository ("openai/clip-vit-base-patch32") of a hub; none: the usual one.
    Hub { repository: String, hub: Option<String> },
}

/// How a model's matrices are kept.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum Storage {
    #[default]
    Q8,
    Q4,
    F16,
}

impl Storage {
    /// "8 bits".
    pub fn label(self) -> &'static str {
        match self {
            Self::Q8 => "8 bits",
            Self::Q4 => "4 bits",
            Self::F16 => "16 bits",
        }
    }
}

/// What the user says of a model that neither its weights nor a config tells.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Told {
    pub vision_heads: Option<usize>,
    pub text_heads: Option<usize>,
    /// QuickGELU, as OpenAI's weights have it; else GELU.
    pub quick_gelu: Option<bool>,
}

/// Where head statistics come from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum StatisticsSource {
    /// The pack's own.
    Pack,
    /// A file that headlamp wrote.
    File,
    /// The gallery.
    Gallery,
}

/// A picture of a gallery, as its file says.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct GalleryEntry {
    pub name: String,
    pub bytes: u64,
    /// Milliseconds since 1970.
    pub modified: u64,
}

/// What a gallery is ordered by.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum RankBy {
    /// Likeness to the current photo.
    Photo,
    /// Likeness to one of the gallery's own.
    Picture(usize),
    /// The score of a phrase.
    Phrase(String),
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

/// What the model panel shows of an open pack.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct PackSummary {
    pub name: String,
    /// What the model is, and what it can and cannot do.
    pub description: String,
    pub licence: String,
    pub layers: usize,
    pub heads: usize,
    pub width: usize,
    pub patch: usize,
    /// Side of the model's own crop, in pixels.
    pub image_size: usize,
    /// Size of the embedding.
    pub embedding: usize,
    /// Whether phrases have a place in its embedding's space.
    pub has_text: bool,
    pub bytes: u64,
    /// SHA-256 of the weights.
    pub weights: String,
    /// The same, but where a person told how the weights are to be read: one of that too.
    pub model: String,
    /// How the weights are stored; none: in 32 bits.
    pub stored_as: Option<Storage>,
    /// What each way of storing the weights costs; empty where the pack does not say.
    pub storages: Vec<StorageSummary>,
    pub memory: MemorySummary,
    /// Why the browser does not keep what was converted; none where it does, or where there is nothing to keep.
    pub unkept: Option<String>,
    pub parameters: u64,
    /// Images behind the head statistics, zero where the pack has none.
    pub statistics_images: u64,
    /// Lines of the pack's text pool.
    pub pool_lines: usize,
    pub device: DeviceSummary,
    pub seconds: OpenSeconds,
}

/// What one way of storing the weights costs.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct StorageSummary {
    pub storage: Storage,
    /// Of the weights' file.
    pub bytes: u64,
    /// Root mean square error of the matrices, relative to their values.
    pub error: f64,
    /// The matrix with the largest, and its own.
    pub worst: String,
    pub worst_error: f64,
}

/// What an open model takes, in bytes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct MemorySummary {
    /// The weights as the device computes with them, in 32 bits however they are stored.
    pub weights: u64,
    /// All of the worker's memory, which only grows: opening the model took the most of it.
    pub worker: u64,
}

/// The device in use, and why it is that one.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct DeviceSummary {
    /// "CPU" or "GPU".
    pub kind: String,
    pub name: String,
    pub why: String,
}

/// Where opening a pack spent its time.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct OpenSeconds {
    pub download: f64,
    pub load: f64,
}

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

/// One of a head's texts.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct HeadLabel {
    pub text: String,
    /// Share of the head's variance over the gallery explained by this text and those before it.
    pub variance_explained: f32,
}

/// An error's words as a sentence: a capital first (but not in a file's name), a full stop last.
pub fn sentence(words: &str) -> String {
    let is_word = words.split(' ').next().is_some_and(|first| first.chars().all(char::is_alphabetic));
    let (first, rest) = words.split_at(words.chars().next().map_or(0, char::len_utf8));
    let first = if is_word { first.to_uppercase() } else { first.to_owned() };
    let stop = if words.ends_with(['.', '!', '?']) { "" } else { "." };
    format!("{first}{rest}{stop}")
}

#[cfg(test)]
mod tests {
    use super::sentence;

    #[test]
    fn sentences_start_with_a_capital_and_files_keep_their_names() {
        assert_eq!(sentence("open a photo first"), "Open a photo first.");
        assert_eq!(sentence("weights.safetensors is damaged"), "weights.safetensors is damaged.");
        assert_eq!(sentence("écrit à la main!"), "Écrit à la main!");
        assert_eq!(sentence(""), ".");
    }
}
