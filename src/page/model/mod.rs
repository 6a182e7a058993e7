//! The open model: choosing one, what it is, and what its storage costs.

pub mod address;
#[cfg(feature = "page")]
pub mod browser;
pub mod kept_files;
pub mod published;
