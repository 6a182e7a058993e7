//! The part that runs in a browser.

pub mod camera;
pub mod overlay_controls;
pub mod phrases;
pub mod stage;
pub mod stored_phrases;
pub mod zoomable;
