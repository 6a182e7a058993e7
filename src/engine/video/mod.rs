//! Videos: which of their frames are looked at, what page and worker say to one another about them, and what
//! is kept of each frame.

pub mod message;
pub mod sampling;

#[cfg(feature = "compute")]
pub mod export;
#[cfg(feature = "compute")]
pub mod follow;
#[cfg(feature = "compute")]
pub mod study;
