//! The video view's state: what is open, what has been made of its frames, and what is shown of that.

use std::collections::{BTreeMap, VecDeque};
use std::rc::Rc;
use std::sync::Arc;

use leptos::prelude::*;
use leptos::web_sys::Blob;

use crate::geometry::{Grid, PhotoRect, Size};
use crate::page::common::browser::dom::ObjectUrl;
use crate::page::video::time::{self, Pace};
use crate::protocol::sampling::Sampling;
use crate::protocol::video::{FrameObjects, FrameSeconds, Run, SampledVideo, Seed, VideoSummary};

/// What the page is about.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Mode {
    #[default]
    Photo,
    Video,
}

/// One picture of a video that is a row of pictures.
#[derive(Clone, Debug)]
pub struct Picture {
    pub name: String,
    pub blob: Blob,
    /// Seconds from which it is shown.
    pub time: f64,
}

/// Pictures that the page's own player showed of a file.
#[derive(Clone)]
pub struct Taken {
    pub pictures: Rc<[Picture]>,
    /// The moments that they were taken at.
    pub sampling: Sampling,
    /// Of the whole file, in seconds.
    pub duration: f64,
}

/// What the page plays.
#[derive(Clone)]
pub enum Media {
    /// A file, and what the player showed of it where the worker cannot decode it itself.
    File {
        blob: Blob,
        url: Rc<ObjectUrl>,
        taken: Option<Taken>,
    },
    Pictures(Rc<[Picture]>),
}

/// An open video.
#[derive(Clone)]
pub struct Reel {
    pub name: String,
    pub media: Media,
}

impl Reel {
    /// What was taken of the file; none where the worker reads it, or there is none.
    pub fn taken(&self) -> Option<&Taken> {
        match &self.media {
            Media::File { taken, .. } => taken.as_ref(),
            Media::Pictures(_) => None,
        }
    }

    /// Whether the other is this very one, opened again.
    pub fn is_same(&self, other: &Self) -> bool {
        match (&self.media, &other.media) {
            (Media::File { url, .. }, Media::File { url: other, .. }) => Rc::ptr_eq(url, other),
            (Media::Pictures(pictures), Media::Pictures(others)) => Rc::ptr_eq(pictures, others),
            _ => false,
        }
    }
}

/// One frame, looked at.
#[derive(Clone, Debug, PartialEq)]
pub struct TracedFrame {
    /// Among the sampled frames.
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

/// Masks that were propagated to one frame.
#[derive(Clone, Debug, PartialEq)]
pub struct PropagatedMasks {
    pub grid: Grid,
    pub crop_in_frame: PhotoRect,
    pub objects: Vec<u32>,
    /// `[object][patch]`, background first.
    pub masks: Vec<f32>,
}

/// Whether frames are being looked at.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Work {
    #[default]
    Idle,
    Running,
    Paused,
}

/// What lies over the frames.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum VideoLayer {
    #[default]
    Tracks,
    Attention,
    Segmentation,
    Propagation,
    None,
}

/// What a press on the frame does.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Tool {
    #[default]
    None,
    Point,
    Box,
}

/// How an object appears.
#[derive(Clone, Debug, PartialEq)]
pub struct ObjectLook {
    pub id: u32,
    pub name: String,
    pub is_shown: bool,
    /// Text, and how much more it scores on the object than beside it.
    pub labels: Vec<(String, f32)>,
}

/// Phrases' scores on the frames that are done.
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

#[derive(Clone, Copy)]
pub struct VideoState {
    pub mode: RwSignal<Mode>,
    pub reel: RwSignal<Option<Reel>, LocalStorage>,
    /// A video that is being opened.
    pub opening: RwSignal<Option<Reel>, LocalStorage>,
    pub summary: RwSignal<Option<VideoSummary>>,
    /// As the user wants it.
    pub sampling: RwSignal<Sampling>,
    /// As the frames at hand were sampled.
    pub sampled: RwSignal<Option<SampledVideo>>,
    pub frames: RwSignal<Vec<Arc<TracedFrame>>>,
    /// The sampled frame to look at next.
    pub next: RwSignal<usize>,
    pub work: RwSignal<Work>,
    pub pace: RwSignal<Pace>,
    /// Where the last frame spent its time.
    pub seconds: RwSignal<Option<FrameSeconds>>,

    pub time: RwSignal<f64>,
    /// Where the user wants to be; a new value is a new wish.
    pub wish: RwSignal<Option<f64>>,
    pub is_playing: RwSignal<bool>,
    /// Position in `frames` of the one at `time`.
    pub here: Memo<Option<usize>>,

    pub layer: RwSignal<VideoLayer>,
    pub opacity: RwSignal<f64>,
    pub is_smooth: RwSignal<bool>,
    pub head: RwSignal<usize>,
    pub objects: RwSignal<Vec<ObjectLook>>,
    /// Heads of the last block whose objects are followed, as the user wants it.
    pub heads: RwSignal<Vec<usize>>,

    pub scores: RwSignal<Option<FrameScores>>,
    pub is_split: RwSignal<bool>,
    pub split: RwSignal<Option<SplitScores>>,
    pub segmentation: RwSignal<Option<Arc<FrameSegmentation>>>,

    pub tool: RwSignal<Tool>,
    /// The object that is seeded.
    pub target: RwSignal<u32>,
    pub seeds: RwSignal<Vec<Seed>>,
    pub short_side: RwSignal<usize>,
    /// What is still to be propagated: a run, and the frame to take it to.
    pub steps: RwSignal<VecDeque<(Run, usize)>>,
    pub propagated: RwSignal<BTreeMap<usize, Arc<PropagatedMasks>>>,
    pub propagation_pace: RwSignal<Pace>,
}

impl VideoState {
    pub fn new() -> Self {
        let frames = RwSignal::new(Vec::<Arc<TracedFrame>>::new());
        let time = RwSignal::new(0.0);
        let here = Memo::new(move |_| {
            frames.with(|frames| {
                let times: Vec<f64> = frames.iter().map(|frame| frame.time).collect();
                time::frame_at(&times, times.len(), time.get())
            })
        });
        Self {
            mode: RwSignal::default(),
            reel: RwSignal::new_local(None),
            opening: RwSignal::new_local(None),
            summary: RwSignal::default(),
            sampling: RwSignal::default(),
            sampled: RwSignal::default(),
            frames,
            next: RwSignal::default(),
            work: RwSignal::default(),
            pace: RwSignal::default(),
            seconds: RwSignal::default(),
            time,
            wish: RwSignal::default(),
            is_playing: RwSignal::default(),
            here,
            layer: RwSignal::default(),
            opacity: RwSignal::new(0.9),
            is_smooth: RwSignal::default(),
            head: RwSignal::default(),
            objects: RwSignal::default(),
            heads: RwSignal::default(),
            scores: RwSignal::default(),
            is_split: RwSignal::default(),
            split: RwSignal::default(),
            segmentation: RwSignal::default(),
            tool: RwSignal::default(),
            target: RwSignal::new(1),
            seeds: RwSignal::default(),
            short_side: RwSignal::new(224),
            steps: RwSignal::default(),
            propagated: RwSignal::default(),
            propagation_pace: RwSignal::default(),
        }
    }

    pub fn is_video(self) -> bool {
        self.mode.get() == Mode::Video
    }

    pub fn duration(self) -> f64 {
        self.summary.with(|summary| summary.as_ref().map_or(0.0, |summary| summary.duration))
    }

    /// The seconds from which the sampled frames are shown.
    pub fn times(self) -> Vec<f64> {
        self.sampled.with(|sampled| sampled.as_ref().map(|sampled| sampled.times.clone()).unwrap_or_default())
    }

    /// The sampled frame at the current time, looked at or not.
    pub fn sampled_here(self) -> Option<usize> {
        let times = self.times();
        time::frame_at(&times, times.len(), self.time.get())
    }

    /// The frame on screen, where it has been looked at: none where the current time is beyond what is done.
    pub fn frame_here(self) -> Option<Arc<TracedFrame>> {
        let here = self.here.get()?;
        let frame = self.frames.with(|frames| frames.get(here).cloned())?;
        (self.sampled_here()? < self.next.get()).then_some(frame)
    }

    /// Goes to a moment of the video.
    pub fn seek(self, time: f64) {
        let time = time.clamp(0.0, self.duration());
        self.time.set(time);
        self.wish.set(Some(time));
    }

    /// Goes some sampled frames on or back.
    pub fn step(self, step: isize) {
        self.is_playing.set(false);
        if let Some(time) = time::neighbour(&self.times(), self.time.get_untracked(), step) {
            self.seek(time);
        }
    }

    /// Forgets what was made of the frames.
    pub fn forget_frames(self) {
        self.frames.set(Vec::new());
        self.next.set(0);
        self.work.set(Work::Idle);
        self.objects.set(Vec::new());
        self.scores.set(None);
        self.split.set(None);
        self.segmentation.set(None);
        self.forget_propagation();
    }

    /// Forgets seeds and masks.
    pub fn forget_propagation(self) {
        self.seeds.set(Vec::new());
        self.steps.set(VecDeque::new());
        self.propagated.set(BTreeMap::new());
        self.target.set(1);
    }

    /// Adds the objects that are not known yet.
    pub fn meet(self, ids: &[u32]) {
        let is_known = |id: &u32| self.objects.with_untracked(|known| known.iter().any(|look| look.id == *id));
        let new: Vec<u32> = ids.iter().copied().filter(|id| !is_known(id)).collect();
        if !new.is_empty() {
            self.objects.update(|objects| {
                for id in new {
                    let name = format!("Object {}", objects.len() + 1);
                    objects.push(ObjectLook { id, name, is_shown: true, labels: Vec::new() });
                }
            });
        }
    }
}
