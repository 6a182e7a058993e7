//! Statistics of a gallery of images: the mean and covariance of each head's codes, and the means of all other
//! components (docs/PAPERS.md, 1.8).
//!
//! A head's contributions to K images are `c = B u`. TextSpan is stated on the K x d matrix of these
//! contributions, but that matrix is never kept: the [`Moments`] of u, a few thousand numbers for each head,
//! contain everything that TextSpan needs. The moments of parts of a gallery merge into the moments of the whole
//! gallery, so several machines can share the work.

mod component_statistics;
mod error;
mod moments;
mod statistics_file;

pub use component_statistics::Statistics;
pub use error::StatisticsError;
pub use moments::Moments;
