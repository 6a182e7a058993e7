//! headlamp opens up vision transformers: where each attention head looks, which texts describe the head, and a
//! segmentation for any phrase. Everything is computed on the machine that holds the picture.
//!
//! The mathematics (`decompose`, `textspan`, `segment` and others) knows no browser, and the page ([`page`]) knows no
//! tensors. `session` holds an open model, `worker` runs a session for the page, and [`protocol`] defines the messages
//! between page and worker. `docs/ARCHITECTURE.md` draws the layers, and follows one photo and one video through the
//! code.

pub mod ablate;
pub mod foreground;
pub mod geometry;
pub mod metrics;
pub mod page;
pub mod protocol;
pub mod rle;
pub mod spurious;
pub mod text;

#[cfg(feature = "cli")]
pub mod align;
#[cfg(feature = "compute")]
pub mod checkpoint;
#[cfg(feature = "cli")]
pub mod cli;
#[cfg(feature = "compute")]
pub mod decompose;
#[cfg(feature = "compute")]
pub mod kernels;
#[cfg(feature = "compute")]
pub mod media;
#[cfg(feature = "compute")]
pub mod model;
#[cfg(feature = "compute")]
pub mod naming;
#[cfg(feature = "compute")]
pub mod retrieve;
#[cfg(feature = "compute")]
pub mod segment;
#[cfg(feature = "compute")]
pub mod session;
#[cfg(feature = "compute")]
pub mod shaders;
#[cfg(feature = "compute")]
pub mod statistics;
#[cfg(feature = "compute")]
pub mod textspan;
#[cfg(feature = "compute")]
pub mod track;
#[cfg(feature = "worker")]
pub mod worker;
#[cfg(feature = "compute")]
pub mod zero_shot;
