//! headlamp opens up vision transformers: what each attention head looks at, what it stands for in
//! words, and a segmentation for any phrase, computed on the machine that holds the picture.
//!
//! The mathematics (`model`, [`decompose`], `textspan`, `segment`) knows nothing of browsers, the page
//! ([`page`]) knows nothing of tensors. [`session`] holds an open model, [`worker`] runs one for the page, and
//! [`protocol`] is what page and worker say to each other. `docs/ARCHITECTURE.md` follows one
//! photo through the code.

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
