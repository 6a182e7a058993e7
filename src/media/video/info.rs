//! What there is to know of a video before it is decoded.

use crate::geometry::Size;

/// A video's size and times.
#[derive(Clone, Debug, PartialEq)]
pub struct VideoInfo {
    /// The upright video's size, in square pixels.
    pub size: Size,
    /// How long it lasts, in microseconds.
    pub duration: i64,
    /// When each frame is shown, in microseconds; strictly increasing.
    pub times: Vec<i64>,
    /// Frames per second, on average; 0 where that cannot be told.
    pub rate: f64,
    /// For people: "H.264".
    pub codec: String,
    /// For people: "MP4".
    pub container: String,
    /// Whether the file ends before the video does.
    pub is_cut_off: bool,
}

impl VideoInfo {
    /// Of `count` pictures, `rate` a second; one a second where that is no rate.
    pub fn of_pictures(size: Size, count: usize, rate: f64) -> Self {
        let rate = if rate.is_finite() && rate > 0.0 { rate.min(1000.0) } else { 1.0 };
        let time = |picture: usize| (picture as f64 * 1e6 / rate).round() as i64;
        Self {
            size,
            duration: time(count),
            times: (0..count).map(time).collect(),
            rate,
            codec: "pictures".to_owned(),
            container: "folder".to_owned(),
            is_cut_off: false,
        }
    }

    /// The number of the frame that is seen at `micros`; before the first, that is the first.
    pub fn at(&self, micros: i64) -> usize {
        self.times.partition_point(|&time| time <= micros).saturating_sub(1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pictures_are_shown_one_after_the_other() {
        let size = Size { width: 4, height: 3 };
        let info = VideoInfo::of_pictures(size, 4, 24.0);
        assert_eq!(info.times, [0, 41_667, 83_333, 125_000]);
        assert_eq!((info.at(-5), info.at(41_666), info.at(41_667), info.at(9_000_000)), (0, 0, 1, 3));
        assert_eq!(info.duration, 166_667);
        for no_rate in [0.0, -1.0, f64::NAN, f64::INFINITY] {
            assert_eq!(VideoInfo::of_pictures(size, 2, no_rate).times, [0, 1_000_000]);
        }
    }
}
