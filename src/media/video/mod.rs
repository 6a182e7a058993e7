//! Videos: from a file to its list of frames, and from a frame to pixels.
//!
//! [`demux`] lists the frames of a file and their times, natively and in the browser. In the worker, `browser`
//! decodes the frames with the browser's own decoders. It returns one frame at a time, for a time in the video, and
//! never holds more than a bounded number of frames.

#[cfg(all(feature = "worker", target_arch = "wasm32"))]
mod browser;
mod codec;
mod demux;
mod error;
mod file_window;
mod mp4;
mod sample;
mod video_index;
mod video_info;
mod webm;

#[cfg(all(feature = "worker", target_arch = "wasm32"))]
pub use browser::{MAX_ALIVE, Video};
pub use codec::Codec;
pub use demux::demux;
pub use error::VideoError;
pub use sample::{Container, FrameShape, Sample, Tick, Turn};
pub use video_index::VideoIndex;
pub use video_info::VideoInfo;
