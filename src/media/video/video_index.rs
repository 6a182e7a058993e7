//! The frame list of a video file.

use super::codec::Codec;
use super::error::VideoError;
use super::sample::{Container, FrameShape, Sample, Tick};
use super::video_info::VideoInfo;

/// A video track: its encoded frames in decoding order and in the order in which they are shown.
#[derive(Clone, Debug)]
pub struct VideoIndex {
    pub container: Container,
    pub codec: Codec,
    pub shape: FrameShape,
    pub tick: Tick,
    /// All samples whose bytes are in the file, in decoding order.
    pub samples: Vec<Sample>,
    /// The samples that are shown, in order of time, as positions in `samples`. Not empty.
    pub shown: Vec<u32>,
    /// The time of each frame in `shown`, in microseconds; strictly increasing, not negative.
    pub times: Vec<i64>,
    /// The timestamp of each of `samples`, in microseconds. It identifies the decoded frame. For a shown frame, it
    /// equals the frame's entry in `times`.
    pub stamps: Vec<i64>,
    /// Whether the file ends before the video does: the file lists samples whose bytes are missing.
    pub is_cut_off: bool,
}

/// A track as a demuxer reads it, with its samples in decoding order only.
pub(super) struct ParsedTrack {
    pub container: Container,
    pub codec: Codec,
    pub shape: FrameShape,
    pub tick: Tick,
    pub samples: Vec<Sample>,
    pub is_cut_off: bool,
}

impl VideoIndex {
    /// Removes samples beyond the file's end, and sorts the shown frames by time.
    ///
    /// # Errors
    /// [`VideoError`] if no frame is left.
    pub(super) fn new(name: &str, track: ParsedTrack, file_length: u64) -> Result<Self, VideoError> {
        let ParsedTrack { container, codec, shape, tick, mut samples, mut is_cut_off } = track;
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
            // The decoder cannot tell two frames with the same time apart.
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

    /// Returns the video's size and times, which are known before decoding.
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

    /// Returns the position in `shown` of the frame that is visible at `micros` microseconds. Before the first frame,
    /// this is the first frame.
    pub fn at(&self, micros: i64) -> usize {
        self.times.partition_point(|&time| time <= micros).saturating_sub(1)
    }

    /// Returns the video's duration in microseconds, including the duration of the last frame.
    pub fn duration(&self) -> i64 {
        let (Some(&last), Some(&sample)) = (self.times.last(), self.shown.last()) else { return 0 };
        let in_file = self.tick.micros(i64::from(self.samples[sample as usize].duration));
        let usual = if self.times.len() > 1 { (last - self.times[0]) / (self.times.len() as i64 - 1) } else { 0 };
        last.saturating_add(if in_file > 0 { in_file } else { usual })
    }

    /// Returns the average number of frames per second; 0 if it is unknown.
    pub fn rate(&self) -> f64 {
        let span = self.duration() - self.times[0];
        if span > 0 { self.times.len() as f64 * 1e6 / span as f64 } else { 0.0 }
    }

    /// Returns the sample at which decoding must start to reach the sample `wanted`: the last key frame that is
    /// neither decoded nor shown after `wanted`. A frame that is decoded after a key frame but shown before it needs
    /// the previous key frame.
    pub fn key_before(&self, wanted: usize) -> Option<usize> {
        let is_good = |sample: &Sample| sample.is_key && sample.time <= self.samples[wanted].time;
        self.samples[..=wanted].iter().rposition(is_good)
    }
}
