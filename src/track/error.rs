//! Why something cannot be tracked.

use crate::geometry::Grid;

/// Why something cannot be tracked, in words for the user.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum TrackError {
    #[error("choose at least one head: each head finds one object")]
    NoHeads,
    #[error("there is no head {head} in the last layer: the model has heads 0 to {}", heads.saturating_sub(1))]
    NoHead { head: usize, heads: usize },
    #[error(
        "this frame's features come from another model (width {found}, not {expected}): start the video again"
    )]
    OtherModel { found: usize, expected: usize },
    #[error(
        "a frame has {} x {} patches, but the earlier frames have {} x {}: all frames of a video must have the same size",
        found.columns, found.rows, expected.columns, expected.rows
    )]
    OtherGrid { found: Grid, expected: Grid },
    #[error("mark an object first: click a point, draw a box or type a phrase")]
    NoSeed,
    #[error("there is no object {0}: object numbers are 1 to 255")]
    NoObject(u32),
}
