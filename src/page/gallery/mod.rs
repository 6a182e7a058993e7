//! The gallery of the person's own pictures, and spurious cues among them.

#[cfg(feature = "page")]
pub mod browser;
pub mod picture_labels;
pub mod tiles;
