//! The engine: an open model with its photo and texts, and the worker that runs it for the page.

pub mod message;

#[cfg(feature = "web")]
pub mod wire;
