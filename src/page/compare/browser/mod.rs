//! The part that runs in a browser.

pub mod comparison;
pub mod phrase_table;
pub mod segmented_photo;
pub mod state;
pub mod strongest_heads;
