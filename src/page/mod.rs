//! The page, in Leptos. Each feature has a folder with its state, its requests, its views and its arithmetic.
//!
//! The files directly inside a feature's folder are plain arithmetic, tested natively. Its `browser/` folder needs a
//! browser.

#[cfg(feature = "page")]
pub mod app;
pub mod common;
pub mod core;
pub mod embed;
pub mod gallery;
pub mod heads;
pub mod model;
pub mod photo;
pub mod shell;
pub mod video;
