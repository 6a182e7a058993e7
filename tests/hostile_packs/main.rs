//! Packs and checkpoints that are damaged or false: each is refused with a message that names the file or tensor,
//! without a panic and without allocating memory for missing data. Correct ones read back as they were written.
#![cfg(not(target_arch = "wasm32"))]

mod archives;
mod checkpoints;
mod folders;
mod manifests;
mod memory;
mod onnx;
mod round_trip;
mod tiny;
mod weights;
