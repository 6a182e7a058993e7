//! The gallery's requests, and the files in which the browser stores a gallery: one folder per model, in the page's
//! private file system.

use js_sys::{Reflect, Uint8Array};
use wasm_bindgen::{JsCast as _, JsValue};
use wasm_bindgen_futures::JsFuture;
use web_sys::{
    Blob, FileSystemDirectoryHandle, FileSystemFileHandle, FileSystemGetDirectoryOptions,
    FileSystemGetFileOptions, FileSystemReadWriteOptions, FileSystemSyncAccessHandle, StorageManager,
};

use super::error::WorkerError;
use super::helpers::{ComputedPiece, Piece, PieceError, PreparedPiece};
use super::photo::CurrentPhoto;
use super::progress::scope;
use super::{Handled, Reply, Worker};
use crate::geometry::Framing;
use crate::media::{self, Photo};
use crate::protocol::{
    AddToGallery, ClearGallery, GalleryEntry, GalleryGrown, GalleryKept, GalleryOpened, GalleryRanked,
    KeepGallery, OpenGallery, RankBy, RankGallery, ReadThumbnails, Thumbnails,
};
use crate::retrieve::{Imprint, Property};
use crate::session::gallery::{FILES, Gallery, GalleryFile, NoRoom};
use crate::session::{Session, SessionError};

/// The longer side of a thumbnail, in pixels: twice the size on the page.
const THUMBNAIL: usize = 208;

/// The folder of all galleries.
const FOLDER: &str = "galleries";

impl Worker {
    pub(super) async fn open_gallery(&mut self, _: OpenGallery) -> Handled<OpenGallery> {
        // Closes the files: a browser opens each only once.
        self.gallery = None;
        let session = self.session()?;
        let name = format!("{:.16}", session.manifest().model_hash());
        let (files, not_kept) = match stored_files(&name).await {
            Ok(files) => (files, None),
            Err(err) => ([(); 5].map(|()| BrowserFile::Memory(Vec::new())), Some(why_not_kept(&err))),
        };
        self.gallery = Some(Gallery::open(files, session));
        self.not_kept = not_kept;
        self.gallery_opened()
    }

    fn gallery_opened(&self) -> Handled<OpenGallery> {
        let pictures = self.gallery()?.entries().cloned().collect();
        Ok(Reply::plain(GalleryOpened { pictures, not_kept: self.not_kept.clone() }))
    }

    pub(super) async fn add_to_gallery(&mut self, task: AddToGallery, files: &[Blob]) -> Handled<AddToGallery> {
        let AddToGallery { entry, next } = task;
        let (Some(session), Some(gallery)) = (&self.session, &mut self.gallery) else {
            return Err(WorkerError::NoGallery);
        };
        let pictures: Vec<GalleryEntry> = std::iter::once(entry.clone()).chain(next).collect();
        let list: Vec<Piece> = pictures.iter().cloned().map(Piece::Picture).collect();
        let prepare = async |place: usize| prepared(session, &pictures[place].name, files.get(place)).await;
        let ComputedPiece { traced, thumbnail, .. } = match self.helpers.compute(session, &list, prepare).await {
            Ok(computed) => computed,
            // One bad file among many is left out; the answer names it.
            Err(PieceError::Picture(reason)) => {
                return Ok(Reply::plain(GalleryGrown { left_out: Some(reason.to_string()) }));
            }
            Err(PieceError::Model(err)) => return Err(err),
        };
        gallery.add(entry, &session.decompose(&traced), &session.model().readout, &thumbnail)?;
        Ok(Reply::plain(GalleryGrown { left_out: None }))
    }

    pub(super) fn keep_gallery(&mut self, _: KeepGallery) -> Handled<KeepGallery> {
        self.gallery.as_mut().ok_or(WorkerError::NoGallery)?.commit()?;
        Ok(Reply::plain(GalleryKept))
    }

    pub(super) fn read_thumbnails(&self, ReadThumbnails { pictures }: ReadThumbnails) -> Handled<ReadThumbnails> {
        let gallery = self.gallery()?;
        let buffers = pictures.iter().map(|index| Uint8Array::from(&gallery.thumbnail(*index)[..])).collect();
        Ok(Reply { answer: Thumbnails, buffers })
    }

    pub(super) async fn rank_gallery(&mut self, task: RankGallery) -> Handled<RankGallery> {
        let RankGallery { by, heads, most } = task;
        let phrase = match &by {
            RankBy::Phrase(phrase) => Some(phrase.clone()),
            RankBy::Photo | RankBy::Picture(_) => None,
        };
        let session = self.session_mut()?;
        let units = session.embed(phrase.as_slice(), false).await?;
        for (layer, head) in &heads {
            session.has_head(*layer, *head)?;
        }
        let (session, gallery) = (self.session()?, self.gallery()?);
        let readout = &session.model().readout;
        let property = Property::new(readout, heads);
        let order = match by {
            RankBy::Phrase(_) => {
                let text = units.first().map(Vec::as_slice).unwrap_or_default();
                gallery.scoring(text, &property, readout, most)
            }
            RankBy::Photo => {
                let CurrentPhoto { traced, .. } = self.current.as_ref().ok_or(SessionError::NoPhoto)?;
                gallery.like(&Imprint::of(&session.decompose(traced), readout), &property, readout, most)
            }
            RankBy::Picture(index) => {
                let query = gallery.imprint(index, readout).ok_or(WorkerError::NoPicture)?;
                gallery.like(&query, &property, readout, most)
            }
        };
        let order = order.into_iter().map(|(index, score)| (index, score as f32)).collect();
        Ok(Reply::plain(GalleryRanked { order }))
    }

    pub(super) fn clear_gallery(&mut self, _: ClearGallery) -> Handled<ClearGallery> {
        let (Some(session), Some(gallery)) = (&self.session, &mut self.gallery) else {
            return Err(WorkerError::NoGallery);
        };
        gallery.clear(session);
        self.helpers.forget();
        self.gallery_opened()
    }

    pub(super) fn gallery(&self) -> Result<&Gallery<BrowserFile>, WorkerError> {
        self.gallery.as_ref().ok_or(WorkerError::NoGallery)
    }
}

/// Decodes and frames a picture.
async fn prepared(session: &Session, name: &str, file: Option<&Blob>) -> Result<PreparedPiece, PieceError> {
    let (photo, thumbnail) = decoded(name, file).await.map_err(PieceError::Picture)?;
    let cropped = session.crop(&photo, Framing::CentreCrop);
    let (frame, crop) = cropped.map_err(|err| PieceError::Model(err.into()))?;
    Ok(PreparedPiece { frame, crop, thumbnail })
}

/// Decodes a picture; also returns its thumbnail's file.
async fn decoded(name: &str, file: Option<&Blob>) -> Result<(Photo, Vec<u8>), WorkerError> {
    let file = file.ok_or(WorkerError::NotSent)?;
    let unreadable = |_gone: JsValue| WorkerError::PictureUnreadable(name.to_owned());
    let buffer = JsFuture::from(file.array_buffer()).await.map_err(unreadable)?;
    let bytes = Uint8Array::new(&buffer).to_vec();
    let photo = media::decode(name, &bytes).await?;
    let thumbnail = media::thumbnail(&photo, THUMBNAIL).await?;
    Ok((photo, thumbnail))
}

/// A file that the browser stores, or a file in memory if the browser stores none.
pub(super) enum BrowserFile {
    Stored(FileSystemSyncAccessHandle),
    Memory(Vec<u8>),
}

impl Drop for BrowserFile {
    fn drop(&mut self) {
        if let Self::Stored(handle) = self {
            handle.close();
        }
    }
}

impl GalleryFile for BrowserFile {
    fn len(&self) -> u64 {
        match self {
            Self::Stored(handle) => handle.get_size().map_or(0, |size| size as u64),
            Self::Memory(bytes) => GalleryFile::len(bytes),
        }
    }

    fn read(&self, at: u64, count: usize) -> Vec<u8> {
        match self {
            Self::Stored(handle) => {
                let left = usize::try_from(GalleryFile::len(self).saturating_sub(at)).unwrap_or(usize::MAX);
                let mut bytes = vec![0; count.min(left)];
                let read = handle.read_with_u8_array_and_options(&mut bytes, &position(at));
                bytes.truncate(read.map_or(0, |read| read as usize));
                bytes
            }
            Self::Memory(bytes) => GalleryFile::read(bytes, at, count),
        }
    }

    fn append(&mut self, bytes: &[u8]) -> Result<(), NoRoom> {
        match self {
            Self::Stored(handle) => {
                let end = handle.get_size().map_err(|_closed| NoRoom)?;
                let written = handle.write_with_u8_array_and_options(bytes, &position(end as u64));
                if written.is_ok_and(|written| written as usize == bytes.len()) {
                    return Ok(());
                }
                let _restored = handle.truncate_with_f64(end);
                Err(NoRoom)
            }
            Self::Memory(held) => GalleryFile::append(held, bytes),
        }
    }

    fn truncate(&mut self, len: u64) {
        match self {
            // To shorten a file needs no room. The file must not grow here.
            Self::Stored(handle) if handle.get_size().is_ok_and(|size| size as u64 > len) => {
                let _shorter = handle.truncate_with_f64(len as f64);
            }
            Self::Stored(_) => {}
            Self::Memory(bytes) => GalleryFile::truncate(bytes, len),
        }
    }
}

fn position(at: u64) -> FileSystemReadWriteOptions {
    let options = FileSystemReadWriteOptions::new();
    options.set_at_f64(at as f64);
    options
}

/// Opens the gallery's files in the page's private file system; creates missing ones.
async fn stored_files(name: &str) -> Result<[BrowserFile; 5], JsValue> {
    let storage: StorageManager = Reflect::get(&scope().navigator(), &"storage".into())?.dyn_into()?;
    let mut folder: FileSystemDirectoryHandle = JsFuture::from(storage.get_directory()).await?.dyn_into()?;
    let options = FileSystemGetDirectoryOptions::new();
    options.set_create(true);
    for name in [FOLDER, name] {
        let inner = folder.get_directory_handle_with_options(name, &options);
        folder = JsFuture::from(inner).await?.dyn_into()?;
    }
    let mut files = Vec::new();
    for name in FILES {
        files.push(stored_file(&folder, name).await?);
    }
    files.try_into().map_err(|_more| JsValue::UNDEFINED)
}

/// Opens one file; creates a missing one.
async fn stored_file(folder: &FileSystemDirectoryHandle, name: &str) -> Result<BrowserFile, JsValue> {
    let options = FileSystemGetFileOptions::new();
    options.set_create(true);
    let file = JsFuture::from(folder.get_file_handle_with_options(name, &options)).await?;
    let file: FileSystemFileHandle = file.dyn_into()?;
    Ok(BrowserFile::Stored(JsFuture::from(file.create_sync_access_handle()).await?.dyn_into()?))
}

/// Returns the sentence for the person about why the gallery is not stored.
fn why_not_kept(err: &JsValue) -> String {
    let name = Reflect::get(err, &"name".into()).ok().and_then(|name| name.as_string());
    match name.as_deref() {
        Some("NoModificationAllowedError") => {
            "Another tab has this model's gallery open; this one is of this tab alone, and goes with it."
        }
        _ => {
            "This browser keeps no files for the page here (some do not in private windows, none does without \
             HTTPS): the gallery goes when the page is closed."
        }
    }
    .to_owned()
}
