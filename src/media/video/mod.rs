//! Videos in: which frames a file has and when each is shown ([`demux`], portable), and the frames' pixels, by
//! the browser's own decoders (`browser`, in the worker).
//!
//! Frames are handed out one at a time, for a time in the video; nothing here holds more than a bounded number
//! of them.

#[cfg(all(feature = "worker", target_arch = "wasm32"))]
mod browser;
mod codec;
mod demux;
mod error;
mod index;
mod info;
mod mp4;
mod mp4_samples;
mod webm;
mod webm_blocks;
mod window;

#[cfg(all(feature = "worker", target_arch = "wasm32"))]
pub use browser::{MAX_ALIVE, Video};
pub use codec::Codec;
pub use demux::demux;
pub use error::VideoError;
pub use index::{Container, Index, Sample, Shape, Tick, Turn};
pub use info::VideoInfo;
