//! What can go wrong on the command line, in one sentence for the person who reads it.

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use super::download::DownloadError;
use crate::align::AlignError;
use crate::checkpoint::CheckpointError;
use crate::media::MediaError;
use crate::session::EngineError;
use crate::statistics::StatisticsError;
use crate::track::TrackError;

/// A command that did not do what was asked.
#[derive(Debug, thiserror::Error)]
pub enum CliError {
    /// The command makes no sense as it was typed.
    #[error("{0}")]
    Usage(String),
    #[error(transparent)]
    Engine(#[from] EngineError),
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
    #[error("\u{201c}{}\u{201d} breaks its decoder: save it as JPEG or PNG first", .0.display())]
    Decoder(PathBuf),
    #[error("{}: {source}", path.display())]
    Statistics { path: PathBuf, source: StatisticsError },
    #[error(
        "this pack comes without head statistics: gather them with `headlamp stats`, then give them as --statistics"
    )]
    NoStatistics,
    #[error("this pack comes without a pool of texts: give texts of your own as --texts")]
    NoPool,
    #[error("{}: there is no picture in it", .0.display())]
    NoPictures(PathBuf),
    /// A data set, or a list that goes with one.
    #[error("{}: {reason}", path.display())]
    Data { path: PathBuf, reason: String },
    #[error(
        "{} is no folder, and reading a video takes ffmpeg, which is not there: install it, or give a folder of frames",
        .0.display()
    )]
    NoFfmpeg(PathBuf),
    #[error(transparent)]
    Track(#[from] TrackError),
    #[error("none of {0} pictures could be read")]
    NoneRead(usize),
    #[error("{} is there already: remove it, or name another", .0.display())]
    Exists(PathBuf),
    #[error("{} holds other work ({why}): remove it, or name another --out", path.display())]
    OtherWork { path: PathBuf, why: String },
    /// Not [`CliError::Io`], which may be one picture's fault.
    #[error("cannot write {}: {reason}", path.display())]
    Unwritten { path: PathBuf, reason: std::io::Error },
    #[error("{} is neither a pack nor a file that headlamp writes ({reason})", path.display())]
    Unknown { path: PathBuf, reason: String },
    /// A pack that was inspected.
    #[error("{0}")]
    Broken(String),
    #[error("cannot {doing} {}: {reason}", path.display())]
    Io { doing: &'static str, path: PathBuf, reason: std::io::Error },
    #[error("cannot write the answer: {0}")]
    Stdout(std::io::Error),
    /// Failed, and each failure has had its line already.
    #[error("some of it failed")]
    Reported,
}

impl CliError {
    /// For `map_err` on what the system answers.
    pub fn io(doing: &'static str, path: &Path) -> impl Fn(std::io::Error) -> Self {
        move |reason| Self::Io { doing, path: path.to_owned(), reason }
    }

    /// Whether it is the one picture's fault, so that others may still go well.
    pub fn is_of_picture(&self) -> bool {
        matches!(self, Self::Media(_) | Self::Decoder(_) | Self::Io { .. } | Self::Engine(EngineError::Media(_)))
    }

    /// The process's exit status: 2 for bad use, 1 for a failure.
    pub fn status(&self) -> ExitCode {
        match self {
            Self::Usage(_)
            | Self::Engine(EngineError::NoHead { .. })
            | Self::Track(TrackError::NoHead { .. } | TrackError::NoHeads) => ExitCode::from(2),
            // Whoever read the answer has had enough of it.
            Self::Stdout(err) if err.kind() == std::io::ErrorKind::BrokenPipe => ExitCode::SUCCESS,
            _ => ExitCode::FAILURE,
        }
    }

    /// Whether there is something left to tell.
    pub fn is_news(&self) -> bool {
        match self {
            Self::Reported => false,
            Self::Stdout(err) => err.kind() != std::io::ErrorKind::BrokenPipe,
            _ => true,
        }
    }
}
