//! The page's side of the worker: it asks, waits and hands answers over. It knows no feature.

#[cfg(feature = "page")]
pub mod browser;
pub mod queue;
