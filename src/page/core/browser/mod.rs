//! The part that runs in a browser.

pub mod client;
pub mod core;
pub mod watchdog;
