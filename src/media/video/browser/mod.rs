//! Frames in the browser's worker.

mod blob;
mod decoder;
mod frame;
mod video;
mod webcodecs;

pub use video::{MAX_ALIVE, Video};
