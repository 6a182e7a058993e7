//! The state of the worker, and the replies of its handlers.

use js_sys::Uint8Array;
use web_sys::Blob;

use super::error::WorkerError;
use super::gallery_files::BrowserFile;
use super::helpers::Helpers;
use super::kept_labels::LabelStore;
use super::open_video::OpenVideo;
use super::pool::PreparedPool;
use crate::media::Photo;
use crate::protocol::Work;
use crate::protocol::wire::{self, Attachments};
use crate::session::gallery::Gallery;
use crate::session::{Session, SessionError, Traced};

/// An answer, and the buffers and files that travel with it.
pub(super) struct Reply<A> {
    pub(super) answer: A,
    pub(super) attachments: Attachments,
}

/// The return type of a task's handler.
pub(super) type Handled<T> = Result<Reply<<T as Work>::Answer>, WorkerError>;

impl<A> Reply<A> {
    /// Makes a reply without buffers.
    pub(super) fn plain(answer: A) -> Self {
        Self { answer, attachments: Attachments::default() }
    }

    /// Makes a reply with these buffers.
    pub(super) fn with_buffers(answer: A, buffers: Vec<Uint8Array>) -> Self {
        Self { answer, attachments: Attachments::of(buffers) }
    }

    /// Makes a reply with one file.
    pub(super) fn with_file(answer: A, file: Blob) -> Self {
        Self { answer, attachments: Attachments { files: vec![file], ..Attachments::default() } }
    }

    /// Makes a reply whose buffer 0 contains these floats.
    pub(super) fn with_floats(answer: A, values: &[f32]) -> Self {
        Self::with_buffers(answer, vec![wire::buffer_of_f32(values)])
    }

    /// Makes a reply whose buffer 0 contains these bytes.
    pub(super) fn with_bytes(answer: A, bytes: &[u8]) -> Self {
        Self::with_buffers(answer, vec![Uint8Array::from(bytes)])
    }
}

/// The state of the worker.
#[derive(Default)]
pub(super) struct Worker {
    pub(super) session: Option<Session>,
    /// The place where the browser stores the open model's statistics and pool.
    pub(super) labels: LabelStore,
    /// The pool of texts that is being embedded.
    pub(super) prepared_pool: Option<PreparedPool>,
    pub(super) current: Option<CurrentPhoto>,
    pub(super) gallery: Option<Gallery<BrowserFile>>,
    /// The reason why a later visit will not find the gallery.
    pub(super) not_stored: Option<String>,
    pub(super) video: Option<OpenVideo>,
    pub(super) helpers: Helpers,
}

/// The photo that requests are about.
pub(super) struct CurrentPhoto {
    pub(super) name: String,
    pub(super) photo: Photo,
    pub(super) traced: Traced,
}

impl Worker {
    pub(super) fn session(&self) -> Result<&Session, SessionError> {
        self.session.as_ref().ok_or(SessionError::NoPack)
    }

    pub(super) fn session_mut(&mut self) -> Result<&mut Session, SessionError> {
        self.session.as_mut().ok_or(SessionError::NoPack)
    }

    /// Returns the open model and the current photo.
    pub(super) fn with_photo(&mut self) -> Result<(&mut Session, &mut CurrentPhoto), SessionError> {
        let session = self.session.as_mut().ok_or(SessionError::NoPack)?;
        let current = self.current.as_mut().ok_or(SessionError::NoPhoto)?;
        Ok((session, current))
    }

    /// Returns the open gallery.
    pub(super) fn gallery(&self) -> Result<&Gallery<BrowserFile>, WorkerError> {
        self.gallery.as_ref().ok_or(WorkerError::NoGallery)
    }

    /// Returns the open model and the open video.
    pub(super) fn with_video(&mut self) -> Result<(&Session, &mut OpenVideo), WorkerError> {
        let session = self.session.as_ref().ok_or(SessionError::NoPack)?;
        let video = self.video.as_mut().ok_or(WorkerError::NoVideo)?;
        Ok((session, video))
    }
}
