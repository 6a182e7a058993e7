//! The built page in a real headless browser, read as a person or a script would: from the page itself.
//!
//! Ignored by a plain `cargo test`, as it needs the built page, the packs and a browser; `cargo xtask test
//! browser` sets all of that up. The variables that it sets: `HEADLAMP_DIST` and `HEADLAMP_PACKS` (folders),
//! and where need be `CHROME` and `CHROMEDRIVER`. A test that fails leaves a picture of the page in
//! `screenshots/` of the cache folder.
#![cfg(not(target_arch = "wasm32"))]

mod access;
mod address;
mod bad_input;
mod bench;
mod breaking;
mod converted;
mod cues;
mod default_pack;
mod driver;
mod embed;
mod engines;
mod faults;
mod first_minute;
mod gallery;
mod habits;
mod hands;
mod lab;
mod offline;
mod package;
mod page;
mod photos;
mod privacy;
mod real_clip;
mod scratch;
mod screenshots;
mod self_supervised;
mod start;
mod video;
mod video_sources;
mod vitals;
