//! The photo, its phrases with their scores, and the map that is drawn over it.

#[cfg(feature = "page")]
pub mod browser;
pub mod phrase_list;
pub mod raster;
pub mod zoom;
