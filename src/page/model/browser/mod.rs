//! The part that runs in a browser.

pub mod destination;
pub mod known_models;
pub mod label_sources;
pub mod load_model;
pub mod panel;
pub mod state;
pub mod storage_costs;
pub mod stored_packs;
