//! The part that runs in a browser.

pub mod colour_scale;
pub mod controls;
pub mod dom;
pub mod explanation;
pub mod wait_for_event;
