//! The requests about the gallery.

use js_sys::Uint8Array;
use wasm_bindgen::JsValue;
use wasm_bindgen_futures::JsFuture;
use web_sys::Blob;

use super::error::WorkerError;
use super::gallery_files::{BrowserFile, stored_files, why_not_stored};
use super::helpers::{ComputedImage, ImageError, ImageKey, PreparedImage};
use super::state::{CurrentPhoto, Handled, Reply, Worker};
use crate::geometry::Framing;
use crate::media::{self, Photo};
use crate::protocol::{
    AddToGallery, ClearGallery, FindOutlyingPictures, GalleryEntry, GalleryOpened, GalleryRanked, GalleryStored,
    OpenGallery, PictureAdded, RankBy, RankGallery, ReadThumbnails, StoreGallery, Thumbnails,
};
use crate::retrieve::{PictureCodes, Property};
use crate::session::gallery::Gallery;
use crate::session::{Session, SessionError};

/// The longer side of a thumbnail, in pixels: twice the size on the page.
const THUMBNAIL: usize = 208;

impl Worker {
    pub(super) async fn open_gallery(&mut self, _: OpenGallery) -> Handled<OpenGallery> {
        // Closes the files first, because a browser opens each file only once.
        self.gallery = None;
        let session = self.session()?;
        let name = format!("{:.16}", session.manifest().model_hash());
        let (files, not_stored) = match stored_files(&name).await {
            Ok(files) => (files, None),
            Err(err) => ([(); 5].map(|()| BrowserFile::Memory(Vec::new())), Some(why_not_stored(&err))),
        };
        self.gallery = Some(Gallery::open(files, session));
        self.not_stored = not_stored;
        self.gallery_opened()
    }

    fn gallery_opened(&self) -> Handled<OpenGallery> {
        let pictures = self.gallery()?.entries().cloned().collect();
        Ok(Reply::plain(GalleryOpened { pictures, not_stored: self.not_stored.clone() }))
    }

    pub(super) async fn add_to_gallery(&mut self, task: AddToGallery, files: &[Blob]) -> Handled<AddToGallery> {
        let AddToGallery { entry, next } = task;
        let (Some(session), Some(gallery)) = (&self.session, &mut self.gallery) else {
            return Err(WorkerError::NoGallery);
        };
        let pictures: Vec<GalleryEntry> = std::iter::once(entry.clone()).chain(next).collect();
        let list: Vec<ImageKey> = pictures.iter().cloned().map(ImageKey::Picture).collect();
        let prepare = async |place: usize| prepared(session, &pictures[place].name, files.get(place)).await;
        let ComputedImage { traced, thumbnail, .. } = match self.helpers.compute(session, &list, prepare).await {
            Ok(computed) => computed,
            // A bad file is left out, and the answer says so. The other pictures are still added.
            Err(ImageError::Picture(reason)) => {
                return Ok(Reply::plain(PictureAdded { left_out: Some(reason.to_string()) }));
            }
            Err(ImageError::Model(err)) => return Err(err),
        };
        gallery.add(entry, &session.decompose(&traced), &session.model().readout, &thumbnail)?;
        Ok(Reply::plain(PictureAdded { left_out: None }))
    }

    pub(super) fn store_gallery(&mut self, _: StoreGallery) -> Handled<StoreGallery> {
        self.gallery.as_mut().ok_or(WorkerError::NoGallery)?.commit()?;
        Ok(Reply::plain(GalleryStored))
    }

    pub(super) fn read_thumbnails(&self, ReadThumbnails { pictures }: ReadThumbnails) -> Handled<ReadThumbnails> {
        let gallery = self.gallery()?;
        let buffers = pictures.iter().map(|index| Uint8Array::from(&gallery.thumbnail(*index)[..])).collect();
        Ok(Reply::with_buffers(Thumbnails, buffers))
    }

    pub(super) async fn rank_gallery(&mut self, task: RankGallery) -> Handled<RankGallery> {
        let RankGallery { by, heads, most } = task;
        let phrase = match &by {
            RankBy::Phrase(phrase) => Some(phrase.clone()),
            RankBy::Photo | RankBy::Picture(_) => None,
        };
        let session = self.session_mut()?;
        let units = session.embed(phrase.as_slice(), false).await?;
        session.has_heads(&heads)?;
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
                gallery.like(&PictureCodes::of(&session.decompose(traced), readout), &property, readout, most)
            }
            RankBy::Picture(index) => {
                let query = gallery.codes(index, readout).ok_or(WorkerError::NoPicture)?;
                gallery.like(&query, &property, readout, most)
            }
        };
        Ok(Reply::plain(ranked(order)))
    }

    pub(super) fn find_outlying_pictures(&self, task: &FindOutlyingPictures) -> Handled<FindOutlyingPictures> {
        let (session, gallery) = (self.session()?, self.gallery()?);
        session.has_heads(&task.heads)?;
        let readout = &session.model().readout;
        let property = Property::new(readout, task.heads.iter().copied());
        Ok(Reply::plain(ranked(gallery.outlying(&property, readout, task.most))))
    }

    pub(super) fn clear_gallery(&mut self, _: ClearGallery) -> Handled<ClearGallery> {
        let (Some(session), Some(gallery)) = (&self.session, &mut self.gallery) else {
            return Err(WorkerError::NoGallery);
        };
        gallery.clear(session);
        self.helpers.forget();
        self.gallery_opened()
    }
}

/// Returns an order of pictures in the form that is sent.
fn ranked(order: Vec<(usize, f64)>) -> GalleryRanked {
    GalleryRanked { order: order.into_iter().map(|(index, score)| (index, score as f32)).collect() }
}

/// Decodes and frames a picture.
async fn prepared(session: &Session, name: &str, file: Option<&Blob>) -> Result<PreparedImage, ImageError> {
    let (photo, thumbnail) = decoded(name, file).await.map_err(ImageError::Picture)?;
    let cropped = session.crop(&photo, Framing::CentreCrop);
    let (frame, crop) = cropped.map_err(|err| ImageError::Model(err.into()))?;
    Ok(PreparedImage { frame, crop, thumbnail })
}

/// Decodes a picture. Also returns the file of its thumbnail.
async fn decoded(name: &str, file: Option<&Blob>) -> Result<(Photo, Vec<u8>), WorkerError> {
    let file = file.ok_or(WorkerError::NotSent)?;
    let unreadable = |_gone: JsValue| WorkerError::PictureUnreadable(name.to_owned());
    let buffer = JsFuture::from(file.array_buffer()).await.map_err(unreadable)?;
    let bytes = Uint8Array::new(&buffer).to_vec();
    let photo = media::decode(name, &bytes).await?;
    let thumbnail = media::thumbnail(&photo, THUMBNAIL).await?;
    Ok((photo, thumbnail))
}
