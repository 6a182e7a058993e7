//! The open model: its choice, its description, and the cost of storing it.

pub mod address;
#[cfg(feature = "page")]
pub mod browser;
pub mod published;
pub mod stored_files;
