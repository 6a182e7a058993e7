//! Why something cannot be tracked.

use crate::geometry::Grid;

/// Why something cannot be tracked, in words for the user.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum TrackError {
    #[error("choose one head or more: each of them finds one object")]
    NoHeads,
    #[error("there is no head {head} in the last layer: the model has heads 0 to {}", heads.saturating_sub(1))]
    NoHead { head: usize, heads: usize },
    #[error(
        "this frame's features come from another model (width {found}, not {expected}): start the video again"
    )]
    OtherModel { found: usize, expected: usize },
    #[error(
        "a frame of {} x {} patches does not go with one of {} x {}: all frames of a video must be of one size",
        found.columns, found.rows, expected.columns, expected.rows
    )]
    OtherGrid { found: Grid, expected: Grid },
    #[error("seed an object first: click a point, draw a box or type a phrase")]
    NoSeed,
    #[error("there is no object {0}: objects have the numbers 1 to 255")]
    NoObject(u32),
}
