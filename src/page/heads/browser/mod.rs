//! The part that runs in a browser.

pub mod completeness_curve;
pub mod contrast;
pub mod grid;
pub mod heads;
pub mod lab;
pub mod names;
pub mod panel;
pub mod settling;
pub mod sources;
pub mod undo;
