//! Progress reports.

use serde::{Deserialize, Serialize};

/// The progress of a piece of work.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum TaskProgress {
    /// Bytes of a download. `total` comes from the pack's manifest; 0 means that the size is not known.
    Bytes { what: String, done: u64, total: u64 },
    /// A phase of the computation, in words: "Reading the photo".
    Phase { what: String },
    /// Counted items: images of a gallery, lines of a pool.
    Items { what: String, done: usize, total: usize },
}
