//! Why a projection cannot be learned.

use super::split::FEWEST;

/// A projection that cannot be learned.
#[derive(Debug, thiserror::Error)]
pub enum AlignError {
    #[error("{0} pictures with captions are too few to learn from: give at least {FEWEST}, better thousands")]
    TooFew(usize),
    #[error("the features of the pictures are not finite: the image tower's weights are damaged")]
    NotFinite,
    #[error("the image tower gives the same features for all pictures, so nothing can be learned from them")]
    Constant,
}
