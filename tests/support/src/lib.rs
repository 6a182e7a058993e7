//! Code that several test programs share. Code for one test program is in the folder of that program.
#![cfg(not(target_arch = "wasm32"))]

pub mod clip_b32;
pub mod fuzz_targets;
pub mod gpu;
pub mod reference;
pub mod small_clip;
mod temporary_folder;
pub mod tiny;
pub mod tool;

pub use temporary_folder::TemporaryFolder;
