//! The part that runs in a browser.

pub mod camera;
pub mod frame_as_photo;
pub mod frame_clock;
pub mod frame_requests;
pub mod hidden_player;
pub mod layers;
pub mod mask_requests;
pub mod objects;
pub mod open;
pub mod opening;
pub mod panel;
pub mod phrase_chart;
pub mod phrase_requests;
pub mod player_pictures;
pub mod processing;
pub mod propagation;
pub mod record;
pub mod save;
pub mod stage;
pub mod state;
pub mod timeline;
