//! Packs and checkpoints that are damaged or lie: each is refused in words that name the file or tensor, without
//! a panic and without memory for what is not there. And that honest ones come back as they were written.
#![cfg(not(target_arch = "wasm32"))]

#[path = "hostile_packs/checkpoints.rs"]
mod checkpoints;
#[path = "reference/expected.rs"]
mod expected;
#[path = "hostile_packs/folders.rs"]
mod folders;
#[path = "hostile_packs/manifests.rs"]
mod manifests;
#[path = "hostile_packs/memory.rs"]
mod memory;
#[path = "hostile_packs/onnx.rs"]
mod onnx;
#[path = "hostile_packs/round_trip.rs"]
mod round_trip;
#[path = "hostile_packs/tiny.rs"]
mod tiny;
#[path = "hostile_packs/weights.rs"]
mod weights;
