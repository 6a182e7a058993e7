//! The requests of the video view to the worker about phrases: scores over time, and the segmentation of a frame.

use std::sync::Arc;

use js_sys::Uint8Array;
use leptos::prelude::*;

use super::state::{FrameScores, FrameSegmentation, SplitScores, VideoLayer, VideoState};
use crate::page::core::browser::core::{exactly_floats, floats_of};
use crate::protocol::video::{FrameSegmented, ScoreFrames, SegmentFrame, SplitScores as AskForSplit};
use crate::protocol::{TaskKind, UnexpectedAnswer};

impl VideoState {
    /// Asks for the scores of the phrases whenever they would change.
    pub(super) fn ask_for_scores(self) {
        Effect::new(move || {
            let frames = self.frames.traced.with(Vec::len);
            let (phrases, templates) = (self.phrases.list.get().as_slice().to_vec(), self.phrases.templates.get());
            if frames == 0 || phrases.is_empty() || !self.model.has_text() {
                self.chart.scores.set(None);
                return self.core.withdraw(TaskKind::FrameScores);
            }
            let asked = phrases.clone();
            self.ask(
                |video| ScoreFrames { video, phrases, templates },
                move |scored, buffers| self.take_scores(asked, scored.frames, buffers),
            );
        });
        Effect::new(move || {
            let frames = self.frames.traced.with(Vec::len);
            let is_wanted = || self.chart.is_split.get() && frames > 0 && self.model.has_text();
            let Some(phrase) = self.phrases.chosen.get().filter(|_| is_wanted()) else {
                return self.core.withdraw(TaskKind::SplitScores);
            };
            let (asked, templates) = (phrase.clone(), self.phrases.templates.get());
            self.ask(
                |video| AskForSplit { video, phrase, templates },
                move |split, buffers| {
                    let parts = floats_of(buffers, 0)?;
                    self.chart.split.set(Some(SplitScores { phrase: asked, frames: split.frames, parts }));
                    Ok(())
                },
            );
        });
    }

    fn take_scores(
        self,
        phrases: Vec<String>,
        frames: usize,
        buffers: &[Uint8Array],
    ) -> Result<(), UnexpectedAnswer> {
        let values = exactly_floats(buffers, phrases.len() * frames)?;
        let values = values.chunks(frames.max(1)).map(<[f32]>::to_vec).collect();
        self.chart.scores.set(Some(FrameScores { phrases, values }));
        Ok(())
    }

    /// Asks for the segmentation of the frame on screen whenever it would change.
    pub(super) fn ask_for_segmentation(self) {
        Effect::new(move || {
            let is_wanted = self.overlay.layer.get() == VideoLayer::Segmentation && !self.player.is_playing.get();
            let is_wanted = is_wanted && self.model.has_text();
            let here = self.frames.sampled_here();
            let here = here.filter(|_| is_wanted && self.frames.sampled.with(Option::is_some));
            let Some((index, phrase)) = here.zip(self.phrases.chosen.get()) else {
                return self.core.withdraw(TaskKind::FrameSegmentation);
            };
            let (against, background) = self.segmentation.against(&phrase);
            let asked = phrase.clone();
            self.ask(
                |video| SegmentFrame { video, index, phrase, against, background },
                move |answer, buffers| self.take_segmentation(index, asked, answer, buffers),
            );
        });
    }

    fn take_segmentation(
        self,
        index: usize,
        phrase: String,
        answer: FrameSegmented,
        buffers: &[Uint8Array],
    ) -> Result<(), UnexpectedAnswer> {
        let FrameSegmented { size, crop_in_frame, threshold, empty: is_empty } = answer;
        let map = exactly_floats(buffers, size.width * size.height)?;
        let found = FrameSegmentation { index, phrase, size, crop_in_frame, threshold, is_empty, map };
        self.overlay.segmentation.set(Some(Arc::new(found)));
        Ok(())
    }
}
