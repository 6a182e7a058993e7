//! Masks that follow the edges of the photo: the guided filter compared with `tests/reference/guided_filter.py`, its
//! properties, and the masks of generated scenes. `cargo test --test edges -- --nocapture` prints the figures of
//! docs/REPRODUCTION.md.
#![cfg(not(target_arch = "wasm32"))]

mod properties;
mod reference;
mod scenes;
mod textures;
