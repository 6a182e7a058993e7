//! The error type for model files and packs.

use super::detect::missing_settings::MissingSettings;
use super::pack::file_names::FORMAT;
use crate::model::TensorError;

/// A model file that cannot be used. Each message names the fault and the remedy.
#[derive(Debug, thiserror::Error)]
pub enum CheckpointError {
    #[error(
        "tensor `{0}` is missing: the file is incomplete or belongs to another model; fetch the model's own file again"
    )]
    Missing(String),
    #[error(
        "{file} lacks {count} tensors of its model, among them `{named}`: the file is incomplete or belongs to \
            another model; fetch the model's own file again"
    )]
    Incomplete { file: String, count: usize, named: String },
    #[error("{file} holds no model that headlamp opens: {reason}")]
    Foreign { file: String, reason: String },
    #[error(
        "the config beside the file says that the {what} is {declared}, but the tensors say {found}: the file is \
            incomplete, or the config belongs to another model; put the model's own config beside the file"
    )]
    Contradiction { what: &'static str, declared: usize, found: usize },
    #[error(
        "neither the file nor a config beside it contains the model's {0}: give these settings, or put the model's \
            config beside the file"
    )]
    MissingSettings(MissingSettings),
    #[error(
        "tensor `{name}` has shape {found:?}, but the model needs {expected:?}: the file belongs to another model; \
            choose the model's own file"
    )]
    Shape { name: String, expected: Vec<usize>, found: Vec<usize> },
    #[error(
        "tensor `{name}` holds {found}, which headlamp does not read: save the weights as floating-point numbers"
    )]
    Type { name: String, found: String },
    #[error(
        "{file} has the tensor `{name}`, which this model does not read: take the file of this model, or remove the tensor"
    )]
    Unread { file: String, name: String },
    #[error("tensor `{0}` holds values that are not finite: the file is damaged; fetch it again")]
    NotFinite(String),
    #[error("{file} is not a readable {kind} file ({reason}); fetch it again")]
    Malformed { file: String, kind: &'static str, reason: String },
    #[error("{file} has {found} bytes, but should have {expected}: it was cut off or changed; fetch it again")]
    Size { file: String, expected: u64, found: u64 },
    #[error("{file} does not match its SHA-256: it was changed or damaged; fetch it again")]
    Hash { file: String },
    #[error("the pack has no {0}: it is incomplete; fetch it again")]
    MissingFile(String),
    #[error("the pack has format {found}, but this program reads format {FORMAT}: update the older of the two")]
    Format { found: u32 },
    #[error("the model ({bytes} bytes) does not fit into memory: close other programs, or store it in fewer bits")]
    Memory { bytes: u64 },
    #[error("cannot {doing} {path}: {reason}; check the path and its permissions")]
    Io { doing: &'static str, path: String, reason: String },
}

impl CheckpointError {
    /// Returns the error for a PyTorch file that cannot be read, with the reason in the reader's words.
    pub(super) fn malformed_torch(file: &str, reason: &str) -> Self {
        Self::Malformed { file: file.to_owned(), kind: "PyTorch", reason: reason.to_owned() }
    }
}

/// Lets the sources of this folder return their errors from [`TensorSource`](crate::model::TensorSource).
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
                // Every source of this program fails with a `CheckpointError`, so this case does not occur.
                Err(error) => {
                    Self::Malformed { file: "weights".into(), kind: "tensor", reason: error.to_string() }
                }
            },
        }
    }
}
