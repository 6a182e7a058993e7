//! `headlamp eval` on small stand-ins of the paper's data sets, against what NumPy makes of the same pictures
//! (`tests/reference/eval.py`).
#![cfg(not(target_arch = "wasm32"))]

mod ablation;
mod refusals;
mod segmentation;
mod sets;
mod textspan;
mod video;
mod waterbirds;
