//! The kinds of work, in the order of their priority in the request queue.

/// The kinds of work, the most urgent first. At most one request of each kind waits: a newer request replaces a
/// waiting one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum TaskKind {
    Pack,
    Video,
    Sampling,
    Photo,
    Mask,
    Scores,
    Segmentation,
    HeadMap,
    FrameScores,
    SplitScores,
    Retrack,
    Pool,
    Statistics,
    Labels,
    /// Opening and clearing the gallery, before any other request about the gallery.
    Gallery,
    Ranking,
    /// The pictures of the gallery that lie far from the mean.
    OutlyingPictures,
    Cues,
    Completeness,
    /// Writing the open model as one file.
    SavedModel,
    Thumbnails,
    AllLabels,
    /// Clearing the propagated masks, before new masks are made or any are saved.
    Forgetting,
    VideoExport,
    FrameSegmentation,
    Propagation,
    TrackLabels,
    /// The next frame of a video. Every more urgent kind runs between two frames.
    Frame,
    /// Writing the gallery, so that a later visit finds all of it.
    GalleryStoring,
    /// The next part of a pool of texts. The names of heads need the whole pool, and only some of the pictures.
    PoolPart,
    /// Naming a few more heads. Everything that a person waits for goes first.
    HeadNames,
    /// The next picture of the gallery. Everything that a person waits for goes first.
    GalleryPicture,
}

impl TaskKind {
    /// Returns whether the work runs in the background while the person does something else.
    pub fn is_background(self) -> bool {
        matches!(self, Self::Thumbnails | Self::PoolPart | Self::HeadNames | Self::GalleryPicture)
    }
}
