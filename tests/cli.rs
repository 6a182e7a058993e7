//! The command-line tool, run as people run it, on a tiny pack of random weights that it makes itself.
#![cfg(not(target_arch = "wasm32"))]

#[path = "cli/align.rs"]
mod align;
#[path = "cli/decompose.rs"]
mod decompose;
#[path = "cli/explain.rs"]
mod explain;
#[path = "cli/heads.rs"]
mod heads;
#[path = "cli/pack.rs"]
mod pack;
#[path = "cli/refusals.rs"]
mod refusals;
#[path = "cli/segment.rs"]
mod segment;
#[path = "cli/tool.rs"]
mod tool;
#[path = "cli/track.rs"]
mod track;
