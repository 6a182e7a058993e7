//! Frames in the browser's worker.

mod blob;
mod decoder;
mod frame;
mod pictures;
mod source;
mod video;
mod webcodecs;

pub use pictures::Pictures;
pub use source::FrameSource;
pub use video::{MAX_ALIVE, Video};

pub use crate::media::browser::photo_of_bitmap;
