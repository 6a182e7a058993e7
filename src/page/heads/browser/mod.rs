//! The part that runs in a browser.

pub mod average_picture;
pub mod completeness_curve;
pub mod contrast;
pub mod grid;
pub mod grid_cell;
pub mod heads;
pub mod lab;
pub mod names;
pub mod panel;
pub mod property_mark;
pub mod settling;
pub mod sources;
pub mod undo;
pub mod what_heads_do;
