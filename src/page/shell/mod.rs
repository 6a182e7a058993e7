//! Everything that drives several features: masthead, address, keys, tour, export.

pub mod address;
#[cfg(feature = "page")]
pub mod browser;
pub mod computed_sample;
pub mod figure;
pub mod findings;
pub mod sample_photos;
pub mod shortcuts;
pub mod tour_steps;
