//! Where the worker's answers about videos go.

use std::collections::VecDeque;
use std::sync::Arc;

use js_sys::Uint8Array;
use leptos::prelude::*;

use super::state::{
    FrameScores, FrameSegmentation, Media, Mode, PropagatedMasks, SplitScores, TracedFrame, VideoState, Work,
};
use crate::page::common::browser::dom;
use crate::page::core::browser::answers::Unfitting;
use crate::page::core::browser::engine::Engine;
use crate::protocol::sampling::Sampling;
use crate::protocol::video::{
    ExportedFile, FrameObjects, FrameSegmented, FrameSummary, FramesScored, Propagate, PropagatedFrame, Retracked,
    Run, SampledVideo, ScoreFrames, ScoresSplit, SegmentFrame, TraceFrame, TrackLabels, TracksLabelled,
    VideoSummary,
};
use crate::protocol::wire;
use crate::protocol::{VideoAnswer, VideoTask};

/// So many frames are looked at without being asked; for more the user says when.
const UNASKED: usize = 60;

/// As many frames in a row that cannot be read end the work on a video.
const BAD_FRAMES: usize = 5;

impl Engine {
    /// Puts the answer to a finished piece of work on a video where the views look for it.
    pub(in crate::page) fn take_video(
        self,
        task: VideoTask,
        answer: VideoAnswer,
        buffers: &[Uint8Array],
    ) -> Result<(), Unfitting> {
        let video = self.video();
        match (task, answer) {
            // Of a video, or a sampling of it, that is not on screen any more.
            (task, _) if !self.is_current(&task) => {}
            (VideoTask::Open(_), VideoAnswer::Opened(summary)) => self.take_opened(summary),
            (VideoTask::Sample(_), VideoAnswer::Sampled(sampled)) => self.take_sampled(sampled),
            (VideoTask::TraceFrame(_), VideoAnswer::FrameTraced(frame)) => self.take_frame(frame, buffers)?,
            (VideoTask::Retrack(_), VideoAnswer::Retracked(Retracked { frames })) => {
                take_tracks(video, frames, &all_floats(buffers, 0)?)?;
                if untrack(|| self.can_describe()) {
                    self.label_tracks();
                }
            }
            (
                VideoTask::ScoreFrames(ScoreFrames { phrases, .. }),
                VideoAnswer::Scored(FramesScored { frames }),
            ) => {
                let values = all_floats(buffers, 0)?;
                if values.len() != phrases.len() * frames {
                    return Err(Unfitting);
                }
                let values = values.chunks(frames.max(1)).map(<[f32]>::to_vec).collect();
                video.scores.set(Some(FrameScores { phrases, values }));
            }
            (
                VideoTask::SplitScores(SplitScoresTask { phrase, .. }),
                VideoAnswer::Split(ScoresSplit { frames }),
            ) => {
                video.split.set(Some(SplitScores { phrase, frames, parts: all_floats(buffers, 0)? }));
            }
            (
                VideoTask::SegmentFrame(SegmentFrame { index, phrase, .. }),
                VideoAnswer::FrameSegmented(FrameSegmented { size, crop_in_frame, threshold, empty }),
            ) => {
                let map = all_floats(buffers, 0)?;
                if map.len() != size.width * size.height {
                    return Err(Unfitting);
                }
                let is_empty = empty;
                let found = FrameSegmentation { index, phrase, size, crop_in_frame, threshold, is_empty, map };
                video.segmentation.set(Some(Arc::new(found)));
            }
            (VideoTask::Propagate(Propagate { run, .. }), VideoAnswer::Propagated(frame)) => {
                self.take_propagated(run.number, frame, buffers)?;
            }
            (VideoTask::ForgetMasks(_), VideoAnswer::MasksForgotten(_)) => {}
            (VideoTask::LabelTracks(_), VideoAnswer::TracksLabelled(TracksLabelled { tracks })) => {
                take_labels(video, tracks)
            }
            (
                VideoTask::ExportJson(_) | VideoTask::ExportMasks(_),
                VideoAnswer::File(ExportedFile { name, kind }),
            ) => {
                dom::download(&name, &kind, buffers.first().ok_or(Unfitting)?);
            }
            _ => return Err(Unfitting),
        }
        Ok(())
    }

    /// A piece of work on a video failed: the rest goes on.
    pub(in crate::page) fn take_video_failure(self, task: &VideoTask, message: String) {
        let video = self.video();
        let kind = task.kind();
        if !self.is_current(task) {
            return;
        }
        match task {
            VideoTask::Open(_) => {
                let reel = video.opening.get_untracked();
                video.opening.set(None);
                if let Some(reel) = reel {
                    return self.open_by_element(reel, message);
                }
            }
            VideoTask::TraceFrame(TraceFrame { index, .. }) => {
                video.next.set(index + 1);
                let last_good =
                    video.frames.with_untracked(|frames| frames.last().map_or(0, |last| last.index + 1));
                if index + 1 >= last_good + BAD_FRAMES {
                    video.work.set(Work::Paused);
                }
                self.pump();
            }
            VideoTask::Propagate(_) => video.steps.update(VecDeque::clear),
            _ => {}
        }
        self.complain(kind, message);
    }

    fn take_opened(self, summary: VideoSummary) {
        let video = self.video();
        let Some(reel) = video.opening.get_untracked() else { return };
        let is_pictures = matches!(reel.media, Media::Pictures(_));
        let taken = reel.taken().map(|taken| (taken.sampling, taken.duration));
        let is_same = video.reel.with_untracked(|open| open.as_ref().is_some_and(|open| open.is_same(&reel)));
        video.opening.set(None);
        video.is_playing.set(false);
        video.forget_frames();
        video.sampled.set(None);
        if !is_same {
            video.time.set(0.0);
            video.wish.set(None);
            video.sampling.set(Sampling {
                // Of pictures every one.
                rate: if is_pictures { summary.rate.max(0.01) } else { Sampling::default().rate },
                ..Sampling::default()
            });
        }
        // The worker knows of the pictures only.
        let duration = taken.map_or(summary.duration, |(_, duration)| duration);
        video.summary.set(Some(VideoSummary { duration, ..summary }));
        if let Some((sampling, _)) = taken {
            video.sampling.update(|now| *now = Sampling { framing: now.framing, ..sampling });
        }
        if !is_same || taken.is_some() {
            video.reel.set(Some(reel));
        }
        // A video that is opened again, for another model or in another worker, leaves the person where they are.
        if !is_same {
            self.show_mode(Mode::Video);
        }
        self.sample_video(video.sampling.get_untracked());
    }

    fn take_sampled(self, sampled: SampledVideo) {
        let video = self.video();
        video.sampling.set(sampled.sampling);
        let first = sampled.times.first().copied();
        video.sampled.set(Some(sampled));
        if let Some(first) = first.filter(|first| video.time.get_untracked() < *first) {
            video.seek(first);
        }
        if video.times().len() <= UNASKED {
            self.look_on();
        }
    }

    fn take_frame(self, frame: FrameSummary, buffers: &[Uint8Array]) -> Result<(), Unfitting> {
        let video = self.video();
        let FrameSummary { index, grid, crop_in_frame, heads, objects, seconds } = frame;
        let (tracks, attention) = (all_floats(buffers, 0)?, all_floats(buffers, 1)?);
        let patches = grid.len().max(1);
        let time = video.times().get(index).copied().ok_or(Unfitting)?;
        if tracks.len() != objects.objects.len() * patches || !attention.len().is_multiple_of(patches) {
            return Err(Unfitting);
        }
        video.meet(&objects.objects);
        video.heads.set(heads);
        video.seconds.set(Some(seconds));
        video.pace.update(|pace| pace.push(seconds.decode + seconds.encode + seconds.track));
        video.next.set(index + 1);
        let frame = TracedFrame { index, time, grid, crop_in_frame, objects, tracks, attention };
        video.frames.update(|frames| frames.push(Arc::new(frame)));
        self.pump();
        Ok(())
    }

    fn take_propagated(self, run: u32, frame: PropagatedFrame, buffers: &[Uint8Array]) -> Result<(), Unfitting> {
        let video = self.video();
        // Of a run from before the person started over.
        if run < self.inner.with_value(|inner| inner.started_over) {
            return Ok(());
        }
        let PropagatedFrame { index, grid, crop_in_frame, objects, seconds } = frame;
        let masks = all_floats(buffers, 0)?;
        if masks.len() != (objects.len() + 1) * grid.len() {
            return Err(Unfitting);
        }
        let masks = PropagatedMasks { grid, crop_in_frame, objects, masks };
        video.propagated.update(|all| {
            all.insert(index, Arc::new(masks));
        });
        video.propagation_pace.update(|pace| pace.push(seconds));
        let is_next = |(of, frame): &(Run, usize)| of.number == run && *frame == index;
        if video.steps.with_untracked(|steps| steps.front().is_some_and(is_next)) {
            video.steps.update(|steps| {
                steps.pop_front();
            });
        }
        self.propagate_on();
        Ok(())
    }
}

/// Other heads' objects on the frames that are done.
fn take_tracks(video: VideoState, of_frames: Vec<FrameObjects>, tracks: &[f32]) -> Result<(), Unfitting> {
    let mut frames = video.frames.get_untracked();
    if frames.len() != of_frames.len() {
        return Err(Unfitting);
    }
    let mut rest = tracks;
    for (frame, objects) in frames.iter_mut().zip(of_frames) {
        let count = objects.objects.len() * frame.grid.len();
        let (own, after) = rest.split_at_checked(count).ok_or(Unfitting)?;
        rest = after;
        *frame = Arc::new(TracedFrame { objects, tracks: own.to_vec(), ..(**frame).clone() });
    }
    video.objects.set(Vec::new());
    for frame in &frames {
        video.meet(&frame.objects.objects);
    }
    video.frames.set(frames);
    Ok(())
}

fn take_labels(video: VideoState, tracks: Vec<TrackLabels>) {
    video.objects.update(|objects| {
        for look in objects {
            if let Some(labels) = tracks.iter().find(|track| track.object == look.id) {
                look.labels.clone_from(&labels.labels);
            }
        }
    });
}

/// The floats of a buffer.
fn all_floats(buffers: &[Uint8Array], index: usize) -> Result<Vec<f32>, Unfitting> {
    buffers.get(index).map(wire::f32_of_buffer).ok_or(Unfitting)
}
