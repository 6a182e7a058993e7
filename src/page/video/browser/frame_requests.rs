//! The requests of the video view to the worker about the frames. The view asks for one frame after another. To stop
//! means to ask no more. Every other request is handled between two frames.

use std::sync::Arc;

use js_sys::Uint8Array;
use leptos::prelude::*;

use super::state::{LoadedVideo, TracedFrame, TracingState, VideoState};
use crate::page::common::browser::dom;
use crate::page::core::browser::core::{Outcome, floats_of};
use crate::protocol::sampling::Sampling;
use crate::protocol::video::{
    ExportJson, ExportMasks, ExportedFile, FrameSummary, LabelTracks, MasksOf, Retrack, Retracked, SampleVideo,
    SampledVideo, TraceFrame, TracksLabelled, UseVideoStatistics,
};
use crate::protocol::wire::Attachments;
use crate::protocol::{StatisticsSource, TaskKind, UnexpectedAnswer, Work};

/// The number of texts to ask for per object.
const LABELS: usize = 3;

/// If there are at most this many frames, the model starts at once. For more frames, the user starts the model.
const UNASKED: usize = 60;

/// If this many frames in a row cannot be read, the work on the video stops.
const BAD_FRAMES: usize = 5;

impl VideoState {
    /// Samples the frames. If there are few frames, also starts the model on them.
    pub fn sample(self, sampling: Sampling) {
        let video = self.player.loaded.get_untracked();
        let taken = video.as_ref().and_then(LoadedVideo::taken).map(|taken| taken.sampling);
        // The browser's player took pictures of other moments.
        if let Some((video, _)) = video.zip(taken.filter(|taken| !taken.has_moments_of(&sampling))) {
            let sentence = format!("The browser stopped playing {}: open it again.", video.name);
            self.number_opening();
            return self.take_pictures(video, sampling, sentence);
        }
        self.forget_frames();
        self.core.withdraw(TaskKind::Frame);
        // Answers about the earlier frames are out of date.
        let number = self.core.next_number();
        self.numbers.update_value(|numbers| numbers.sampling = number);
        self.ask(
            |video| SampleVideo { video, sampling },
            move |sampled, _buffers| {
                self.take_sampled(sampled);
                Ok(())
            },
        );
    }

    fn take_sampled(self, sampled: SampledVideo) {
        self.frames.sampling.set(sampled.sampling);
        let first = sampled.times.first().copied();
        self.frames.sampled.set(Some(sampled));
        if let Some(first) = first.filter(|first| self.player.time.get_untracked() < *first) {
            self.player.seek(first);
        }
        if untrack(|| self.frames.times().len()) <= UNASKED {
            self.go_on();
        }
    }

    /// Runs the model on the frames that are left.
    pub fn go_on(self) {
        self.frames.work.set(TracingState::Running);
        self.ask_for_next_frame();
    }

    /// Stops after the current frame. Finished frames stay.
    pub fn pause(self) {
        self.frames.work.set(TracingState::Paused);
        self.core.withdraw(TaskKind::Frame);
    }

    /// Asks for the next frame, if the state is `Running`.
    fn ask_for_next_frame(self) {
        if self.frames.work.get_untracked() != TracingState::Running {
            return;
        }
        let total = untrack(|| self.frames.times().len());
        let index = self.frames.next.get_untracked();
        if index < total {
            let ahead = self.core.ahead(total - index - 1);
            let on_end = move |outcome| self.take_next_frame(index, outcome);
            return self.ask_for_outcome(|video| TraceFrame { video, index, ahead }, on_end);
        }
        self.frames.work.set(TracingState::Idle);
        if !self.frames.traced.with_untracked(Vec::is_empty) && untrack(|| self.can_describe()) {
            self.label_tracks();
        }
    }

    fn take_next_frame(self, index: usize, outcome: Outcome<FrameSummary>) -> Result<(), UnexpectedAnswer> {
        let message = match outcome {
            Ok((frame, buffers)) => return self.take_frame(frame, &buffers),
            Err(message) => message,
        };
        self.frames.next.set(index + 1);
        let after_last =
            self.frames.traced.with_untracked(|frames| frames.last().map_or(0, |last| last.index + 1));
        if index + 1 >= after_last + BAD_FRAMES {
            self.frames.work.set(TracingState::Paused);
        }
        self.ask_for_next_frame();
        self.core.complain(TaskKind::Frame, message);
        Ok(())
    }

    fn take_frame(self, frame: FrameSummary, buffers: &[Uint8Array]) -> Result<(), UnexpectedAnswer> {
        let FrameSummary { index, grid, crop_in_frame, heads, objects, seconds } = frame;
        let (tracks, attention) = (floats_of(buffers, 0)?, floats_of(buffers, 1)?);
        let patches = grid.len().max(1);
        let time = untrack(|| self.frames.times()).get(index).copied().ok_or(UnexpectedAnswer)?;
        if tracks.len() != objects.objects.len() * patches || !attention.len().is_multiple_of(patches) {
            return Err(UnexpectedAnswer);
        }
        self.objects.meet(&objects.objects);
        self.objects.heads.set(heads);
        self.frames.seconds.set(Some(seconds));
        self.frames.pace.update(|pace| pace.push(seconds.decode + seconds.encode + seconds.track));
        self.frames.next.set(index + 1);
        let frame = TracedFrame { index, time, grid, crop_in_frame, objects, tracks, attention };
        self.frames.traced.update(|frames| frames.push(Arc::new(frame)));
        self.ask_for_next_frame();
        Ok(())
    }

    /// Tracks the objects of other heads.
    pub fn retrack(self, heads: Vec<usize>) {
        self.objects.heads.set(heads.clone());
        if heads.is_empty() {
            let sentence = "Choose one head or more: each finds an object.";
            return self.core.complain(TaskKind::Retrack, sentence.to_owned());
        }
        self.ask(
            |video| Retrack { video, heads },
            move |answer, buffers| {
                self.take_tracks(answer, &floats_of(buffers, 0)?)?;
                if untrack(|| self.can_describe()) {
                    self.label_tracks();
                }
                Ok(())
            },
        );
    }

    /// Takes the newly tracked objects for the frames that are done.
    fn take_tracks(
        self,
        Retracked { frames: of_frames }: Retracked,
        tracks: &[f32],
    ) -> Result<(), UnexpectedAnswer> {
        let mut frames = self.frames.traced.get_untracked();
        if frames.len() != of_frames.len() {
            return Err(UnexpectedAnswer);
        }
        let mut rest = tracks;
        for (frame, objects) in frames.iter_mut().zip(of_frames) {
            let count = objects.objects.len() * frame.grid.len();
            let (own, after) = rest.split_at_checked(count).ok_or(UnexpectedAnswer)?;
            rest = after;
            *frame = Arc::new(TracedFrame { objects, tracks: own.to_vec(), ..(**frame).clone() });
        }
        self.objects.looks.set(Vec::new());
        for frame in &frames {
            self.objects.meet(&frame.objects.objects);
        }
        self.frames.traced.set(frames);
        Ok(())
    }

    /// Returns whether there are texts to describe objects with.
    pub fn can_describe(self) -> bool {
        self.model.has_text() && self.model.label_sources.has_pool()
    }

    /// Asks for texts that describe the objects.
    pub fn label_tracks(self) {
        self.ask(
            |video| LabelTracks { video, count: LABELS },
            move |TracksLabelled { tracks }, _buffers| {
                self.objects.looks.update(|looks| {
                    for look in looks {
                        if let Some(labels) = tracks.iter().find(|track| track.object == look.id) {
                            look.labels.clone_from(&labels.labels);
                        }
                    }
                });
                Ok(())
            },
        );
    }

    /// Computes head labels from this video's frames.
    pub fn use_as_statistics(self) {
        let number = self.number();
        let task = UseVideoStatistics { video: number };
        self.core.ask_for_outcome(task, Attachments::default(), move |outcome| {
            match outcome {
                Ok((statistics, _buffers)) => {
                    self.model.label_sources.take_statistics(StatisticsSource::Video, statistics);
                }
                Err(message) if self.number() == number => self.core.complain(TaskKind::Statistics, message),
                Err(_) => {}
            }
            Ok(())
        });
    }

    /// Saves tracks or propagated masks as JSON.
    pub fn export_json(self, of: MasksOf) {
        let names = self
            .objects
            .looks
            .with_untracked(|looks| looks.iter().map(|look| (look.id, look.name.clone())).collect());
        self.ask(|video| ExportJson { video, of, names }, save);
    }

    /// Saves the masks as a zip of pictures.
    pub fn export_masks(self, of: MasksOf) {
        self.ask(|video| ExportMasks { video, of }, save);
    }

    /// Returns the number of the current sampling.
    fn number(self) -> u32 {
        self.numbers.with_value(|numbers| numbers.sampling)
    }

    /// Asks for work on the frames of the current sampling. `task` receives the number of the sampling. An answer or a
    /// failure about other frames is dropped.
    pub(super) fn ask<T: Work>(
        self,
        task: impl FnOnce(u32) -> T,
        take: impl FnOnce(T::Answer, &[Uint8Array]) -> Result<(), UnexpectedAnswer> + 'static,
    ) {
        self.ask_for_outcome(task, move |outcome| match outcome {
            Ok((answer, buffers)) => take(answer, &buffers),
            Err(message) => {
                self.core.complain(T::KIND, message);
                Ok(())
            }
        });
    }

    /// Asks as [`VideoState::ask`] does. `on_end` also receives a failure.
    pub(super) fn ask_for_outcome<T: Work>(
        self,
        task: impl FnOnce(u32) -> T,
        on_end: impl FnOnce(Outcome<T::Answer>) -> Result<(), UnexpectedAnswer> + 'static,
    ) {
        let number = self.number();
        self.core.ask_for_outcome(task(number), Attachments::default(), move |outcome| {
            if self.number() == number { on_end(outcome) } else { Ok(()) }
        });
    }
}

fn save(ExportedFile { name, kind }: ExportedFile, buffers: &[Uint8Array]) -> Result<(), UnexpectedAnswer> {
    dom::download(&name, &kind, buffers.first().ok_or(UnexpectedAnswer)?);
    Ok(())
}
