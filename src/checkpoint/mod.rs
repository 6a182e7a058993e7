//! Other people's weights, and our own packs.
//!
//! A checkpoint becomes a pack in three steps, none of which opens a file or holds the whole of one: [`index`] says
//! what is where, [`detect`](detect::detect) which model it is, and a [`Converter`] takes the bytes as they come.
//! `layouts` maps the names that a model asks for onto the checkpoint's; [`pack`] is the format that the program
//! ships and loads. A [`StateDict`] is a small file's tensors all at once, for tests and the default pack.

pub mod clip_tokens;
mod companions;
mod convert;
mod costs;
#[cfg(feature = "cli")]
pub mod default_pack;
pub mod detect;
mod family;
#[cfg(feature = "cli")]
pub mod files;
pub mod hub;
pub mod index;
pub mod known;
pub mod layouts;
#[cfg(feature = "cli")]
mod onnx;
pub mod pack;
pub mod quantise;
#[cfg(feature = "cli")]
pub mod random;
#[cfg(feature = "cli")]
pub mod random_texts;
mod sizes;
mod state_dict;
mod torch;
mod weights;

pub use companions::{COMPANIONS, Companions};
pub use convert::Converter;
pub use costs::StorageCost;
pub use detect::{Answers, Detected, Unknown, Unknowns};
#[cfg(feature = "cli")]
pub use onnx::read_onnx;
pub use pack::{Manifest, Pack, PackFile, PackWeights, PackWriter};
pub use quantise::Quantisation;
pub use state_dict::{RawTensor, StateDict};
pub use weights::{StoredWeights, WeightsWriter};

use crate::model::TensorError;

/// A model file that cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum CheckpointError {
    #[error("tensor `{0}` is missing: the file is incomplete, or of another model")]
    Missing(String),
    #[error(
        "{file} lacks {count} tensors of its model, `{named}` among them: it is incomplete, or of another model"
    )]
    Incomplete { file: String, count: usize, named: String },
    #[error("{file} holds no model that headlamp opens: {reason}")]
    Foreign { file: String, reason: String },
    #[error(
        "the config beside it says that the {what} is {told}, the tensors that it is {found}: the file is \
            incomplete, or the config another model's"
    )]
    Contradiction { what: &'static str, told: usize, found: usize },
    #[error("neither the file nor a config beside it tells the model's {0}: say so, or put its config beside it")]
    Unknown(Unknowns),
    #[error(
        "tensor `{name}` has shape {found:?} where the model needs {expected:?}: the file is of another model"
    )]
    Shape { name: String, expected: Vec<usize>, found: Vec<usize> },
    #[error("tensor `{name}` holds {found}, which this program does not read")]
    Type { name: String, found: String },
    #[error("tensor `{0}` holds values that are not finite: the file is damaged; fetch it again")]
    NotFinite(String),
    #[error("{file} is not a readable {kind} file ({reason}); fetch it again")]
    Malformed { file: String, kind: &'static str, reason: String },
    #[error(
        "{file} is {found} bytes long where {expected} are promised: it was cut off or changed; fetch it again"
    )]
    Size { file: String, expected: u64, found: u64 },
    #[error("{file} does not match its SHA-256: it was changed or damaged; fetch it again")]
    Hash { file: String },
    #[error("the pack has no {0}; it is incomplete, fetch it again")]
    MissingFile(String),
    #[error("the pack is of format {found}, and this program reads format {}; update one of them", pack::FORMAT)]
    Format { found: u32 },
    #[error("the model ({bytes} bytes) does not fit into memory: close other programs, or store it in fewer bits")]
    Memory { bytes: u64 },
    #[error("cannot {doing} {path}: {reason}")]
    Io { doing: &'static str, path: String, reason: String },
}

/// For the sources of this folder, which answer a model's [`TensorSource`](crate::model::TensorSource).
impl From<CheckpointError> for TensorError {
    fn from(error: CheckpointError) -> Self {
        match error {
            CheckpointError::Missing(name) => Self::Missing(name),
            error => Self::Source(Box::new(error)),
        }
    }
}

impl From<TensorError> for CheckpointError {
    fn from(error: TensorError) -> Self {
        match error {
            TensorError::Missing(name) => Self::Missing(name),
            TensorError::Source(error) => match error.downcast::<Self>() {
                Ok(error) => *error,
                // No source of the program fails with another error.
                Err(error) => {
                    Self::Malformed { file: "weights".into(), kind: "tensor", reason: error.to_string() }
                }
            },
        }
    }
}
