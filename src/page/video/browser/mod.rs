//! The part that runs in a browser.

pub mod answers;
pub mod camera;
pub mod frame_as_photo;
pub mod frame_clock;
pub mod hidden_player;
pub mod layers;
pub mod objects;
pub mod open;
pub mod panel;
pub mod phrase_chart;
pub mod player_pictures;
pub mod processing;
pub mod propagation;
pub mod record;
pub mod requests;
pub mod save;
pub mod stage;
pub mod state;
pub mod timeline;
