//! Frames that somebody else decodes and sends.

use std::collections::VecDeque;

use super::{VideoError, VideoInfo};
use crate::geometry::Size;
use crate::media::Photo;

/// The most frames that are kept: the oldest goes first.
pub const MAX_PUSHED: usize = 16;

/// The frames sent last, with their times in microseconds.
#[derive(Debug, Default)]
pub struct Pushed {
    frames: VecDeque<(i64, Photo)>,
}

impl Pushed {
    /// Adds a frame. One that is not after the last begins anew: the video was set back, or another came.
    pub fn push(&mut self, micros: i64, photo: Photo) {
        if self.frames.back().is_some_and(|&(last, _)| micros <= last) {
            self.frames.clear();
        }
        if self.frames.len() == MAX_PUSHED {
            self.frames.pop_front();
        }
        self.frames.push_back((micros, photo));
    }

    /// What is known of the frames that are here.
    pub fn info(&self) -> VideoInfo {
        let size = self.frames.back().map_or(Size { width: 1, height: 1 }, |(_, photo)| photo.size);
        let times: Vec<i64> = self.frames.iter().map(|&(time, _)| time).collect();
        let span = times.last().zip(times.first()).map_or(0, |(last, first)| last - first);
        let rate = if span > 0 { (times.len() - 1) as f64 * 1e6 / span as f64 } else { 0.0 };
        let duration = times.last().copied().unwrap_or(0);
        let (codec, container) = ("pictures".to_owned(), "live".to_owned());
        VideoInfo { size, duration, times, rate, codec, container, is_cut_off: false }
    }

    /// The last frame whose time is not after `micros`.
    ///
    /// # Errors
    /// Where there is none, or it went to make room.
    pub fn frame_at(&self, micros: i64) -> Result<Photo, VideoError> {
        let frame = self.frames.iter().rev().find(|&&(time, _)| time <= micros);
        let not_sent = || VideoError::NotSent { seconds: micros as f64 / 1e6 };
        frame.map(|(_, photo)| photo.clone()).ok_or_else(not_sent)
    }
}

/// A picture of opaque RGBA bytes, rows first; none where they are not of that size.
pub fn photo_of_rgba(size: Size, rgba: &[u8]) -> Option<Photo> {
    let bytes = size.width.checked_mul(size.height)?.checked_mul(4)?;
    if bytes != rgba.len() || bytes == 0 {
        return None;
    }
    let rgb = rgba.as_chunks::<4>().0.iter().flat_map(|&[red, green, blue, _opaque]| [red, green, blue]).collect();
    Some(Photo { size, held: size, rgb })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn photo(value: u8) -> Photo {
        photo_of_rgba(Size { width: 1, height: 1 }, &[value, value, value, 255]).unwrap()
    }

    #[test]
    fn the_last_frames_are_kept_and_no_more() {
        let mut pushed = Pushed::default();
        assert!(matches!(pushed.frame_at(0), Err(VideoError::NotSent { .. })));
        for frame in 0..40 {
            pushed.push(i64::from(frame) * 100, photo(frame));
        }
        assert_eq!(pushed.info().times.len(), MAX_PUSHED);
        assert_eq!(pushed.frame_at(3_950).unwrap(), photo(39));
        assert_eq!(pushed.frame_at(2_400).unwrap(), photo(24));
        assert!(matches!(pushed.frame_at(2_399), Err(VideoError::NotSent { .. })));
        pushed.push(0, photo(7));
        assert_eq!(pushed.info().times, [0]);
    }

    #[test]
    fn pixels_have_to_be_of_their_size() {
        let size = Size { width: 2, height: 1 };
        assert_eq!(photo_of_rgba(size, &[1, 2, 3, 255, 4, 5, 6, 255]).unwrap().rgb, [1, 2, 3, 4, 5, 6]);
        assert_eq!(photo_of_rgba(size, &[1, 2, 3, 255]), None);
        assert_eq!(photo_of_rgba(Size { width: usize::MAX, height: 2 }, &[]), None);
        assert_eq!(photo_of_rgba(Size { width: 0, height: 2 }, &[]), None);
    }
}
