//! Objects tracked and masks propagated by the default model, on clips with known shapes.
//! `cargo test --test video -- --nocapture` prints the figures of docs/REPRODUCTION.md.
#![cfg(not(target_arch = "wasm32"))]

mod clips;
mod propagation;
mod tracks;

use std::sync::OnceLock;

use burn::tensor::Device;
use clips::{Clip, Paint};
use headlamp::checkpoint::Pack;
use headlamp::geometry::{Framing, Size};
use headlamp::media::{self, Photo};
use headlamp::metrics::davis::region;
use headlamp::session::{PhotoFeatures, Session};
use xtask::places;

const FRAMES: usize = 8;
const SIZE: Size = Size { width: 448, height: 336 };

/// Returns the clips of all figures.
fn clips() -> &'static [Clip; 3] {
    static CLIPS: OnceLock<[Clip; 3]> = OnceLock::new();
    CLIPS.get_or_init(|| clips::clips(SIZE, FRAMES, Paint::Textures))
}

/// Returns the same clips, painted with the page's sample photos.
fn photo_clips() -> [Clip; 3] {
    let folder = places::checkout().join("www/samples");
    let names = ["astronaut.png", "chelsea.png", "china.jpg", "coffee.png", "flower.jpg", "rocket.jpg"];
    let photos = names.map(|name| {
        let bytes = std::fs::read(folder.join(name)).unwrap();
        pollster::block_on(media::decode(name, &bytes)).unwrap()
    });
    clips::clips(SIZE, FRAMES, Paint::Photos(&photos))
}

/// Returns a session with the default pack, which is opened once.
fn session() -> &'static Session {
    static SESSION: OnceLock<Session> = OnceLock::new();
    SESSION.get_or_init(|| {
        let folder = places::packs().join("default");
        assert!(folder.exists(), "{} is missing: run `cargo xtask assets`", folder.display());
        Session::open(Pack::read(&folder).unwrap(), Device::flex()).unwrap()
    })
}

/// Returns the features of a clip's frames.
fn features(frames: &[Photo], short_side: usize) -> Vec<PhotoFeatures> {
    let framing = Framing::Frame { short_side };
    frames.iter().map(|photo| pollster::block_on(session().features(photo, framing)).unwrap()).collect()
}

/// Returns the tokens after a layer of a clip's frames, for mask propagation.
fn tokens_after(frames: &[Photo], short_side: usize, layer: usize) -> Vec<PhotoFeatures> {
    let framing = Framing::Frame { short_side };
    frames.iter().map(|photo| pollster::block_on(session().tokens_after(photo, framing, layer)).unwrap()).collect()
}

/// Returns J of one shape in one frame.
fn j(found: impl Iterator<Item = bool>, labels: &[u8], shape: u8) -> f64 {
    let labelled: Vec<bool> = labels.iter().map(|label| *label == shape).collect();
    region(&found.collect::<Vec<_>>(), &labelled, &vec![false; labels.len()])
}

fn mean(values: &[f64]) -> f64 {
    values.iter().sum::<f64>() / values.len() as f64
}
