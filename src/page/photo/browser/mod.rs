//! The part that runs in a browser.

pub mod camera;
pub mod head_map;
pub mod overlay;
pub mod overlay_controls;
pub mod photo;
pub mod phrases;
pub mod phrases_panel;
pub mod segmentation;
pub mod stage;
pub mod stored_phrases;
pub mod zoomable;
