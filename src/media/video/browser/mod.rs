//! Decodes a video's frames in the browser's worker.

mod blob;
mod decoder;
mod frame_canvas;
mod video;
mod webcodecs;

pub use video::{MAX_ALIVE, Video};
