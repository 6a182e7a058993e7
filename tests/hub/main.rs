//! `headlamp pack from hf:ORG/NAME` against a hub that redirects, dawdles, breaks off, changes its mind, or lies.
#![cfg(not(target_arch = "wasm32"))]

mod server;

use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use headlamp::checkpoint::{Pack, pack};
use server::{Hub, Manner};

/// A cache and a pack's folder, gone with the test.
struct Place(PathBuf);

impl Place {
    fn new(name: &str) -> Self {
        let path = std::env::temp_dir().join(format!("headlamp-hub-{name}-{}", std::process::id()));
        std::fs::create_dir_all(&path).unwrap();
        Self(path)
    }

    fn out(&self) -> PathBuf {
        self.0.join("pack")
    }

    /// Packs `hf:small/clip` of `hub`.
    fn pack(&self, hub: &str) -> Output {
        self.run(&["hf:small/clip", "--hub", hub, "--quant", "f32"])
    }

    fn run(&self, arguments: &[&str]) -> Output {
        Command::new(env!("CARGO_BIN_EXE_headlamp"))
            .args(["pack", "from"])
            .args(arguments)
            .arg("--out")
            .arg(self.out())
            .env("HEADLAMP_CACHE", self.0.join("cache"))
            .env_remove("HEADLAMP_HUB")
            .output()
            .unwrap()
    }

    fn weights_hash(&self) -> String {
        Pack::read(&self.out()).unwrap().manifest.weights_hash().to_owned()
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let _gone = std::fs::remove_dir_all(&self.0);
    }
}

fn fixture() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/reference/fixtures/checkpoints/hf_safetensors")
}

/// The weights' hash when the fixture is packed from disk.
fn hash_from_disk() -> String {
    let place = Place::new("disk");
    let tokenizer = place.0.join(pack::TOKENIZER);
    std::fs::write(&tokenizer, "{}").unwrap();
    let (folder, tokenizer) = (fixture(), tokenizer.display().to_string());
    let done = place.run(&[folder.to_str().unwrap(), "--quant", "f32", "--tokenizer", &tokenizer]);
    assert!(done.status.success(), "{}", said(&done));
    place.weights_hash()
}

fn said(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

#[test]
fn whatever_the_hub_does_the_weights_arrive_whole() {
    let expected = hash_from_disk();
    for manner in [
        Manner::Plain,
        Manner::Redirect,
        Manner::BreaksOff,
        Manner::NoLength,
        Manner::NoRanges,
        Manner::Slow,
        Manner::Changes,
    ] {
        let place = Place::new(&format!("{manner:?}"));
        let hub = Hub::new(fixture(), manner);
        let done = place.pack(&hub.url);
        assert!(done.status.success(), "{manner:?}: {}", said(&done));
        assert_eq!(place.weights_hash(), expected, "{manner:?}");
    }
}

#[test]
fn a_download_goes_on_where_it_was_cut_off() {
    let place = Place::new("resumed");
    let dead = Hub::new(fixture(), Manner::BreaksOffAlways);
    let done = place.pack(&dead.url);
    assert_eq!(done.status.code(), Some(1));
    assert!(said(&done).contains("goes on from there"), "{}", said(&done));
    let part = place.0.join("cache/hub/small/clip/model.safetensors.part");
    let kept = part.metadata().unwrap().len();
    assert!(kept > 0);
    let alive = Hub::new(fixture(), Manner::Plain);
    assert!(place.pack(&alive.url).status.success());
    assert!(
        alive.asked().iter().any(|request| request.contains(&format!("bytes={kept}-"))),
        "{:?}",
        alive.asked()
    );
    // What is in the cache is not fetched again.
    std::fs::remove_dir_all(place.out()).unwrap();
    assert!(place.pack("http://127.0.0.1:9").status.success());
}

#[test]
fn a_damaged_config_is_fetched_again() {
    let place = Place::new("damaged");
    let hub = Hub::new(fixture(), Manner::Plain);
    assert!(place.pack(&hub.url).status.success());
    let expected = (place.weights_hash(), hub.configs() + 1);
    let config = place.0.join("cache/hub/small/clip/config.json");
    let whole = std::fs::read(&config).unwrap();
    std::fs::write(&config, &whole[..whole.len() / 2]).unwrap();
    std::fs::remove_dir_all(place.out()).unwrap();
    // Where the hub cannot be reached it stays, rather than that the model is taken for one without.
    assert!(said(&place.pack("http://127.0.0.1:9")).contains("cannot be reached"));
    let done = place.pack(&hub.url);
    assert!(done.status.success(), "{}", said(&done));
    assert_eq!((place.weights_hash(), hub.configs()), expected);
    assert_eq!(std::fs::read(&config).unwrap(), whole);
}

#[test]
fn a_hub_that_lies_or_refuses_is_told_on() {
    let cases = [
        (Manner::WrongLength, "goes on from there"),
        (Manner::Missing, "there is nothing at"),
        (Manner::Refuses, "asks for consent"),
        (Manner::WebPage, "a web page"),
    ];
    for (manner, expected) in cases {
        let place = Place::new(&format!("{manner:?}"));
        let hub = Hub::new(fixture(), manner);
        let done = place.pack(&hub.url);
        assert_eq!(done.status.code(), Some(1), "{manner:?}");
        assert!(said(&done).contains(expected), "{manner:?}: {}", said(&done));
        assert!(!place.out().exists(), "{manner:?} left a pack");
    }
    let place = Place::new("nowhere");
    assert!(said(&place.pack("http://127.0.0.1:9")).contains("cannot be reached"));
    assert_eq!(place.run(&["hf:not a model"]).status.code(), Some(2));
}
