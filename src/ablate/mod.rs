//! Mean-ablation: a component is replaced by its mean over a gallery (docs/PAPERS.md, 1.11).
//!
//! The parts of a score are linear in the components. So the score after ablation is the score in which the parts
//! of the ablated components are replaced by the parts of their means. The model does not run again. The result is
//! not normalised again either: as in the paper, it is still divided by the length of the original embedding.

mod ablation;
#[cfg(feature = "compute")]
mod mean_contributions;
#[cfg(feature = "compute")]
mod mean_parts;

pub use ablation::{Ablation, LATE_LAYERS, Study};
#[cfg(feature = "compute")]
pub use {mean_contributions::MeanContributions, mean_parts::MeanParts};
