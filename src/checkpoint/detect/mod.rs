//! Recognises the model in a file.
//!
//! The tensors' names and shapes give the family and the sizes. The other settings come, in this order, from the
//! user, from the config files beside the weights, and from the table of published models.

mod config_files;
mod family;
pub(super) mod missing_settings;
mod normalisation;
mod published_models;
mod recognise;
mod sizes_from_shapes;

pub use config_files::{CONFIG_FILES, ConfigFiles};
pub use family::Family;
pub use missing_settings::{GivenSettings, MissingSetting, MissingSettings};
pub use published_models::{ModelSizes, PUBLISHED_MODELS, PublishedModel, TowerSizes};
pub use recognise::{Detected, detect};
