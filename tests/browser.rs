//! The built page in a real headless browser, read as a person or a script would: from the page itself.
//!
//! Ignored by a plain `cargo test`, as it needs the built page, the packs and a browser; `cargo xtask test
//! browser` sets all of that up. The variables that it sets: `HEADLAMP_DIST` and `HEADLAMP_PACKS` (folders),
//! and where need be `CHROME` and `CHROMEDRIVER`. A test that fails leaves a picture of the page in
//! `screenshots/` of the cache folder.
#![cfg(not(target_arch = "wasm32"))]

#[path = "browser/access.rs"]
mod access;
#[path = "browser/address.rs"]
mod address;
#[path = "browser/bad_input.rs"]
mod bad_input;
#[path = "browser/bench/mod.rs"]
mod bench;
#[path = "browser/breaking.rs"]
mod breaking;
#[path = "browser/converted.rs"]
mod converted;
#[path = "browser/cues.rs"]
mod cues;
#[path = "browser/default_pack.rs"]
mod default_pack;
#[path = "browser/driver.rs"]
mod driver;
#[path = "browser/embed.rs"]
mod embed;
#[path = "browser/engines.rs"]
mod engines;
#[path = "browser/faults.rs"]
mod faults;
#[path = "browser/first_minute.rs"]
mod first_minute;
#[path = "browser/gallery.rs"]
mod gallery;
#[path = "browser/habits.rs"]
mod habits;
#[path = "browser/hands.rs"]
mod hands;
#[path = "browser/lab.rs"]
mod lab;
#[path = "browser/offline.rs"]
mod offline;
#[path = "browser/package.rs"]
mod package;
#[path = "browser/page.rs"]
mod page;
#[path = "browser/photos.rs"]
mod photos;
#[path = "browser/privacy.rs"]
mod privacy;
#[path = "browser/real_clip.rs"]
mod real_clip;
#[path = "browser/scratch.rs"]
mod scratch;
#[path = "browser/screenshots.rs"]
mod screenshots;
#[path = "full_size/seeded.rs"]
mod seeded;
#[path = "browser/self_supervised.rs"]
mod self_supervised;
#[path = "browser/start.rs"]
mod start;
#[path = "browser/video.rs"]
mod video;
#[path = "browser/video_sources.rs"]
mod video_sources;
#[path = "browser/vitals.rs"]
mod vitals;
