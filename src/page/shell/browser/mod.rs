//! The part that runs in a browser.

pub mod drop_and_paste;
pub mod dropped_folders;
pub mod export;
pub mod features;
pub mod first_labels;
pub mod help;
pub mod history;
pub mod keys;
pub mod masthead;
pub mod notice;
pub mod opened_model;
pub mod pending_address;
pub mod precomputed_results;
pub mod samples;
pub mod share;
pub mod tour;
pub mod update;
