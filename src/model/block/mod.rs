//! The transformer block, of which every tower consists. Each backend has its own implementation.

mod burn_block;
mod dispatch;
mod kernel_block;
mod output;
mod shader_block;
mod shape;

pub(super) use dispatch::Block;
pub(super) use output::{BlockOutput, Qkv, WantedTokens};
pub(super) use shape::BlockShape;
