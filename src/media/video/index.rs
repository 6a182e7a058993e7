//! What is in a video file, and where.

use std::ops::Range;

use super::{Codec, VideoError, VideoInfo};
use crate::geometry::Size;

/// The most frames that are listed: over four hours at 60 a second. At 52 bytes a frame, 52 MB.
pub(super) const MAX_SAMPLES: usize = 1_000_000;

/// The kind of file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Container {
    /// MP4, and QuickTime before it.
    Mp4,
    /// WebM, and Matroska around it.
    WebM,
}

impl Container {
    /// The container's name, for people.
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
    /// Where its bytes start in the file.
    pub offset: u64,
    /// How many bytes it has.
    pub length: u32,
    /// When it is shown, in ticks from the start of the presentation; negative where it is not.
    pub time: i64,
    /// For how long, in ticks, as the file has it: until the next in decoding order. 0 where it does not say.
    pub duration: u32,
    /// Whether decoding can begin here.
    pub is_key: bool,
    /// Whether it only helps to decode others: an edit list or the codec hides it.
    pub is_hidden: bool,
}

impl Sample {
    /// The sample's bytes in the file.
    pub fn range(&self) -> Range<u64> {
        self.offset..self.offset.saturating_add(u64::from(self.length))
    }
}

/// The unit of time of a track: `numerator / denominator` seconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Tick {
    pub numerator: u64,
    pub denominator: u64,
}

impl Tick {
    /// `ticks` in microseconds, to the nearest; beyond 30 years, 30 years.
    pub fn micros(self, ticks: i64) -> i64 {
        const LONGEST: i128 = 1_000_000_000_000_000;
        let denominator = i128::from(self.denominator.max(1));
        let scaled = (i128::from(ticks) * i128::from(self.numerator)).saturating_mul(1_000_000);
        let nearest = (scaled + denominator / 2).div_euclid(denominator);
        nearest.clamp(-LONGEST, LONGEST) as i64
    }
}

/// Quarter turns clockwise from the frames as they are stored to the video as it is seen.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Turn {
    #[default]
    None,
    Quarter,
    Half,
    ThreeQuarters,
}

impl Turn {
    /// Degrees clockwise.
    pub fn degrees(self) -> u32 {
        self as u32 * 90
    }

    /// Whether width and height change places.
    pub fn lies_on_side(self) -> bool {
        matches!(self, Self::Quarter | Self::ThreeQuarters)
    }
}

/// How the frames' pixels make up the picture.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Shape {
    /// The size of the frames as they are stored, in pixels; not 0.
    pub coded: Size,
    /// A pixel's width over its height.
    pub pixel_aspect: f64,
    pub turn: Turn,
}

impl Shape {
    /// The size of the upright video in square pixels: the wider side of a stored pixel is what is stretched.
    pub fn upright(&self) -> Size {
        let stretched = |side: usize, by: f64| ((side as f64 * by.max(1.0)).round() as usize).max(1);
        let width = stretched(self.coded.width, self.pixel_aspect);
        let height = stretched(self.coded.height, self.pixel_aspect.recip());
        if self.turn.lies_on_side() { Size { width: height, height: width } } else { Size { width, height } }
    }
}

/// A video track: its samples in decoding order, and the frames in the order in which they are shown.
#[derive(Clone, Debug)]
pub struct Index {
    pub container: Container,
    pub codec: Codec,
    pub shape: Shape,
    pub tick: Tick,
    /// All samples whose bytes the file has, in decoding order.
    pub samples: Vec<Sample>,
    /// The samples that are shown, by their place in `samples`, in order of time. Not empty.
    pub shown: Vec<u32>,
    /// When each of `shown` is, in microseconds; strictly increasing, not negative.
    pub times: Vec<i64>,
    /// Of each of `samples`, the time by which its frame is known again: its own of `times`, where it is shown.
    pub stamps: Vec<i64>,
    /// Whether the file ends before the video does: samples that it promises are not there.
    pub is_cut_off: bool,
}

/// What a demuxer found, before it is put in order.
pub(super) struct Found {
    pub container: Container,
    pub codec: Codec,
    pub shape: Shape,
    pub tick: Tick,
    pub samples: Vec<Sample>,
    pub is_cut_off: bool,
}

impl Index {
    /// Leaves out samples beyond the file's end, and puts the rest in order.
    ///
    /// # Errors
    /// Where no frame is left.
    pub(super) fn new(name: &str, found: Found, file_length: u64) -> Result<Self, VideoError> {
        let Found { container, codec, shape, tick, mut samples, mut is_cut_off } = found;
        let listed = samples.len();
        if listed == 0 {
            return Err(VideoError::NoPictures { name: name.to_owned() });
        }
        samples.retain(|sample| sample.range().end <= file_length);
        is_cut_off |= samples.len() < listed;
        let mut shown: Vec<u32> = (0..samples.len() as u32).collect();
        shown.retain(|&at| samples[at as usize].time >= 0 && !samples[at as usize].is_hidden);
        shown.sort_by_key(|&at| samples[at as usize].time);
        if shown.is_empty() || !samples.iter().any(|sample| sample.is_key) {
            let name = name.to_owned();
            return Err(if is_cut_off { VideoError::CutOff { name } } else { VideoError::Damaged { name } });
        }
        let mut last = -1;
        let times = shown.iter().map(|&at| {
            // Two frames at one time would be one to the decoder.
            last = tick.micros(samples[at as usize].time).max(last + 1);
            last
        });
        let times: Vec<i64> = times.collect();
        let mut stamps: Vec<i64> = samples.iter().map(|sample| tick.micros(sample.time)).collect();
        for (&at, &time) in shown.iter().zip(&times) {
            stamps[at as usize] = time;
        }
        Ok(Self { container, codec, shape, tick, samples, shown, times, stamps, is_cut_off })
    }

    /// What there is to know of the video before it is decoded.
    pub fn info(&self) -> VideoInfo {
        VideoInfo {
            size: self.shape.upright(),
            duration: self.duration(),
            times: self.times.clone(),
            rate: self.rate(),
            codec: self.codec.name.to_owned(),
            container: self.container.name().to_owned(),
            is_cut_off: self.is_cut_off,
        }
    }

    /// The place in `shown` of the frame seen at `micros`; before the first, that is the first.
    pub fn at(&self, micros: i64) -> usize {
        self.times.partition_point(|&time| time <= micros).saturating_sub(1)
    }

    /// How long the video lasts, in microseconds: until its last frame has been seen as long as it is to be.
    pub fn duration(&self) -> i64 {
        let (Some(&last), Some(&sample)) = (self.times.last(), self.shown.last()) else { return 0 };
        let told = self.tick.micros(i64::from(self.samples[sample as usize].duration));
        let usual = if self.times.len() > 1 { (last - self.times[0]) / (self.times.len() as i64 - 1) } else { 0 };
        last.saturating_add(if told > 0 { told } else { usual })
    }

    /// Frames per second, on average.
    pub fn rate(&self) -> f64 {
        let span = self.duration() - self.times[0];
        if span > 0 { self.times.len() as f64 * 1e6 / span as f64 } else { 0.0 }
    }

    /// The sample from which to decode in order to have the sample `wanted`: the last key that is neither decoded
    /// nor shown after it. Frames may be decoded after a key and yet shown before it; those need the key before.
    pub fn key_before(&self, wanted: usize) -> Option<usize> {
        let is_good = |sample: &Sample| sample.is_key && sample.time <= self.samples[wanted].time;
        self.samples[..=wanted].iter().rposition(is_good)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shape(pixel_aspect: f64, turn: Turn) -> Shape {
        Shape { coded: Size { width: 720, height: 576 }, pixel_aspect, turn }
    }

    #[test]
    fn pixels_are_stretched_before_they_are_turned() {
        let size = |width, height| Size { width, height };
        assert_eq!(shape(1.0, Turn::None).upright(), size(720, 576));
        assert_eq!(shape(64.0 / 45.0, Turn::None).upright(), size(1024, 576));
        assert_eq!(shape(64.0 / 45.0, Turn::Quarter).upright(), size(576, 1024));
        assert_eq!(shape(0.5, Turn::Half).upright(), size(720, 1152));
    }

    #[test]
    fn ticks_are_exact_microseconds() {
        let ntsc = Tick { numerator: 1, denominator: 30_000 };
        assert_eq!(ntsc.micros(1001), 33_367);
        assert_eq!(ntsc.micros(-1001), -33_367);
        assert_eq!(ntsc.micros(30_000 * 3600), 3_600_000_000);
        let huge = Tick { numerator: u64::MAX, denominator: 0 };
        assert_eq!(huge.micros(i64::MAX), 1_000_000_000_000_000);
    }
}
