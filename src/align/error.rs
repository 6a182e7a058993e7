//! Why a projection cannot be learned.

use super::split::FEWEST;

/// A projection that cannot be learned.
#[derive(Debug, thiserror::Error)]
pub enum AlignError {
    #[error("{0} pictures with captions are too few to learn from: give it {FEWEST} at least, better thousands")]
    TooFew(usize),
    #[error("the features of the pictures are not finite: the image tower's weights are damaged")]
    NotFinite,
    #[error("all pictures look the same to the image tower, so there is nothing to learn from them")]
    Constant,
}
