//! TextSpan: the texts that span the outputs of a head (docs/PAPERS.md, 1.7).
//!
//! The algorithm is stated on the K x d matrix D of a head's contributions. Every step depends on D only through
//! its Gram matrix, and `D = U B^T`. So this module computes with the moments of U: the right singular vectors of
//! D are those of `B (S + m m^T) B^T`, and the variance of D along a text t is `t^T B S B^T t`. The columns of B
//! are not orthonormal, so B is QR-factorised before the eigenvectors are computed.

mod head_space;
mod late_heads;
mod reconstruction;
mod text_picking;

pub use late_heads::{LateHeads, ReplacedAttention};
pub use reconstruction::Reconstruction;
pub use text_picking::{Pick, textspan};
