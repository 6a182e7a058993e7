//! Spurious cues over a labelled gallery.

#[cfg(feature = "compute")]
mod find;
pub mod message;

#[cfg(feature = "compute")]
pub use find::{Seen, find};
