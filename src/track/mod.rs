//! Objects found and followed through a video (docs/PAPERS.md, 2.1 and 2.4), on the features of its frames. No step of
//! it needs the encoder, so that other heads, other seeds and corrections are answered at once.
//!
//! - [`Tracker`]: multi-object prototypes from the CLS attention of chosen heads ([`prototypes`], [`sinkhorn`]),
//!   their cross-attention in every frame ([`tracks`]), and what happens at a cut ([`scene`]);
//! - [`Propagator`]: DAVIS's mask propagation from seeds ([`seeds`]) on any frame, either way through the video.

mod affinity;
pub mod masks;
pub mod propagate;
pub mod prototypes;
pub mod regions;
pub mod scene;
pub mod seeds;
pub mod sinkhorn;
mod tracker;
pub mod tracks;
mod vectors;

pub use masks::SoftMasks;
pub use propagate::{PropagateOptions, Propagator};
pub use prototypes::{Prototypes, Refinement};
pub use tracker::{ObjectId, TrackedFrame, Tracker};

use crate::geometry::Grid;

/// What cannot be tracked, for the person who chose it.
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
