//! The compact page inside another page, and the messages between the two.

#[cfg(feature = "page")]
pub mod browser;
pub mod messages;
