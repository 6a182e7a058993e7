//! The part that runs in a browser.

pub mod host;
pub mod view;
