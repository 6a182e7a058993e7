//! Packs and checkpoints that are damaged or lie: each is refused in words that name the file or tensor, without
//! a panic and without memory for what is not there. And that honest ones come back as they were written.
#![cfg(not(target_arch = "wasm32"))]

mod checkpoints;
mod folders;
mod manifests;
mod memory;
mod onnx;
mod round_trip;
mod tiny;
mod weights;
