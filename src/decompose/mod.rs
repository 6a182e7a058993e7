//! The exact decomposition of an image embedding into the contributions of the model's components (docs/PAPERS.md,
//! 1.1 to 1.4).
//!
//! A [`Trace`] holds the numbers of one run through the model. A [`Readout`] holds the weights that map the CLS
//! residual stream to the embedding. Both together give the contribution of every component. The contributions sum
//! to the unit embedding.
//!
//! Scores against texts do not need the contributions themselves: the output matrices are first contracted with
//! the text, which gives a [`Direction`].

mod decomposition;
mod direction;
mod dot;
mod readout;
mod trace;

pub use decomposition::{Decomposition, FinalNorm};
pub use direction::{Direction, Parts};
pub use readout::{HeadBasis, OutputWeights, Readout};
pub use trace::{Trace, TracedLayer};
