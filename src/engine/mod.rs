//! The engine: an open model with its photo and texts, and the worker that runs it for the page.

pub mod completeness;
pub mod cues;
pub mod message;
pub mod video;

#[cfg(feature = "compute")]
pub mod device;
#[cfg(feature = "compute")]
mod directions;
#[cfg(feature = "compute")]
mod error;
#[cfg(feature = "compute")]
pub mod gallery;
#[cfg(feature = "compute")]
pub mod hands;
#[cfg(feature = "compute")]
mod labels;
#[cfg(feature = "compute")]
pub mod pool;
#[cfg(feature = "compute")]
mod probe;
#[cfg(feature = "compute")]
mod session;
#[cfg(feature = "compute")]
pub use {
    error::EngineError,
    session::{Featured, Session, Traced, pool_lines},
};

#[cfg(feature = "worker")]
mod fetch;
#[cfg(feature = "worker")]
mod import;
#[cfg(feature = "worker")]
mod shelf;
#[cfg(feature = "web")]
pub mod wire;
#[cfg(feature = "worker")]
pub mod worker;
