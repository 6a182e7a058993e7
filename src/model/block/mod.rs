//! The transformer block. Every tower is a sequence of blocks. Each backend has its own implementation.

mod burn_block;
mod dispatch;
mod kernel_block;
mod output;
mod shader_block;
mod shape;

pub(super) use dispatch::Block;
pub(super) use output::{BlockOutput, Qkv, WantedTokens};
pub(super) use shape::BlockShape;
