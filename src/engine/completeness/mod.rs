//! How much of what the model sees a few texts for each head keep, over the gallery.

#[cfg(feature = "compute")]
mod measure;
pub mod message;

#[cfg(feature = "compute")]
pub use measure::{Picture, measure};
