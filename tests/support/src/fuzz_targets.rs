//! The readers of untrusted bytes: one function for each kind. A function may refuse the bytes. It must never
//! panic, hang, or allocate more memory than the bytes justify.
//!
//! `tests/fuzz.rs` runs the functions over the corpus and over mutations of the corpus, in every run of the tests.
//! `fuzz/` has them for cargo-fuzz, which searches for longer.

use std::io::Cursor;

use headlamp::checkpoint::detect::{GivenSettings, detect};
use headlamp::checkpoint::index::{IndexReader, IndexStep, TensorIndex};
use headlamp::checkpoint::{ConfigFiles, Manifest, Pack, StateDict, read_onnx};
use headlamp::media;
use headlamp::media::video::demux;
use headlamp::page::common::content_policy;
use headlamp::page::gallery::picture_labels::Labels;
use headlamp::page::shell::address::Address;
use headlamp::protocol::{Request, Response};
use headlamp::session::pool_texts::PoolTexts;
use headlamp::statistics::Statistics;

/// A kind of bytes: its name and its reader.
pub struct Target {
    pub name: &'static str,
    pub read: fn(&[u8]),
}

pub const ALL: [Target; 12] = [
    Target { name: "picture", read: picture },
    Target { name: "video", read: video },
    Target { name: "checkpoint", read: checkpoint },
    Target { name: "safetensors", read: safetensors },
    Target { name: "onnx", read: onnx },
    Target { name: "manifest", read: manifest },
    Target { name: "archive", read: archive },
    Target { name: "statistics", read: statistics },
    Target { name: "message", read: message },
    Target { name: "address", read: address },
    Target { name: "labels", read: labels },
    Target { name: "pool", read: pool },
];

/// Reads `bytes` with the target called `name`.
pub fn read(name: &str, bytes: &[u8]) {
    let target = ALL.iter().find(|target| target.name == name).expect("there is a target of that name");
    (target.read)(bytes);
}

fn picture(bytes: &[u8]) {
    let _photo_or_sentence = pollster::block_on(media::decode("picture.png", bytes));
}

fn video(bytes: &[u8]) {
    let Ok(index) = demux("video.mp4", Cursor::new(bytes)) else { return };
    // Every visible frame exists.
    assert!(index.shown.iter().all(|sample| (*sample as usize) < index.samples.len()));
}

/// Opens weights of any kind part by part, as the page does, and detects their model.
fn checkpoint(bytes: &[u8]) {
    let Some(index) = opened(bytes) else { return };
    let _model_or_sentence = detect(index, &ConfigFiles::default(), "weights.bin", &GivenSettings::default());
}

fn opened(bytes: &[u8]) -> Option<TensorIndex> {
    let mut reader = IndexReader::new("weights.bin", bytes.len() as u64);
    loop {
        let wanted = reader.wanted();
        let (start, end) = (usize::try_from(wanted.start).ok()?, usize::try_from(wanted.end).ok()?);
        match reader.push(bytes.get(start..end)?).ok()? {
            IndexStep::Unfinished(next) => reader = next,
            IndexStep::Finished(index) => return Some(index),
        }
    }
}

fn safetensors(bytes: &[u8]) {
    let _tensors_or_sentence = StateDict::from_safetensors("weights.safetensors", bytes);
}

fn onnx(bytes: &[u8]) {
    let _tensors_or_sentence = read_onnx("tower.onnx", bytes);
}

fn manifest(bytes: &[u8]) {
    let Ok(manifest) = Manifest::parse(bytes) else { return };
    // No file is outside the pack's folder.
    assert!(manifest.files.iter().all(|file| !file.path.contains("..") && !file.path.starts_with('/')));
}

fn archive(bytes: &[u8]) {
    let Ok(pack) = Pack::from_archive("model.headlamp.tar", bytes.len() as u64, bytes) else { return };
    // Every file of a pack was in the archive.
    assert!(pack.manifest.bytes() <= bytes.len() as u64);
}

fn statistics(bytes: &[u8]) {
    let _statistics_or_sentence = Statistics::from_bytes(bytes);
}

fn message(bytes: &[u8]) {
    let _request = serde_json::from_slice::<Request>(bytes);
    let _response = serde_json::from_slice::<Response>(bytes);
}

fn address(bytes: &[u8]) {
    let text = String::from_utf8_lossy(bytes);
    let (address, _complaints) = Address::parse(&text);
    // An address that was read and written again reads as the same address.
    let written = address.query();
    assert_eq!(Address::parse(&written).0.query(), written);
    let _may = content_policy::may_fetch(Some(&text), "https://a.example", &text);
}

fn labels(bytes: &[u8]) {
    let text = String::from_utf8_lossy(bytes);
    let _labels_or_sentence = Labels::of_table(&text);
    let _of_folders = Labels::of_folders(text.lines());
}

/// Parses a pool of texts. A pool that is written again is the same pool.
fn pool(bytes: &[u8]) {
    let Ok(pool) = PoolTexts::parse(&String::from_utf8_lossy(bytes)) else { return };
    assert_eq!(PoolTexts::parse(&pool.to_file()), Ok(pool));
}
