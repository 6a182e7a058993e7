//! A pool of texts that is being embedded.

use crate::protocol::{PoolProgress, PoolSource};
use crate::session::pool_embedding::PoolEmbedding;
use crate::session::pool_texts::PoolTexts;

/// A pool that is being embedded, part by part.
pub(super) struct PreparedPool {
    pub(super) texts: PoolEmbedding,
    pub(super) source: PoolSource,
    /// The number of texts of the next part.
    pub(super) part: usize,
}

impl PreparedPool {
    /// Prepares a pool. The first part has one text, because the device's speed is not known yet.
    pub(super) fn new(texts: PoolTexts, source: PoolSource) -> Self {
        Self { texts: PoolEmbedding::new(texts), source, part: 1 }
    }

    pub(super) fn progress(&self) -> PoolProgress {
        let (done, total) = (self.texts.done(), self.texts.total());
        PoolProgress { done, total, source: self.source, not_stored: None }
    }
}
