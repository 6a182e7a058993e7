//! Everything that can go wrong in the worker.

use super::download::DownloadError;
use super::import::ImportError;
use crate::checkpoint::CheckpointError;
use crate::media::MediaError;
use crate::media::video::VideoError;
use crate::model::ModelError;
use crate::protocol::sampling::TooManyFrames;
use crate::protocol::wire::WireError;
use crate::session::SessionError;
use crate::session::gallery::NoRoom;
use crate::session::video::export::ExportError;
use crate::statistics::StatisticsError;
use crate::track::TrackError;

/// Why a piece of work failed. The text says what to do.
#[derive(Debug, thiserror::Error)]
pub(super) enum WorkerError {
    #[error(transparent)]
    Session(#[from] SessionError),
    #[error(transparent)]
    Model(#[from] ModelError),
    #[error(transparent)]
    Checkpoint(#[from] CheckpointError),
    #[error(transparent)]
    Statistics(#[from] StatisticsError),
    #[error(transparent)]
    Download(#[from] DownloadError),
    #[error(transparent)]
    Import(#[from] ImportError),
    #[error(transparent)]
    Media(#[from] MediaError),
    #[error(transparent)]
    Video(#[from] VideoError),
    #[error(transparent)]
    Track(#[from] TrackError),
    #[error(transparent)]
    TooManyFrames(#[from] TooManyFrames),
    #[error(transparent)]
    Export(#[from] ExportError),
    #[error(transparent)]
    NoRoom(#[from] NoRoom),
    #[error(transparent)]
    Wire(#[from] WireError),

    #[error("the browser could not make the file: close other tabs, then try again")]
    NoMemoryForFile,
    #[error("type a phrase first")]
    NoPhrase,
    #[error("no texts wait to be embedded: choose the texts again")]
    NoPoolPrepared,
    #[error("the gallery is not open yet")]
    NoGallery,
    #[error("the gallery has no such picture")]
    NoPicture,
    #[error("the picture was not sent: add it again")]
    NotSent,
    #[error("{0} could not be read: it was moved or changed meanwhile")]
    PictureUnreadable(String),
    #[error("statistics need two pictures at least: add some to the gallery first")]
    FewPictures,
    #[error("none of the labelled pictures is in the gallery: add them first")]
    NoLabelledPicture,

    #[error("open a video first")]
    NoVideo,
    #[error("there is no file: choose one")]
    NoFile,
    #[error("there are no pictures: choose some")]
    NoPictures,
    #[error("{0} cannot be read: it may have been moved; open it again")]
    FrameUnreadable(String),
    #[error("this picture is not there any more: open the pictures again")]
    PictureGone,
    #[error("this frame is not among those that were chosen")]
    NotSampled,
    #[error("choose the frames to process first")]
    NoFrames,
    #[error("the frame is gone: ask for it again")]
    FrameGone,
    #[error("the frame's patches are missing: ask for it again")]
    NoPatches,
    #[error("statistics need two frames at least: process more of the video first")]
    FewFrames,

    #[error("there is nothing to process")]
    NothingToRun,
    #[error("this helper worker has no image tower")]
    NoTower,
}
