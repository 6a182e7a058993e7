//! The page's side of the worker: posts requests, waits, and passes answers on. This module knows no feature.

#[cfg(feature = "page")]
pub mod browser;
pub mod queue;
