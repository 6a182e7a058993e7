//! Learns a projection from an image tower into a text space, from pictures with captions. Both towers stay
//! frozen, as in LiT and dino.txt. With the projection, the decomposition works for any vision transformer
//! (docs/PAPERS.md, 3).
//!
//! A closed-form ridge regression of captions on images ([`ridge`]) gives the start of a contrastive refinement
//! ([`contrast`]). [`retrieval`] measures the result on pictures that were not used for learning. Everything is
//! computed in f64 on the CPU, from outputs of the towers that are computed once beforehand.

pub mod contrast;
mod error;
mod learn;
mod optimiser;
mod pairs;
mod projection;
pub mod retrieval;
pub mod ridge;
pub mod split;

pub use error::AlignError;
pub use learn::{LearnedProjection, LearningOptions, learn};
pub use optimiser::AdamW;
pub use pairs::Pairs;
pub use projection::Projection;
