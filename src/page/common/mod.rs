//! Code that several features of the page share.

#[cfg(feature = "page")]
pub mod browser;
pub mod chart;
pub mod colour;
pub mod content_policy;
pub mod formulas;
pub mod mathml;
pub mod playback_error;
pub mod progress_line;
