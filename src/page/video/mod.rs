//! The video view.

#[cfg(feature = "page")]
pub mod browser;
pub mod time;
pub mod tracks;
