//! Frames that are picture files of a folder.

use js_sys::{ArrayBuffer, Uint8Array};
use wasm_bindgen::JsCast as _;
use wasm_bindgen_futures::JsFuture;
use web_sys::Blob;

use super::super::{VideoError, VideoInfo};
use crate::media::{self, Photo};

/// Picture files, shown one after the other.
pub struct Pictures {
    files: Vec<(String, Blob)>,
    info: VideoInfo,
}

impl Pictures {
    /// Takes files in the order in which they are shown (`view::natural_order` sorts names), `rate` a second.
    ///
    /// # Errors
    /// Where there is no file, or the first is no picture.
    pub async fn open(files: Vec<(String, Blob)>, rate: f64) -> Result<Self, VideoError> {
        let Some(first) = files.first() else {
            return Err(VideoError::NoPictures { name: "the folder".to_owned() });
        };
        let size = photo_of(first).await?.size;
        let info = VideoInfo::of_pictures(size, files.len(), rate);
        Ok(Self { files, info })
    }

    /// What is known of them. Pictures may be of other sizes than the first.
    pub fn info(&self) -> VideoInfo {
        self.info.clone()
    }

    /// The picture that is seen at `micros`.
    ///
    /// # Errors
    /// Where its file cannot be read or is no picture.
    pub async fn frame_at(&self, micros: i64) -> Result<Photo, VideoError> {
        photo_of(&self.files[self.info.at(micros)]).await
    }
}

async fn photo_of((name, blob): &(String, Blob)) -> Result<Photo, VideoError> {
    let unreadable = |_err| VideoError::Unreadable { name: name.clone() };
    let buffer: ArrayBuffer = JsFuture::from(blob.array_buffer()).await.map_err(unreadable)?.unchecked_into();
    Ok(media::decode(name, &Uint8Array::new(&buffer).to_vec()).await?)
}
