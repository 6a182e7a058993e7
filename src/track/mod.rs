//! Finds objects in a video and follows them (docs/PAPERS.md, 2.1 and 2.4), from the [`Features`] of its frames.
//! No step needs the encoder. So after a change of heads, a new seed or a correction, the model does not run again.
//!
//! - [`Tracker`]: multi-object prototypes from the CLS attention of chosen heads ([`prototypes`], [`sinkhorn`]),
//!   the tracks of the objects in every frame ([`tracks`]), and the detection of cuts ([`scene`]);
//! - [`Propagator`]: DAVIS's mask propagation from seeds ([`seeds`]) on any frame, forwards and backwards through
//!   the video.

mod affinity;
mod error;
mod features;
pub mod masks;
pub mod propagate;
mod propagate_options;
pub mod prototypes;
#[cfg(test)]
mod random_numbers;
mod refinement;
pub mod regions;
pub mod scene;
pub mod seeds;
pub mod sinkhorn;
mod tracker;
pub mod tracks;
mod vectors;

pub use error::TrackError;
pub use features::Features;
pub use masks::{RefinedMasks, SoftMasks};
pub use propagate::Propagator;
pub use propagate_options::PropagateOptions;
pub use prototypes::Prototypes;
pub use refinement::Refinement;
pub use tracker::{ObjectId, TrackedFrame, Tracker};
