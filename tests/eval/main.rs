//! `headlamp eval` on small data sets in the formats of the papers' data sets, compared with NumPy's results for
//! the same pictures (`tests/reference/eval.py`).
#![cfg(not(target_arch = "wasm32"))]

mod ablation;
mod refusals;
mod segmentation;
mod sets;
mod textspan;
mod video;
mod waterbirds;
