//! The sizes and variants of a block.

use crate::model::config::Activation;

/// The sizes and variants of a block.
#[derive(Clone, Copy, Debug)]
pub struct BlockShape {
    pub width: usize,
    pub heads: usize,
    pub mlp_width: usize,
    pub activation: Activation,
    pub eps: f64,
    /// Whether the attention output at the first token, CLS, must not be rounded, because it is decomposed later.
    pub exact_cls: bool,
}
