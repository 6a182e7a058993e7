//! What the video view asks of the worker. Frames are pumped: one request at a time, so that stopping is not
//! to ask for more, and everything else goes between two of them.

use std::collections::VecDeque;
use std::rc::Rc;

use leptos::prelude::*;
use leptos::web_sys::{Blob, File};

use super::player_pictures;
use super::state::{Media, Mode, Picture, Reel, Taken, VideoLayer, VideoState, Work};
use crate::page::common::browser::dom::{self, ObjectUrl};
use crate::page::core::browser::engine::{Engine, Freight, ahead};
use crate::page::core::queue::Kind;
use crate::page::video::time;
use crate::protocol::sampling::Sampling;
use crate::protocol::video::{
    ExportJson, ExportMasks, ForgetMasks, LabelTracks, MasksOf, OpenVideo, Propagate, Retrack, Run, SampleVideo,
    ScoreFrames, Seed, SegmentFrame, SplitScores, TraceFrame, UseVideoStatistics, VideoSource,
};
use crate::protocol::{Task, VideoTask, sentence};
use crate::text::natural_order;

/// The clip that comes with the page.
const SAMPLE: (&str, &str) = ("bunny.webm", "samples/bunny.webm");

/// A row of pictures is played at this many a second.
pub const PICTURES_PER_SECOND: f64 = 10.0;

/// Texts to ask for per object.
const LABELS: usize = 3;

impl Engine {
    pub(in crate::page) fn video(self) -> VideoState {
        self.state.video
    }

    /// Opens a video file.
    pub fn open_video(self, name: String, blob: Blob) {
        match ObjectUrl::of(&blob) {
            Some(url) => {
                self.open_reel(Reel { name, media: Media::File { blob, url: Rc::new(url), taken: None } })
            }
            None => self.complain(Kind::Video, format!("The browser cannot play {name}: choose it again.")),
        }
    }

    /// Opens the clip that comes with the page.
    pub fn open_sample_clip(self) {
        let (name, url) = SAMPLE;
        self.while_reading(async move {
            match dom::fetch(name, url).await {
                Ok(blob) => self.open_video(name.to_owned(), blob),
                Err(err) => self.complain(Kind::Video, sentence(&err.to_string())),
            }
        });
    }

    /// Opens pictures as the frames of a video: in the order of the numbers in their names.
    pub fn open_frames(self, files: Vec<File>) {
        let mut files: Vec<File> = files.into_iter().filter(|file| file.type_().starts_with("image/")).collect();
        files.sort_by(|a, b| natural_order::compare(&a.name(), &b.name()));
        if files.is_empty() {
            return self.complain(Kind::Video, "There are no pictures among these files.".to_owned());
        }
        let picture = |(index, file): (usize, File)| Picture {
            name: file.name(),
            time: index as f64 / PICTURES_PER_SECOND,
            blob: file.into(),
        };
        let pictures: Vec<Picture> = files.into_iter().enumerate().map(picture).collect();
        let name = format!("{} pictures", pictures.len());
        self.open_pictures(name, pictures);
    }

    /// Opens pictures with their times as the frames of a video.
    pub fn open_pictures(self, name: String, pictures: Vec<Picture>) {
        self.open_reel(Reel { name, media: Media::Pictures(pictures.into()) });
    }

    fn open_reel(self, reel: Reel) {
        let of_pictures = |pictures: &Rc<[Picture]>| {
            let names = pictures.iter().map(|picture| picture.name.clone()).collect();
            let times = pictures.iter().map(|picture| picture.time).collect();
            let files = pictures.iter().map(|picture| picture.blob.clone()).collect();
            (VideoSource::Pictures { names, times }, files)
        };
        let (source, files) = match &reel.media {
            Media::File { taken: Some(Taken { pictures, .. }), .. } | Media::Pictures(pictures) => {
                of_pictures(pictures)
            }
            Media::File { blob, .. } => (VideoSource::File { name: reel.name.clone() }, vec![blob.clone()]),
        };
        self.video().opening.set(Some(reel));
        let number = self.number_opening();
        self.want(OpenVideo { reel: number, source }, Freight::of_files(files));
    }

    /// The worker cannot decode a file: the page's own player may. Says `sentence` where it does not either.
    pub(super) fn open_by_element(self, reel: Reel, sentence: String) {
        match &reel.media {
            Media::File { taken: None, .. } => self.take_pictures(reel, Sampling::default(), sentence),
            Media::File { .. } | Media::Pictures(_) => self.complain(Kind::Video, sentence),
        }
    }

    /// Lets the page's own player show the moments of `sampling`, and opens what it showed.
    fn take_pictures(self, reel: Reel, sampling: Sampling, sentence: String) {
        let (Media::File { blob, url, .. }, name) = (reel.media, reel.name) else { return };
        let opening = self.inner.with_value(|inner| inner.opening_reel);
        self.while_reading(async move {
            let taken = player_pictures::pictures(&name, &blob, sampling).await;
            // Another video has been opened meanwhile.
            if self.inner.with_value(|inner| inner.opening_reel) != opening {
                return;
            }
            match taken {
                Ok(taken) => {
                    let media = Media::File { blob, url, taken: Some(taken) };
                    self.open_reel(Reel { name, media });
                }
                // The worker's reason says more of the file than the player's.
                Err(_) => self.complain(Kind::Video, sentence),
            }
        });
    }

    /// Opens the same video again, in a worker or for a model that does not know it.
    pub(in crate::page) fn reopen_video(self) {
        let reel = self.video().opening.get_untracked().or_else(|| self.video().reel.get_untracked());
        if let Some(reel) = reel {
            self.video().forget_frames();
            self.video().sampled.set(None);
            self.open_reel(reel);
        }
    }

    /// Chooses the frames to look at, and starts.
    pub fn sample_video(self, sampling: Sampling) {
        let reel = self.video().reel.get_untracked();
        let taken = reel.as_ref().and_then(Reel::taken).map(|taken| taken.sampling);
        // Other moments than the player was asked for.
        if let Some((reel, _)) = reel.zip(taken.filter(|taken| !taken.has_moments_of(&sampling))) {
            let sentence = format!("The browser stopped playing {}: open it again.", reel.name);
            self.number_opening();
            return self.take_pictures(reel, sampling, sentence);
        }
        self.video().forget_frames();
        self.withdraw(Kind::Frame);
        // Answers about the frames before are out of date.
        let reel = self.number_sampling();
        self.want_of_video(SampleVideo { reel, sampling });
    }

    /// Looks at the frames that are left.
    pub fn look_on(self) {
        self.video().work.set(Work::Running);
        self.pump();
    }

    /// Stops after the current frame; what is done stays.
    pub fn pause_looking(self) {
        self.video().work.set(Work::Paused);
        self.withdraw(Kind::Frame);
    }

    /// Asks for the next frame, if that is wanted.
    pub(super) fn pump(self) {
        let video = self.video();
        let total = video.sampled.with_untracked(|sampled| sampled.as_ref().map_or(0, |all| all.times.len()));
        let index = video.next.get_untracked();
        if video.work.get_untracked() != Work::Running {
            return;
        }
        if index < total {
            let ahead = ahead(total - index - 1);
            self.want_of_video(TraceFrame { reel: self.reel(), index, ahead });
        } else {
            video.work.set(Work::Idle);
            if !video.frames.with_untracked(Vec::is_empty) && untrack(|| self.can_describe()) {
                self.label_tracks();
            }
        }
    }

    /// Whether there are texts to describe objects by.
    pub fn can_describe(self) -> bool {
        let own = self.state.own_pool.with(Option::is_some);
        let pack = self.state.pack.with(|pack| pack.as_ref().is_some_and(|pack| pack.pool_lines > 0));
        self.state.has_text() && (own || pack)
    }

    pub fn label_tracks(self) {
        self.want_of_video(LabelTracks { reel: self.reel(), count: LABELS });
    }

    /// Follows the objects of other heads.
    pub fn retrack(self, heads: Vec<usize>) {
        self.video().heads.set(heads.clone());
        if heads.is_empty() {
            return self.complain(Kind::Retrack, "Choose one head or more: each finds an object.".to_owned());
        }
        self.want_of_video(Retrack { reel: self.reel(), heads });
    }

    /// Labels heads from this video's frames.
    pub fn use_video_statistics(self) {
        self.want_of_video(UseVideoStatistics { reel: self.reel() });
    }

    /// Shows the propagation an object on one frame.
    pub fn seed(self, seed: Seed) {
        let video = self.video();
        let frame = seed.frame;
        video.seeds.update(|seeds| seeds.push(seed));
        video.layer.set(VideoLayer::Propagation);
        let run = self.new_run();
        // Its own frame at once, in a run of the seeds of this frame alone.
        let seeds = run.seeds.iter().filter(|seed| seed.frame == frame).cloned().collect();
        video.steps.set(VecDeque::from([(Run { seeds, ..run }, frame)]));
        self.propagate_on();
    }

    /// Propagates all seeds through the video.
    pub fn propagate(self, forward: bool, backward: bool) {
        let video = self.video();
        let frames = video.times().len();
        let mut steps = VecDeque::new();
        for (is_wanted, is_forward) in [(forward, true), (backward, false)] {
            if is_wanted {
                let run = self.new_run();
                let seeded = run.seeds.iter().map(|seed| seed.frame).collect::<Vec<_>>();
                let path = time::path(seeded.into_iter(), frames, is_forward);
                steps.extend(path.into_iter().map(|frame| (run.clone(), frame)));
            }
        }
        video.layer.set(VideoLayer::Propagation);
        video.steps.set(steps);
        self.propagate_on();
    }

    /// Asks for the next step of the propagation.
    pub(super) fn propagate_on(self) {
        let step = self.video().steps.with_untracked(|steps| steps.front().cloned());
        if let Some((run, index)) = step {
            self.want_of_video(Propagate { reel: self.reel(), run, index });
        }
    }

    /// Stops propagating; what is done stays.
    pub fn stop_propagating(self) {
        self.video().steps.update(VecDeque::clear);
        self.withdraw(Kind::Propagation);
    }

    /// Forgets seeds and masks, here and in the worker.
    pub fn forget_propagation(self) {
        self.stop_propagating();
        // What is under way is of a run with a lower number.
        let now = self.next_stamp();
        self.inner.update_value(|inner| inner.started_over = now);
        self.video().forget_propagation();
        self.want_of_video(ForgetMasks { reel: self.reel() });
    }

    fn new_run(self) -> Run {
        let video = self.video();
        Run {
            number: self.next_stamp(),
            seeds: video.seeds.get_untracked(),
            short_side: video.short_side.get_untracked(),
        }
    }

    /// Saves tracks or propagated masks as JSON.
    pub fn export_tracks(self, of: MasksOf) {
        let names = self
            .video()
            .objects
            .with_untracked(|objects| objects.iter().map(|look| (look.id, look.name.clone())).collect());
        self.want_of_video(ExportJson { reel: self.reel(), of, names });
    }

    /// Saves the masks as a zip of pictures.
    pub fn export_masks(self, of: MasksOf) {
        self.want_of_video(ExportMasks { reel: self.reel(), of });
    }

    /// The number that work on the open video's frames has.
    pub(super) fn reel(self) -> u32 {
        self.inner.with_value(|inner| inner.reel)
    }

    /// Whether a task's answer is about what is on screen, or about to be.
    pub(super) fn is_current(self, task: &VideoTask) -> bool {
        let is_opening = matches!(task, VideoTask::Open(_));
        self.inner.with_value(|inner| task.reel() == if is_opening { inner.opening_reel } else { inner.reel })
    }

    fn number_opening(self) -> u32 {
        let number = self.next_stamp();
        self.inner.update_value(|inner| inner.opening_reel = number);
        number
    }

    fn number_sampling(self) -> u32 {
        let number = self.next_stamp();
        self.inner.update_value(|inner| inner.reel = number);
        number
    }

    fn want_of_video(self, task: impl Into<Task>) {
        self.want(task, Freight::default());
    }

    /// Wants the work that the video view's state calls for, whenever that changes.
    pub(in crate::page) fn follow_video(self) {
        let (state, video) = (self.state, self.video());
        Effect::new(move || {
            let frames = video.frames.with(Vec::len);
            let (phrases, templates) = (state.phrases.get().as_slice().to_vec(), state.templates.get());
            if frames == 0 || phrases.is_empty() || !state.has_text() {
                video.scores.set(None);
                return self.withdraw(Kind::FrameScores);
            }
            self.want_of_video(ScoreFrames { reel: self.reel(), phrases, templates });
        });
        Effect::new(move || {
            let frames = video.frames.with(Vec::len);
            match state.chosen.get().filter(|_| video.is_split.get() && frames > 0 && state.has_text()) {
                Some(phrase) => {
                    let (reel, templates) = (self.reel(), state.templates.get());
                    self.want_of_video(SplitScores { reel, phrase, templates });
                }
                None => self.withdraw(Kind::SplitScores),
            }
        });
        Effect::new(move || {
            let is_wanted = video.layer.get() == VideoLayer::Segmentation && !video.is_playing.get();
            let is_wanted = is_wanted && state.has_text();
            let here = video.sampled_here().filter(|_| is_wanted && video.sampled.with(Option::is_some));
            match here.zip(state.chosen.get()) {
                Some((index, phrase)) => {
                    let (against, background) = self.against(&phrase);
                    let reel = self.reel();
                    self.want_of_video(SegmentFrame { reel, index, phrase, against, background });
                }
                None => self.withdraw(Kind::FrameSegmentation),
            }
        });
    }

    /// Shows the page's photo or its video.
    pub fn show_mode(self, mode: Mode) {
        self.video().mode.set(mode);
        if mode == Mode::Photo {
            self.video().is_playing.set(false);
        }
    }
}
