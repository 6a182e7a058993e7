//! Progress reports.

use serde::{Deserialize, Serialize};

/// How far a piece of work has come.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum Progress {
    /// Bytes of a download; `total` as the pack's manifest says, 0 where it is not known.
    Bytes { what: String, done: u64, total: u64 },
    /// A phase of the computation, in words: "Reading the photo".
    Phase { what: String },
    /// Items of many: images of a gallery, lines of a pool.
    Items { what: String, done: usize, total: usize },
}
