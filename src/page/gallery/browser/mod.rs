//! The part that runs in a browser.

pub mod cue_state;
pub mod cues;
pub mod grid;
pub mod panel;
pub mod property_pictures;
pub mod requests;
pub mod state;
