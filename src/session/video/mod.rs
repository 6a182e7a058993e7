//! Videos: the stored results of each frame, mask propagation, and files of masks.

pub mod export;
pub mod propagation;
pub mod study;
