//! `headlamp eval` on small stand-ins of the paper's data sets, against what NumPy makes of the same pictures
//! (`tests/reference/eval.py`).
#![cfg(not(target_arch = "wasm32"))]

#[path = "eval/ablation.rs"]
mod ablation;
#[path = "eval/refusals.rs"]
mod refusals;
#[path = "eval/segmentation.rs"]
mod segmentation;
#[path = "eval/sets.rs"]
mod sets;
#[path = "eval/textspan.rs"]
mod textspan;
#[path = "cli/tool.rs"]
#[allow(dead_code, reason = "a part of what the other commands' tests need")]
mod tool;
#[path = "eval/video.rs"]
mod video;
#[path = "eval/waterbirds.rs"]
mod waterbirds;
