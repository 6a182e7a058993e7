//! Times of a video: the sampled frame at a moment, the remaining time, and times in words.

/// Returns the index of the last of the first `done` of `times` (ascending) that is not after `time`. If all are after
/// `time`, returns the first index.
pub fn frame_at(times: &[f64], done: usize, time: f64) -> Option<usize> {
    let known = &times[..done.min(times.len())];
    // A video element that seeks to a frame may stop slightly before it.
    let after = known.partition_point(|at| *at <= time + 1e-3);
    (!known.is_empty()).then(|| after.saturating_sub(1))
}

/// Returns the time of the sampled frame before (-1) or after (+1) the one at `time`.
pub fn neighbour(times: &[f64], time: f64, step: isize) -> Option<f64> {
    let here = frame_at(times, times.len(), time)?;
    let there = here.saturating_add_signed(step).min(times.len() - 1);
    Some(times[there])
}

/// The speed of the work on a video.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Pace {
    /// Seconds per frame, averaged over the latest frames.
    pub per_frame: Option<f64>,
}

/// The weight of the last frame in the average.
const RECENT: f64 = 0.3;

impl Pace {
    /// Records that a frame took `seconds`.
    pub fn push(&mut self, seconds: f64) {
        self.per_frame = Some(self.per_frame.map_or(seconds, |before| before + (seconds - before) * RECENT));
    }

    /// Describes the time for `frames` more frames; `None` before the first frame.
    pub fn remaining(&self, frames: usize) -> Option<String> {
        self.per_frame.map(|each| about(each * frames as f64))
    }
}

/// Formats a rough duration: "about 40 s", "about 3 min".
pub fn about(seconds: f64) -> String {
    match seconds {
        ..1.5 => "about a second".to_owned(),
        ..10.0 => format!("about {seconds:.0} s"),
        ..90.0 => format!("about {:.0} s", (seconds / 5.0).round() * 5.0),
        ..5400.0 => format!("about {:.0} min", seconds / 60.0),
        _ => format!("about {:.1} h", seconds / 3600.0),
    }
}

/// Formats a moment: "0:07.5", "12:03.0", "1:02:03.0".
pub fn clock(seconds: f64) -> String {
    let tenths = (seconds.max(0.0) * 10.0).round() as u64;
    let (tenth, seconds) = (tenths % 10, tenths / 10);
    let (second, minutes) = (seconds % 60, seconds / 60);
    match minutes / 60 {
        0 => format!("{minutes}:{second:02}.{tenth}"),
        hours => format!("{hours}:{:02}:{second:02}.{tenth}", minutes % 60),
    }
}

/// Returns the frames that a propagation visits, in order: forwards from the frame of the first seed, or backwards
/// from the frame of the last seed. Empty without seeds.
pub fn path(seeded: impl Iterator<Item = usize> + Clone, frames: usize, is_forward: bool) -> Vec<usize> {
    if is_forward {
        seeded.min().map(|first| (first..frames).collect()).unwrap_or_default()
    } else {
        seeded.max().map(|last| (0..=last.min(frames.saturating_sub(1))).rev().collect()).unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_frame_shown_is_the_last_one_that_has_begun_and_is_done() {
        let times = [0.0, 0.5, 1.0];
        let at = |done, time| frame_at(&times, done, time);
        assert_eq!([at(3, 0.0), at(3, 0.49), at(3, 0.4995), at(3, 9.0)], [Some(0), Some(0), Some(1), Some(2)]);
        assert_eq!([at(2, 1.2), at(0, 0.0), at(3, -1.0)], [Some(1), None, Some(0)]);
    }

    #[test]
    fn steps_stop_at_both_ends() {
        let times = [0.0, 0.5, 1.0];
        let after = |time, step| neighbour(&times, time, step);
        assert_eq!([after(0.6, 1), after(0.6, -1)], [Some(1.0), Some(0.0)]);
        assert_eq!([after(0.0, -1), after(1.0, 1)], [Some(0.0), Some(1.0)]);
        assert_eq!(neighbour(&[], 0.0, 1), None);
    }

    #[test]
    fn the_pace_follows_the_latest_frames() {
        let mut pace = Pace::default();
        assert_eq!(pace.remaining(4), None);
        pace.push(10.0);
        for _ in 0..30 {
            pace.push(2.0);
        }
        assert_eq!(pace.remaining(10).as_deref(), Some("about 20 s"));
    }

    #[test]
    fn durations_and_moments_in_words() {
        assert_eq!(
            [0.2, 7.4, 41.0, 200.0, 9000.0].map(about),
            ["about a second", "about 7 s", "about 40 s", "about 3 min", "about 2.5 h"]
        );
        assert_eq!([0.0, 7.52, 59.97, 3723.0].map(clock), ["0:00.0", "0:07.5", "1:00.0", "1:02:03.0"]);
    }

    #[test]
    fn a_propagation_visits_everything_on_its_side_of_the_seeds() {
        let seeds = [3, 1];
        assert_eq!(path(seeds.into_iter(), 6, true), [1, 2, 3, 4, 5]);
        assert_eq!(path(seeds.into_iter(), 6, false), [3, 2, 1, 0]);
        assert!(path([].into_iter(), 6, true).is_empty());
    }
}
