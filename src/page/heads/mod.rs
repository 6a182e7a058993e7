//! The heads: their contributions to the score, the texts that describe them, and switching parts off.

#[cfg(feature = "page")]
pub mod browser;
pub mod completeness;
pub mod contributions;
pub mod label_files;
pub mod properties;
pub mod settling;
pub mod switched_off;
pub mod undo_history;
