//! The part that runs in a browser.

pub mod answers;
pub mod client;
pub mod engine;
pub mod state;
pub mod watchdog;
