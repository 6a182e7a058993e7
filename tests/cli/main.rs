//! The command-line tool, run as people run it, on a tiny pack of random weights that the tool makes itself.
#![cfg(not(target_arch = "wasm32"))]

mod align;
mod archives;
mod decompose;
mod explain;
mod heads;
mod pack;
mod refusals;
mod segment;
mod track;
