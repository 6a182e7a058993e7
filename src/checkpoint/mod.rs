//! Model files of other projects, and headlamp's own packs.
//!
//! A checkpoint becomes a pack in three steps. No step opens a file or holds a whole file in memory.
//!
//! 1. [`index`] lists the tensors of a file and their places, from the file's header or directory.
//! 2. [`detect`](detect::detect) recognises the model from that list and from the configs beside the file.
//! 3. A [`Converter`] takes the file's bytes piece by piece and writes the pack's weights.
//!
//! `layouts` maps the project's tensor names to the names in each kind of checkpoint. [`pack`] is the format that
//! headlamp ships and loads. A [`StateDict`] holds all tensors of a small file at once; the tests and the default
//! pack use it.

mod byte_fields;
pub mod clip_tokens;
mod convert;
#[cfg(feature = "cli")]
pub mod default_pack;
pub mod detect;
mod error;
pub mod hub;
pub mod index;
pub mod layouts;
#[cfg(feature = "cli")]
pub mod on_disk;
#[cfg(feature = "cli")]
mod onnx;
pub mod pack;
#[cfg(feature = "cli")]
pub mod random_model;
#[cfg(feature = "cli")]
pub mod random_model_texts;
mod state_dict;

pub use convert::Converter;
pub use detect::{CONFIG_FILES, ConfigFiles, Detected, GivenSettings, MissingSetting, MissingSettings};
pub use error::CheckpointError;
#[cfg(feature = "cli")]
pub use onnx::read_onnx;
pub use pack::{
    Manifest, Pack, PackFile, PackWeights, PackWriter, Quantisation, StorageCost, StoredWeights, WeightsWriter,
};
pub use state_dict::{RawTensor, StateDict};
