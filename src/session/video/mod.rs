//! Videos: what is kept of each frame, and what follows from it.

pub mod export;
pub mod propagation;
pub mod study;
