//! What several test programs share. A test program that needs a part of its own keeps it in its folder.
#![cfg(not(target_arch = "wasm32"))]

pub mod clip_b32;
pub mod fuzz_targets;
pub mod gpu;
pub mod reference;
pub mod tiny;
pub mod tool;
