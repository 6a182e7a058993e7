//! The parts of a frame list: the container, the encoded frames, their times and their shape.

use std::ops::Range;

use crate::geometry::Size;

/// The most frames that are listed: over four hours at 60 frames per second. At 52 bytes per frame, they take 52 MB.
pub(super) const MAX_SAMPLES: usize = 1_000_000;

/// The file format.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Container {
    /// MP4, and its predecessor QuickTime.
    Mp4,
    /// Matroska, and its subset WebM.
    WebM,
}

impl Container {
    /// Returns the container's name, for messages.
    pub fn name(self) -> &'static str {
        match self {
            Self::Mp4 => "MP4",
            Self::WebM => "WebM",
        }
    }
}

/// One encoded frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Sample {
    /// The position of the frame's first byte in the file.
    pub offset: u64,
    /// The number of the frame's bytes.
    pub length: u32,
    /// The time at which the frame is shown, in ticks from the start of the presentation; negative if it is not shown.
    pub time: i64,
    /// The frame's duration in ticks as in the file: until the next frame in decoding order. 0 if the file gives none.
    pub duration: u32,
    /// Whether decoding can start at this frame.
    pub is_key: bool,
    /// Whether an edit list or the codec hides the frame. A hidden frame only helps to decode other frames.
    pub is_hidden: bool,
}

impl Sample {
    /// Returns the range of the frame's bytes in the file.
    pub fn range(&self) -> Range<u64> {
        self.offset..self.offset.saturating_add(u64::from(self.length))
    }
}

/// The time unit of a track: `numerator / denominator` seconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Tick {
    pub numerator: u64,
    pub denominator: u64,
}

impl Tick {
    /// Returns `ticks` in microseconds, rounded to the nearest and limited to 30 years.
    pub fn micros(self, ticks: i64) -> i64 {
        const LONGEST: i128 = 1_000_000_000_000_000;
        let denominator = i128::from(self.denominator.max(1));
        let scaled = (i128::from(ticks) * i128::from(self.numerator)).saturating_mul(1_000_000);
        let nearest = (scaled + denominator / 2).div_euclid(denominator);
        nearest.clamp(-LONGEST, LONGEST) as i64
    }
}

/// The rotation from a stored frame to the upright frame, in quarter turns clockwise.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Turn {
    #[default]
    None,
    Quarter,
    Half,
    ThreeQuarters,
}

impl Turn {
    /// Returns the rotation in degrees clockwise.
    pub fn degrees(self) -> u32 {
        self as u32 * 90
    }

    /// Returns whether the rotation swaps width and height.
    pub fn swaps_sides(self) -> bool {
        matches!(self, Self::Quarter | Self::ThreeQuarters)
    }
}

/// The shape of a video's frames.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct FrameShape {
    /// The size of the stored frames, in pixels; not 0.
    pub coded: Size,
    /// A pixel's width over its height.
    pub pixel_aspect: f64,
    pub turn: Turn,
}

impl FrameShape {
    /// Returns the size of the upright video in square pixels. Only the longer side of a stored pixel is stretched.
    pub fn upright(&self) -> Size {
        let stretched = |side: usize, by: f64| ((side as f64 * by.max(1.0)).round() as usize).max(1);
        let width = stretched(self.coded.width, self.pixel_aspect);
        let height = stretched(self.coded.height, self.pixel_aspect.recip());
        if self.turn.swaps_sides() { Size { width: height, height: width } } else { Size { width, height } }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shape(pixel_aspect: f64, turn: Turn) -> FrameShape {
        FrameShape { coded: Size { width: 720, height: 576 }, pixel_aspect, turn }
    }

    #[test]
    fn pixels_are_stretched_before_rotation() {
        let size = |width, height| Size { width, height };
        assert_eq!(shape(1.0, Turn::None).upright(), size(720, 576));
        assert_eq!(shape(64.0 / 45.0, Turn::None).upright(), size(1024, 576));
        assert_eq!(shape(64.0 / 45.0, Turn::Quarter).upright(), size(576, 1024));
        assert_eq!(shape(0.5, Turn::Half).upright(), size(720, 1152));
    }

    #[test]
    fn ticks_convert_to_exact_microseconds() {
        let ntsc = Tick { numerator: 1, denominator: 30_000 };
        assert_eq!(ntsc.micros(1001), 33_367);
        assert_eq!(ntsc.micros(-1001), -33_367);
        assert_eq!(ntsc.micros(30_000 * 3600), 3_600_000_000);
        let huge = Tick { numerator: u64::MAX, denominator: 0 };
        assert_eq!(huge.micros(i64::MAX), 1_000_000_000_000_000);
    }
}
