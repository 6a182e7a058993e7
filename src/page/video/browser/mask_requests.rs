//! The requests of the video view to the worker about masks: one step of a run after another.

use std::collections::VecDeque;
use std::sync::Arc;

use js_sys::Uint8Array;
use leptos::prelude::*;

use super::state::{PropagatedMasks, VideoLayer, VideoState};
use crate::page::core::browser::core::floats_of;
use crate::page::video::time;
use crate::protocol::video::{ForgetMasks, Propagate, PropagatedFrame, PropagationRun, Seed};
use crate::protocol::{TaskKind, UnexpectedAnswer};

impl VideoState {
    /// Seeds an object on one frame.
    pub fn seed(self, seed: Seed) {
        let frame = seed.frame;
        self.masks.seeds.update(|seeds| seeds.push(seed));
        self.overlay.layer.set(VideoLayer::Propagation);
        let run = self.new_run();
        // Compute the seed's own frame at once, in a run that has only the seeds of this frame.
        let seeds = run.seeds.iter().filter(|seed| seed.frame == frame).cloned().collect();
        self.masks.steps.set(VecDeque::from([(PropagationRun { seeds, ..run }, frame)]));
        self.propagate_on();
    }

    /// Propagates all seeds through the video.
    pub fn propagate(self, forward: bool, backward: bool) {
        let frames = untrack(|| self.frames.times().len());
        let mut steps = VecDeque::new();
        for (is_wanted, is_forward) in [(forward, true), (backward, false)] {
            if is_wanted {
                let run = self.new_run();
                let seeded = run.seeds.iter().map(|seed| seed.frame).collect::<Vec<_>>();
                let path = time::path(seeded.into_iter(), frames, is_forward);
                steps.extend(path.into_iter().map(|frame| (run.clone(), frame)));
            }
        }
        self.overlay.layer.set(VideoLayer::Propagation);
        self.masks.steps.set(steps);
        self.propagate_on();
    }

    /// Asks for the next step of the propagation.
    fn propagate_on(self) {
        let Some((run, index)) = self.masks.steps.with_untracked(|steps| steps.front().cloned()) else { return };
        let number = run.number;
        self.ask_for_outcome(
            |video| Propagate { video, run, index },
            move |outcome| match outcome {
                Ok((frame, buffers)) => self.take_propagated(number, frame, &buffers),
                Err(message) => {
                    self.masks.steps.update(VecDeque::clear);
                    self.core.complain(TaskKind::Propagation, message);
                    Ok(())
                }
            },
        );
    }

    fn take_propagated(
        self,
        run: u32,
        frame: PropagatedFrame,
        buffers: &[Uint8Array],
    ) -> Result<(), UnexpectedAnswer> {
        // The run is from before the person started over.
        if run < self.numbers.with_value(|numbers| numbers.first_run) {
            return Ok(());
        }
        let PropagatedFrame { index, grid, crop_in_frame, objects, seconds } = frame;
        let masks = floats_of(buffers, 0)?;
        if masks.len() != (objects.len() + 1) * grid.len() {
            return Err(UnexpectedAnswer);
        }
        let masks = PropagatedMasks { grid, crop_in_frame, objects, masks };
        self.masks.propagated.update(|all| {
            all.insert(index, Arc::new(masks));
        });
        self.masks.pace.update(|pace| pace.push(seconds));
        let is_next = |(of, frame): &(PropagationRun, usize)| of.number == run && *frame == index;
        if self.masks.steps.with_untracked(|steps| steps.front().is_some_and(is_next)) {
            self.masks.steps.update(|steps| {
                steps.pop_front();
            });
        }
        self.propagate_on();
        Ok(())
    }

    /// Stops the propagation. Finished masks stay.
    pub fn stop_propagating(self) {
        self.masks.steps.update(VecDeque::clear);
        self.core.withdraw(TaskKind::Propagation);
    }

    /// Drops seeds and masks, in the page and in the worker.
    pub fn forget_masks(self) {
        self.stop_propagating();
        // The run under way has a lower number.
        let now = self.core.next_number();
        self.numbers.update_value(|numbers| numbers.first_run = now);
        self.masks.forget();
        self.ask(|video| ForgetMasks { video }, |_forgotten, _buffers| Ok(()));
    }

    fn new_run(self) -> PropagationRun {
        PropagationRun {
            number: self.core.next_number(),
            seeds: self.masks.seeds.get_untracked(),
            short_side: self.masks.short_side.get_untracked(),
        }
    }
}
