//! The video view's state: the video, its frames, their objects, and the layer over them.

use std::collections::{BTreeMap, VecDeque};
use std::rc::Rc;
use std::sync::Arc;

use leptos::prelude::*;
use leptos::web_sys::Blob;

use crate::geometry::{Grid, PhotoRect, Size};
use crate::page::common::browser::dom::ObjectUrl;
use crate::page::core::browser::core::Core;
use crate::page::model::browser::state::ModelState;
use crate::page::photo::browser::phrases::PhrasesState;
use crate::page::photo::browser::segmentation::SegmentationState;
use crate::page::video::time::{self, Pace};
use crate::protocol::sampling::Sampling;
use crate::protocol::video::{FrameObjects, FrameSeconds, PropagationRun, SampledVideo, Seed, VideoSummary};

/// The view on screen.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Mode {
    #[default]
    Photo,
    Video,
}

/// One picture of a video that is a sequence of pictures.
#[derive(Clone, Debug)]
pub struct Picture {
    pub name: String,
    pub blob: Blob,
    /// The second from which the picture is shown.
    pub time: f64,
}

/// Pictures of a file, taken from the browser's player.
#[derive(Clone)]
pub struct PlayerPictures {
    pub pictures: Rc<[Picture]>,
    /// The moments of the pictures.
    pub sampling: Sampling,
    /// The length of the whole file, in seconds.
    pub duration: f64,
}

/// The source of a video.
#[derive(Clone)]
pub enum Media {
    /// A file. If the worker cannot decode the file, `taken` are its pictures from the browser's player.
    File {
        blob: Blob,
        url: Rc<ObjectUrl>,
        taken: Option<PlayerPictures>,
    },
    Pictures(Rc<[Picture]>),
}

/// An open video.
#[derive(Clone)]
pub struct LoadedVideo {
    pub name: String,
    pub media: Media,
}

impl LoadedVideo {
    /// Returns the pictures of the file from the browser's player; `None` if the worker decodes the file.
    pub fn taken(&self) -> Option<&PlayerPictures> {
        match &self.media {
            Media::File { taken, .. } => taken.as_ref(),
            Media::Pictures(_) => None,
        }
    }

    /// Returns whether `other` is the same video, opened again.
    pub fn is_same(&self, other: &Self) -> bool {
        match (&self.media, &other.media) {
            (Media::File { url, .. }, Media::File { url: other, .. }) => Rc::ptr_eq(url, other),
            (Media::Pictures(pictures), Media::Pictures(others)) => Rc::ptr_eq(pictures, others),
            _ => false,
        }
    }
}

/// One frame after the model has run on it.
#[derive(Clone, Debug, PartialEq)]
pub struct TracedFrame {
    /// The index among the sampled frames.
    pub index: usize,
    pub time: f64,
    pub grid: Grid,
    pub crop_in_frame: PhotoRect,
    pub objects: FrameObjects,
    /// `[object][patch]`
    pub tracks: Vec<f32>,
    /// `[head][patch]`, of the last block.
    pub attention: Vec<f32>,
}

/// A sampled frame's segmentation by a phrase.
#[derive(Clone, Debug, PartialEq)]
pub struct FrameSegmentation {
    pub index: usize,
    pub phrase: String,
    pub size: Size,
    pub crop_in_frame: PhotoRect,
    pub threshold: f32,
    pub is_empty: bool,
    pub map: Vec<f32>,
}

/// The propagated masks on one frame.
#[derive(Clone, Debug, PartialEq)]
pub struct PropagatedMasks {
    pub grid: Grid,
    pub crop_in_frame: PhotoRect,
    pub objects: Vec<u32>,
    /// `[object][patch]`, background first.
    pub masks: Vec<f32>,
}

/// Whether the model runs on the frames.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum TracingState {
    #[default]
    Idle,
    Running,
    Paused,
}

/// The layer over the frames.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum VideoLayer {
    #[default]
    Tracks,
    Attention,
    Segmentation,
    Propagation,
    None,
}

/// The effect of a click on the frame.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Tool {
    #[default]
    None,
    Point,
    Box,
}

/// The appearance of an object: its name, its visibility and its texts.
#[derive(Clone, Debug, PartialEq)]
pub struct ObjectLook {
    pub id: u32,
    pub name: String,
    pub is_shown: bool,
    /// Each text with the difference of its score: the object minus the rest of the frame.
    pub labels: Vec<(String, f32)>,
}

/// The scores of phrases on the frames that are done.
#[derive(Clone, Debug, PartialEq)]
pub struct FrameScores {
    pub phrases: Vec<String>,
    /// `[phrase][frame]`
    pub values: Vec<Vec<f32>>,
}

/// One phrase's scores on the frames, divided among heads: `[layer][head][frame]`.
#[derive(Clone, Debug, PartialEq)]
pub struct SplitScores {
    pub phrase: String,
    pub frames: usize,
    pub parts: Vec<f32>,
}

/// The video, and its moment on screen.
#[derive(Clone, Copy)]
pub struct PlayerState {
    pub mode: RwSignal<Mode>,
    pub loaded: RwSignal<Option<LoadedVideo>, LocalStorage>,
    /// A video that is being opened.
    pub opening: RwSignal<Option<LoadedVideo>, LocalStorage>,
    pub summary: RwSignal<Option<VideoSummary>>,
    /// The moment on screen, in seconds.
    pub time: RwSignal<f64>,
    /// The moment that the player must seek to. Each new value is a new seek.
    pub seek_to: RwSignal<Option<f64>>,
    pub is_playing: RwSignal<bool>,
}

impl PlayerState {
    fn new() -> Self {
        Self {
            mode: RwSignal::default(),
            loaded: RwSignal::new_local(None),
            opening: RwSignal::new_local(None),
            summary: RwSignal::default(),
            time: RwSignal::new(0.0),
            seek_to: RwSignal::default(),
            is_playing: RwSignal::default(),
        }
    }

    pub fn is_video(self) -> bool {
        self.mode.get() == Mode::Video
    }

    /// Returns the video's name; empty before a video is open.
    pub fn name(self) -> String {
        self.loaded.with(|video| video.as_ref().map(|video| video.name.clone())).unwrap_or_default()
    }

    /// Returns the video's length in seconds.
    pub fn duration(self) -> f64 {
        self.summary.with(|summary| summary.as_ref().map_or(0.0, |summary| summary.duration))
    }

    /// Returns the frames' size in pixels.
    pub fn size(self) -> Option<Size> {
        self.summary.with(|summary| summary.as_ref().map(|summary| summary.size))
    }

    /// Goes to a moment of the video.
    pub fn seek(self, time: f64) {
        let time = time.clamp(0.0, self.duration());
        self.time.set(time);
        self.seek_to.set(Some(time));
    }

    /// Shows the photo view or the video view.
    pub fn show(self, mode: Mode) {
        self.mode.set(mode);
        if mode == Mode::Photo {
            self.is_playing.set(false);
        }
    }
}

/// The sampled frames, and the model's progress with them.
#[derive(Clone, Copy)]
pub struct FramesState {
    player: PlayerState,
    /// The sampling that the user has chosen.
    pub sampling: RwSignal<Sampling>,
    /// The current frames, with the sampling that they were chosen by.
    pub sampled: RwSignal<Option<SampledVideo>>,
    pub traced: RwSignal<Vec<Arc<TracedFrame>>>,
    /// The index of the sampled frame that the model processes next.
    pub next: RwSignal<usize>,
    pub work: RwSignal<TracingState>,
    pub pace: RwSignal<Pace>,
    /// The time of the last frame, divided among the steps.
    pub seconds: RwSignal<Option<FrameSeconds>>,
    /// The index in `traced` of the frame on screen.
    pub here: Memo<Option<usize>>,
}

impl FramesState {
    fn new(player: PlayerState) -> Self {
        let traced = RwSignal::new(Vec::<Arc<TracedFrame>>::new());
        let here = Memo::new(move |_| {
            traced.with(|frames| {
                let times: Vec<f64> = frames.iter().map(|frame| frame.time).collect();
                time::frame_at(&times, times.len(), player.time.get())
            })
        });
        Self {
            player,
            sampling: RwSignal::default(),
            sampled: RwSignal::default(),
            traced,
            next: RwSignal::default(),
            work: RwSignal::default(),
            pace: RwSignal::default(),
            seconds: RwSignal::default(),
            here,
        }
    }

    /// Returns the times from which the sampled frames are shown, in seconds.
    pub fn times(self) -> Vec<f64> {
        self.sampled.with(|sampled| sampled.as_ref().map(|sampled| sampled.times.clone()).unwrap_or_default())
    }

    /// Returns the index of the sampled frame on screen, traced or not.
    pub fn sampled_here(self) -> Option<usize> {
        let times = self.times();
        time::frame_at(&times, times.len(), self.player.time.get())
    }

    /// Returns the frame on screen; `None` if the frame has not been traced.
    pub fn traced_here(self) -> Option<Arc<TracedFrame>> {
        let here = self.here.get()?;
        let frame = self.traced.with(|frames| frames.get(here).cloned())?;
        (self.sampled_here()? < self.next.get()).then_some(frame)
    }

    /// Goes some sampled frames forward or back.
    pub fn step(self, step: isize) {
        self.player.is_playing.set(false);
        if let Some(time) = time::neighbour(&self.times(), self.player.time.get_untracked(), step) {
            self.player.seek(time);
        }
    }
}

/// The tracked objects.
#[derive(Clone, Copy)]
pub struct ObjectsState {
    pub looks: RwSignal<Vec<ObjectLook>>,
    /// The heads of the last block that the user has chosen to track objects of.
    pub heads: RwSignal<Vec<usize>>,
}

impl ObjectsState {
    /// Adds the objects that are not known yet.
    pub fn meet(self, ids: &[u32]) {
        let is_known = |id: &u32| self.looks.with_untracked(|known| known.iter().any(|look| look.id == *id));
        let new: Vec<u32> = ids.iter().copied().filter(|id| !is_known(id)).collect();
        if !new.is_empty() {
            self.looks.update(|looks| {
                for id in new {
                    let name = format!("Object {}", looks.len() + 1);
                    looks.push(ObjectLook { id, name, is_shown: true, labels: Vec::new() });
                }
            });
        }
    }
}

/// The layer over the frames.
#[derive(Clone, Copy)]
pub struct VideoOverlayState {
    pub layer: RwSignal<VideoLayer>,
    pub opacity: RwSignal<f64>,
    pub is_smooth: RwSignal<bool>,
    /// The head of the last block whose attention is shown.
    pub head: RwSignal<usize>,
    pub segmentation: RwSignal<Option<Arc<FrameSegmentation>>>,
}

/// The phrases' scores over time.
#[derive(Clone, Copy)]
pub struct PhraseChartState {
    pub scores: RwSignal<Option<FrameScores>>,
    /// Whether the chosen phrase's scores are divided among the heads.
    pub is_split: RwSignal<bool>,
    pub split: RwSignal<Option<SplitScores>>,
}

/// Masks of objects that the user points at, propagated through the frames.
#[derive(Clone, Copy)]
pub struct MasksState {
    pub tool: RwSignal<Tool>,
    /// The object that the next seed belongs to.
    pub target: RwSignal<u32>,
    pub seeds: RwSignal<Vec<Seed>>,
    pub short_side: RwSignal<usize>,
    /// The steps that wait: a run, and the next frame of the run.
    pub steps: RwSignal<VecDeque<(PropagationRun, usize)>>,
    pub propagated: RwSignal<BTreeMap<usize, Arc<PropagatedMasks>>>,
    pub pace: RwSignal<Pace>,
}

impl MasksState {
    /// Drops seeds and masks.
    pub fn forget(self) {
        self.seeds.set(Vec::new());
        self.steps.set(VecDeque::new());
        self.propagated.set(BTreeMap::new());
        self.target.set(1);
    }
}

/// Numbers that show which answers are out of date.
#[derive(Default)]
pub(super) struct Numbers {
    /// The number of the open video's current sampling.
    pub sampling: u32,
    /// The number of the video that is being opened.
    pub opening: u32,
    /// Runs of masks with a lower number were forgotten.
    pub first_run: u32,
}

/// The video view.
#[derive(Clone, Copy)]
pub struct VideoState {
    pub core: Core,
    pub(super) model: ModelState,
    pub(super) phrases: PhrasesState,
    pub(super) segmentation: SegmentationState,
    pub player: PlayerState,
    pub frames: FramesState,
    pub objects: ObjectsState,
    pub overlay: VideoOverlayState,
    pub chart: PhraseChartState,
    pub masks: MasksState,
    pub(super) numbers: StoredValue<Numbers>,
}

impl VideoState {
    pub fn new(core: Core, model: ModelState, phrases: PhrasesState, segmentation: SegmentationState) -> Self {
        let player = PlayerState::new();
        let state = Self {
            core,
            model,
            phrases,
            segmentation,
            player,
            frames: FramesState::new(player),
            objects: ObjectsState { looks: RwSignal::default(), heads: RwSignal::default() },
            overlay: VideoOverlayState {
                layer: RwSignal::default(),
                opacity: RwSignal::new(0.9),
                is_smooth: RwSignal::default(),
                head: RwSignal::default(),
                segmentation: RwSignal::default(),
            },
            chart: PhraseChartState {
                scores: RwSignal::default(),
                is_split: RwSignal::default(),
                split: RwSignal::default(),
            },
            masks: MasksState {
                tool: RwSignal::default(),
                target: RwSignal::new(1),
                seeds: RwSignal::default(),
                short_side: RwSignal::new(224),
                steps: RwSignal::default(),
                propagated: RwSignal::default(),
                pace: RwSignal::default(),
            },
            numbers: StoredValue::default(),
        };
        state.ask_for_scores();
        state.ask_for_segmentation();
        state
    }

    /// Drops all results for the frames.
    pub fn forget_frames(self) {
        self.frames.traced.set(Vec::new());
        self.frames.next.set(0);
        self.frames.work.set(TracingState::Idle);
        self.objects.looks.set(Vec::new());
        self.chart.scores.set(None);
        self.chart.split.set(None);
        self.overlay.segmentation.set(None);
        self.masks.forget();
    }
}
