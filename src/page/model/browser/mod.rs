//! The part that runs in a browser.

pub mod load_model;
pub mod panel;
pub mod storage_costs;
