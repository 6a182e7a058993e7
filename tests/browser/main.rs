//! The built page in a real headless browser. The tests read the page as a person or a script would.
//!
//! A plain `cargo test` ignores these tests, because they need the built page, the packs and a browser. `cargo
//! xtask test browser` prepares all of that. It sets these variables: `HEADLAMP_DIST` and `HEADLAMP_PACKS`
//! (folders), and if necessary `CHROME` and `CHROMEDRIVER`. A test that fails saves a screenshot in `screenshots/`
//! of the cache folder.
#![cfg(not(target_arch = "wasm32"))]

mod ablation;
mod access;
mod address;
mod bad_input;
mod bench;
mod breaking_server;
mod compare;
mod converted;
mod crisp_masks;
mod cues;
mod default_pack;
mod driver;
mod embed;
mod engines;
mod faults;
mod first_labels;
mod gallery;
mod head_names;
mod helper_workers;
mod interactions;
mod names;
mod offline;
mod onboarding;
mod package;
mod page;
mod photos;
mod privacy;
mod real_clip;
mod saved_model;
mod screenshots;
mod self_supervised;
mod start;
mod video;
mod video_sources;
mod vitals;
