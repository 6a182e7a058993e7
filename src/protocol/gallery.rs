//! The gallery: its pictures, and their order.

use serde::{Deserialize, Serialize};

/// The identity of a picture in a gallery: its file's name, size and date.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct GalleryEntry {
    pub name: String,
    pub bytes: u64,
    /// Milliseconds since 1970.
    pub modified: u64,
}

/// The order of a gallery.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum RankBy {
    /// By similarity to the current photo.
    Photo,
    /// By similarity to a picture of the gallery.
    Picture(usize),
    /// By the score of a phrase.
    Phrase(String),
}

/// Opens the gallery that the browser stores for the open model, or creates one.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct OpenGallery;

/// The whole gallery, after it was opened or cleared.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct GalleryOpened {
    pub pictures: Vec<GalleryEntry>,
    /// The reason why a later visit will not find the gallery. `None`: a later visit will find the gallery.
    pub not_stored: Option<String>,
}

/// Runs the model on one picture and adds the picture to the gallery. The picture's file is the first file that
/// travels with the message.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AddToGallery {
    pub entry: GalleryEntry,
    /// The pictures that the page will ask for next. Their files follow the first one, so that helper workers can
    /// start on them.
    pub next: Vec<GalleryEntry>,
}

/// The picture is the last one of the gallery now, unless it was left out.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PictureAdded {
    /// The reason why the picture was not added. `None`: the picture was added.
    pub left_out: Option<String>,
}

/// Writes the gallery, so that a later visit finds all pictures up to now.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct StoreGallery;

/// The gallery was written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct GalleryStored;

/// Reads the thumbnails of some of the gallery's pictures.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ReadThumbnails {
    /// Indices in the gallery.
    pub pictures: Vec<usize>,
}

/// Thumbnails were read. One buffer per picture: the thumbnail's file.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Thumbnails;

/// Orders the gallery's pictures by similarity or score.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct RankGallery {
    pub by: RankBy,
    /// The (layer, head) pairs whose contributions count; if empty, the whole model counts.
    pub heads: Vec<(usize, usize)>,
    /// The largest number of pictures in the answer.
    pub most: usize,
}

/// Finds the pictures of the gallery in which some heads differ most from their mean over the gallery. The answer has
/// the length of the difference, largest first, for each picture.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct FindOutlyingPictures {
    /// The (layer, head) pairs whose contributions count together.
    pub heads: Vec<(usize, usize)>,
    /// The largest number of pictures in the answer.
    pub most: usize,
}

/// An order of the gallery.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct GalleryRanked {
    /// Pictures with their cosines, scores or lengths, the highest first.
    pub order: Vec<(usize, f32)>,
}

/// Removes all pictures from the gallery.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ClearGallery;
