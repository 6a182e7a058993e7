//! The properties of a video that are known before decoding.

use crate::geometry::Size;

/// A video's size and times.
#[derive(Clone, Debug, PartialEq)]
pub struct VideoInfo {
    /// The upright video's size, in square pixels.
    pub size: Size,
    /// The duration, in microseconds.
    pub duration: i64,
    /// The time of each frame, in microseconds; strictly increasing.
    pub times: Vec<i64>,
    /// The average number of frames per second; 0 if it is unknown.
    pub rate: f64,
    /// The codec's name for messages: "H.264".
    pub codec: String,
    /// The container's name for messages: "MP4".
    pub container: String,
    /// Whether the file ends before the video does.
    pub is_cut_off: bool,
}

impl VideoInfo {
    /// Returns the number of the frame that is visible at `micros` microseconds. Before the first frame, this is the
    /// first frame.
    pub fn at(&self, micros: i64) -> usize {
        self.times.partition_point(|&time| time <= micros).saturating_sub(1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_frame_is_visible_until_the_next() {
        let info = VideoInfo {
            size: Size { width: 4, height: 3 },
            duration: 166_667,
            times: vec![0, 41_667, 83_333, 125_000],
            rate: 24.0,
            codec: String::new(),
            container: String::new(),
            is_cut_off: false,
        };
        assert_eq!((info.at(-5), info.at(41_666), info.at(41_667), info.at(9_000_000)), (0, 0, 1, 3));
    }
}
