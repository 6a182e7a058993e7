//! The error of every command: one sentence for the person who reads it.

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use super::pack::download::DownloadError;
use crate::align::AlignError;
use crate::checkpoint::CheckpointError;
use crate::media::MediaError;
use crate::session::SessionError;
use crate::statistics::StatisticsError;
use crate::track::TrackError;

/// The reason why a command failed.
#[derive(Debug, thiserror::Error)]
pub enum CliError {
    /// The arguments make no sense.
    #[error("{0}")]
    Usage(String),
    #[error(transparent)]
    Session(#[from] SessionError),
    #[error(transparent)]
    Checkpoint(#[from] CheckpointError),
    #[error(transparent)]
    Download(#[from] DownloadError),
    #[error(transparent)]
    Align(#[from] AlignError),
    #[error("there is no pack at {}: `cargo xtask assets` makes the default one, --pack names another", .0.display())]
    NoPack(PathBuf),
    #[error(transparent)]
    Media(#[from] MediaError),
    /// The picture's decoder panicked.
    #[error("\u{201c}{}\u{201d} crashes its decoder: save it as JPEG or PNG first", .0.display())]
    DecoderPanic(PathBuf),
    #[error("{}: {source}", path.display())]
    Statistics { path: PathBuf, source: StatisticsError },
    #[error(
        "this pack has no head statistics: gather them with `headlamp stats`, then pass them with --statistics"
    )]
    NoStatistics,
    #[error("this pack has no pool of texts: pass your own texts with --texts")]
    NoPool,
    #[error("{} contains no picture", .0.display())]
    NoPictures(PathBuf),
    /// A data set, or a list that belongs to a data set, is not as expected.
    #[error("{}: {reason}", path.display())]
    Data { path: PathBuf, reason: String },
    #[error(
        "{} is not a folder, and ffmpeg, which reads video files, is not installed: install it, or give a folder of frames",
        .0.display()
    )]
    NoFfmpeg(PathBuf),
    #[error(transparent)]
    Track(#[from] TrackError),
    #[error("none of {0} pictures could be read")]
    NoPictureReadable(usize),
    #[error("{} is there already: remove it, or choose another place", .0.display())]
    Exists(PathBuf),
    /// The folder for unfinished work belongs to a run with another model, or to another program.
    #[error("{} holds other work ({why}): remove it, or choose another --out", path.display())]
    OtherWork { path: PathBuf, why: String },
    /// A result could not be written. Unlike [`CliError::Io`], this never counts as the fault of one picture.
    #[error("cannot write {}: {reason}", path.display())]
    Unwritten { path: PathBuf, reason: std::io::Error },
    #[error("{} is neither a pack nor a file that headlamp writes ({reason})", path.display())]
    UnknownFile { path: PathBuf, reason: String },
    /// `headlamp inspect` found a damaged file in a pack.
    #[error("{0}")]
    DamagedPack(String),
    #[error("cannot {doing} {}: {reason}", path.display())]
    Io { doing: &'static str, path: PathBuf, reason: std::io::Error },
    #[error("cannot write the answer: {0}")]
    Stdout(std::io::Error),
    /// At least one picture failed, and each failure has been printed already.
    #[error("some pictures failed")]
    AlreadyReported,
}

impl CliError {
    /// Returns a function for `map_err` that turns a system error into [`CliError::Io`].
    pub fn io(doing: &'static str, path: &Path) -> impl Fn(std::io::Error) -> Self {
        move |reason| Self::Io { doing, path: path.to_owned(), reason }
    }

    /// Returns [`CliError::Data`] about the file or folder at `path`.
    pub fn data(path: &Path, reason: impl Into<String>) -> Self {
        Self::Data { path: path.to_owned(), reason: reason.into() }
    }

    /// Tells whether one picture caused the error, so that other pictures may still succeed.
    pub fn is_of_picture(&self) -> bool {
        matches!(
            self,
            Self::Media(_) | Self::DecoderPanic(_) | Self::Io { .. } | Self::Session(SessionError::Media(_))
        )
    }

    /// Returns the exit status of the process: 2 for wrong arguments, 3 for a server that cannot be reached, 1 for any
    /// other failure.
    pub fn status(&self) -> ExitCode {
        match self {
            Self::Usage(_)
            | Self::Session(SessionError::NoHead { .. })
            | Self::Track(TrackError::NoHead { .. } | TrackError::NoHeads) => ExitCode::from(2),
            Self::Download(DownloadError::Unreachable { .. }) => ExitCode::from(3),
            // The reader closed stdout on purpose: `headlamp ... | head`.
            Self::Stdout(err) if err.kind() == std::io::ErrorKind::BrokenPipe => ExitCode::SUCCESS,
            _ => ExitCode::FAILURE,
        }
    }

    /// Tells whether the error still has to be printed.
    pub fn is_unreported(&self) -> bool {
        match self {
            Self::AlreadyReported => false,
            Self::Stdout(err) => err.kind() != std::io::ErrorKind::BrokenPipe,
            _ => true,
        }
    }
}
