//! The pictures of a gallery, and their order.

use serde::{Deserialize, Serialize};

/// A picture of a gallery, as its file says.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct GalleryEntry {
    pub name: String,
    pub bytes: u64,
    /// Milliseconds since 1970.
    pub modified: u64,
}

/// What a gallery is ordered by.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum RankBy {
    /// Likeness to the current photo.
    Photo,
    /// Likeness to one of the gallery's own.
    Picture(usize),
    /// The score of a phrase.
    Phrase(String),
}
