//! Two models side by side on one photo: their scores, segmentations and heads. The second model has a worker of its
//! own.

#[cfg(feature = "page")]
pub mod browser;
pub mod memory;
pub mod pairs;
pub mod top_heads;
