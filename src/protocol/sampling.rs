//! Which frames of a video the model processes, and how much memory their results take.

use serde::{Deserialize, Serialize};

use super::model::PackSummary;
use crate::geometry::{CropFromPhoto, Framing, Grid, LongSide, Size};

/// The largest memory that the results of all frames may take in the worker, in bytes.
pub const MAX_BYTES: u64 = 512 << 20;

/// Which frames of a video are processed.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Sampling {
    /// Frames per second.
    pub rate: f64,
    /// The start, in seconds from the video's beginning.
    pub start: f64,
    /// The length, in seconds.
    pub length: f64,
    pub framing: Framing,
}

impl Default for Sampling {
    /// Returns two whole frames per second, for up to two minutes.
    fn default() -> Self {
        Self { rate: 2.0, start: 0.0, length: 120.0, framing: Framing::WholePhoto }
    }
}

impl Sampling {
    /// Returns the sampled moments of a video of `duration` seconds: at least one, the first at `start`.
    pub fn moments(&self, duration: f64) -> Vec<f64> {
        let (start, rate) = (self.start.clamp(0.0, duration.max(0.0)), self.rate.clamp(1e-3, 1e3));
        let end = (self.start + self.length.max(0.0)).min(duration);
        let count = ((end - start) * rate - 1e-6).ceil().max(1.0) as usize;
        (0..count).map(|index| start + index as f64 / rate).collect()
    }

    /// Returns whether both samplings have the same moments; the framing may differ.
    pub fn has_moments_of(&self, other: &Self) -> bool {
        (self.rate, self.start, self.length) == (other.rate, other.start, other.length)
    }

    /// Returns the indices of the frames that are visible at the sampled moments, each index once. `times` are the
    /// starts of all frames, ascending.
    pub fn pick(&self, times: &[f64], duration: f64) -> Vec<usize> {
        let shown = |moment: f64| times.partition_point(|time| *time <= moment + 1e-6).saturating_sub(1);
        let mut picks: Vec<usize> = self.moments(duration).into_iter().map(shown).collect();
        picks.dedup();
        picks.retain(|pick| *pick < times.len());
        picks
    }
}

/// The sizes of a model that determine the memory per frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ModelSize {
    pub layers: usize,
    pub heads: usize,
    pub width: usize,
    pub patch: usize,
    pub image_size: usize,
    /// The size of the embedding.
    pub embedding: usize,
}

impl From<&PackSummary> for ModelSize {
    fn from(pack: &PackSummary) -> Self {
        let PackSummary { layers, heads, width, patch, image_size, embedding, .. } = *pack;
        Self { layers, heads, width, patch, image_size, embedding }
    }
}

impl ModelSize {
    /// Returns the grid of patches of a frame of `size`.
    pub fn grid(&self, size: Size, framing: Framing) -> Grid {
        let size = Size { width: size.width.max(1), height: size.height.max(1) };
        CropFromPhoto::new(size, framing, self.image_size, self.patch, LongSide::default()).grid()
    }

    /// Returns the bytes that are stored per frame: queries, keys and tokens in 16 bits, the CLS attention, and the
    /// picture codes, from which scores are computed.
    pub fn bytes_per_frame(&self, grid: Grid) -> u64 {
        let patches = grid.len() as u64;
        let (layers, heads, width) = (self.layers as u64, self.heads as u64, self.width as u64);
        let features = 3 * patches * width * 2 + heads * patches * 4;
        let codes = (layers * (width + 3 * heads) + (layers + 2) * self.embedding as u64) * 4;
        features + codes
    }
}

/// The results of the frames would take more than [`MAX_BYTES`].
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "{frames} frames would take {} MB, and there is room for {room} frames ({} MB): choose fewer frames a second, or \
     a shorter piece of the video",
    bytes / 1_000_000, MAX_BYTES / 1_000_000
)]
pub struct TooManyFrames {
    pub frames: usize,
    pub bytes: u64,
    pub room: u64,
}

/// Returns the bytes that `frames` frames take.
///
/// # Errors If the frames take more than [`MAX_BYTES`].
pub fn memory(model: ModelSize, grid: Grid, frames: usize) -> Result<u64, TooManyFrames> {
    let each = model.bytes_per_frame(grid);
    let bytes = each * frames as u64;
    if bytes > MAX_BYTES {
        return Err(TooManyFrames { frames, bytes, room: MAX_BYTES / each.max(1) });
    }
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The default pack's tower.
    const SMALL: ModelSize =
        ModelSize { layers: 12, heads: 6, width: 384, patch: 14, image_size: 224, embedding: 384 };

    fn at(rate: f64, start: f64, length: f64) -> Sampling {
        Sampling { rate, start, length, framing: Framing::WholePhoto }
    }

    #[test]
    fn moments_are_evenly_apart_and_inside_the_video() {
        assert_eq!(at(2.0, 0.0, 120.0).moments(2.0), [0.0, 0.5, 1.0, 1.5]);
        assert_eq!(at(2.0, 1.0, 1.0).moments(60.0), [1.0, 1.5]);
        assert_eq!(at(1.0, 0.0, 10.0).moments(0.2), [0.0], "one at the least");
        assert_eq!(at(1.0, 99.0, 10.0).moments(5.0), [5.0], "a start past the end is the end");
        assert_eq!(at(30.0, 0.0, 1.0).moments(10.0).len(), 30);
        assert_eq!(at(2.0, 0.0, 120.0).moments(1800.0).len(), 240);
    }

    #[test]
    fn each_frame_is_picked_once_and_is_the_one_shown() {
        let times = [0.0, 0.4, 0.8, 1.2];
        assert_eq!(at(2.0, 0.0, 9.0).pick(&times, 1.6), [0, 1, 2, 3]);
        assert_eq!(at(100.0, 0.0, 9.0).pick(&times, 1.6), [0, 1, 2, 3], "no more than there are");
        assert_eq!(at(1.0, 0.5, 9.0).pick(&times, 1.6), [1, 3]);
        assert!(at(1.0, 0.0, 9.0).pick(&[], 1.6).is_empty());
    }

    #[test]
    fn two_minutes_fit_and_half_an_hour_does_not() {
        let grid = SMALL.grid(Size { width: 1920, height: 1080 }, Framing::WholePhoto);
        assert_eq!(grid, Grid { rows: 16, columns: 28 });
        let bytes = memory(SMALL, grid, 240).unwrap();
        assert!((200_000_000..300_000_000).contains(&bytes), "{bytes}");
        let refusal = memory(SMALL, grid, 3600).unwrap_err();
        assert!(refusal.room < 3600 && memory(SMALL, grid, refusal.room as usize).is_ok(), "{refusal}");
        assert!(memory(SMALL, grid, refusal.room as usize + 1).is_err());
    }
}
