//! The gallery in the worker, and where the browser keeps it: in files of the page's own, one folder a model.

use js_sys::{Reflect, Uint8Array};
use wasm_bindgen::{JsCast as _, JsValue};
use wasm_bindgen_futures::JsFuture;
use web_sys::{
    Blob, FileSystemDirectoryHandle, FileSystemFileHandle, FileSystemGetDirectoryOptions,
    FileSystemGetFileOptions, FileSystemReadWriteOptions, FileSystemSyncAccessHandle, StorageManager,
};

use super::error::WorkerError;
use super::hands::{Key, Looked, PieceError, Prepared};
use super::photo::CurrentPhoto;
use super::report::scope;
use super::{Handled, Reply, Worker};
use crate::geometry::Framing;
use crate::media::{self, Photo};
use crate::protocol::{
    AddToGallery, ClearGallery, GalleryEntry, GalleryGrown, GalleryKept, GalleryOpened, GalleryRanked,
    KeepGallery, OpenGallery, RankBy, RankGallery, ReadThumbnails, Thumbnails,
};
use crate::retrieve::{Imprint, Property};
use crate::session::gallery::{FILES, Gallery, GalleryFile, NoRoom};
use crate::session::{EngineError, Session};

/// The longer side of a thumbnail, in pixels: twice what the page shows.
const THUMBNAIL: usize = 208;

/// The folder of all galleries.
const FOLDER: &str = "galleries";

impl Worker {
    pub(super) async fn open_gallery(&mut self, _: OpenGallery) -> Handled<OpenGallery> {
        // Its files can be open once only.
        self.gallery = None;
        let session = self.session()?;
        let name = format!("{:.16}", session.manifest().model_hash());
        let (files, not_kept) = match kept_files(&name).await {
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
        let line: Vec<Key> = pictures.iter().cloned().map(Key::Picture).collect();
        let prepare = async |place: usize| prepared(session, &pictures[place].name, files.get(place)).await;
        let Looked { traced, thumbnail, .. } = match self.hands.look(session, &line, prepare).await {
            Ok(looked) => looked,
            // One bad file among many is left out, and named.
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
                let CurrentPhoto { traced, .. } = self.current.as_ref().ok_or(EngineError::NoPhoto)?;
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
        self.hands.forget();
        self.gallery_opened()
    }

    pub(super) fn gallery(&self) -> Result<&Gallery<BrowserFile>, WorkerError> {
        self.gallery.as_ref().ok_or(WorkerError::NoGallery)
    }
}

/// A picture of the gallery, decoded and framed.
async fn prepared(session: &Session, name: &str, file: Option<&Blob>) -> Result<Prepared, PieceError> {
    let (photo, thumbnail) = decoded(name, file).await.map_err(PieceError::Picture)?;
    let cropped = session.crop(&photo, Framing::CentreCrop);
    let (frame, crop) = cropped.map_err(|err| PieceError::Model(err.into()))?;
    Ok(Prepared { frame, crop, thumbnail })
}

/// A picture of the gallery, and its thumbnail's file.
async fn decoded(name: &str, file: Option<&Blob>) -> Result<(Photo, Vec<u8>), WorkerError> {
    let file = file.ok_or(WorkerError::NotSent)?;
    let unreadable = |_gone: JsValue| WorkerError::PictureUnreadable(name.to_owned());
    let buffer = JsFuture::from(file.array_buffer()).await.map_err(unreadable)?;
    let bytes = Uint8Array::new(&buffer).to_vec();
    let photo = media::decode(name, &bytes).await?;
    let thumbnail = media::thumbnail(&photo, THUMBNAIL).await?;
    Ok((photo, thumbnail))
}

/// A file that the browser keeps for the page, or else one in memory.
pub(super) enum BrowserFile {
    Kept(FileSystemSyncAccessHandle),
    Memory(Vec<u8>),
}

impl Drop for BrowserFile {
    fn drop(&mut self) {
        if let Self::Kept(handle) = self {
            handle.close();
        }
    }
}

impl GalleryFile for BrowserFile {
    fn len(&self) -> u64 {
        match self {
            Self::Kept(handle) => handle.get_size().map_or(0, |size| size as u64),
            Self::Memory(bytes) => GalleryFile::len(bytes),
        }
    }

    fn read(&self, at: u64, count: usize) -> Vec<u8> {
        match self {
            Self::Kept(handle) => {
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
            Self::Kept(handle) => {
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
            // Making a file shorter needs no room; it is not to be made longer.
            Self::Kept(handle) if handle.get_size().is_ok_and(|size| size as u64 > len) => {
                let _shorter = handle.truncate_with_f64(len as f64);
            }
            Self::Kept(_) => {}
            Self::Memory(bytes) => GalleryFile::truncate(bytes, len),
        }
    }
}

fn position(at: u64) -> FileSystemReadWriteOptions {
    let options = FileSystemReadWriteOptions::new();
    options.set_at_f64(at as f64);
    options
}

/// The gallery's files in the page's own folder, made where they are missing.
async fn kept_files(name: &str) -> Result<[BrowserFile; 5], JsValue> {
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
        files.push(kept_file(&folder, name).await?);
    }
    files.try_into().map_err(|_more| JsValue::UNDEFINED)
}

async fn kept_file(folder: &FileSystemDirectoryHandle, name: &str) -> Result<BrowserFile, JsValue> {
    let options = FileSystemGetFileOptions::new();
    options.set_create(true);
    let file = JsFuture::from(folder.get_file_handle_with_options(name, &options)).await?;
    let file: FileSystemFileHandle = file.dyn_into()?;
    Ok(BrowserFile::Kept(JsFuture::from(file.create_sync_access_handle()).await?.dyn_into()?))
}

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
