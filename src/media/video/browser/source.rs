//! Wherever frames come from.

use super::super::{Pushed, VideoError, VideoInfo};
use super::{Pictures, Video};
use crate::media::Photo;

/// Something that has a frame for any time. Dropping it, or a request, cancels.
pub enum FrameSource {
    /// A file that is decoded here.
    Video(Box<Video>),
    /// A folder of picture files.
    Pictures(Pictures),
    /// Frames that the page sends: from a camera, or from a video element where there is no other decoder.
    Pushed(Pushed),
}

impl FrameSource {
    /// What is known of it by now.
    pub fn info(&self) -> VideoInfo {
        match self {
            Self::Video(video) => video.info(),
            Self::Pictures(pictures) => pictures.info(),
            Self::Pushed(pushed) => pushed.info(),
        }
    }

    /// The frame that is seen at `micros`: the last whose time is not after it, or the first.
    ///
    /// # Errors
    /// As [`Video::frame_at`], [`Pictures::frame_at`] and [`Pushed::frame_at`].
    pub async fn frame_at(&mut self, micros: i64) -> Result<Photo, VideoError> {
        match self {
            Self::Video(video) => video.frame_at(micros).await,
            Self::Pictures(pictures) => pictures.frame_at(micros).await,
            Self::Pushed(pushed) => pushed.frame_at(micros),
        }
    }
}
