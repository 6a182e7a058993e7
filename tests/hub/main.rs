//! `headlamp pack from hf:ORG/NAME` with a hub that redirects, is slow, breaks off, changes its files, or sends
//! false data.
#![cfg(not(target_arch = "wasm32"))]

mod served_model;
mod server;

use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use headlamp::checkpoint::{Pack, pack};
use server::{Hub, HubBehaviour};
use test_support::TemporaryFolder;

/// A folder for a cache and a pack.
struct TestFolder(TemporaryFolder);

impl TestFolder {
    fn new(name: &str) -> Self {
        Self(TemporaryFolder::new(&format!("hub-{name}")))
    }

    fn out(&self) -> PathBuf {
        self.0.path().join("pack")
    }

    /// Packs `hf:small/clip` from `hub`.
    fn pack(&self, hub: &str) -> Output {
        self.run(&["hf:small/clip", "--hub", hub, "--quant", "f32"])
    }

    fn run(&self, arguments: &[&str]) -> Output {
        Command::new(env!("CARGO_BIN_EXE_headlamp"))
            .args(["pack", "from"])
            .args(arguments)
            .arg("--out")
            .arg(self.out())
            .env("HEADLAMP_CACHE", self.0.path().join("cache"))
            .env_remove("HEADLAMP_HUB")
            .output()
            .unwrap()
    }

    fn weights_hash(&self) -> String {
        Pack::read(&self.out()).unwrap().manifest.weights_hash().to_owned()
    }
}

fn fixture() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/reference/fixtures/checkpoints/hf_safetensors")
}

/// Returns the hash of the weights when the fixture is packed from disk.
fn hash_from_disk() -> String {
    let place = TestFolder::new("disk");
    let tokenizer = place.0.path().join(pack::TOKENIZER);
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
fn weights_arrive_whole_whatever_the_hub_does() {
    let expected = hash_from_disk();
    for behaviour in [
        HubBehaviour::Plain,
        HubBehaviour::Redirect,
        HubBehaviour::BreaksOff,
        HubBehaviour::NoLength,
        HubBehaviour::NoRanges,
        HubBehaviour::Slow,
        HubBehaviour::Changes,
    ] {
        let place = TestFolder::new(&format!("{behaviour:?}"));
        let hub = Hub::new(fixture(), behaviour);
        let done = place.pack(&hub.url);
        assert!(done.status.success(), "{behaviour:?}: {}", said(&done));
        assert_eq!(place.weights_hash(), expected, "{behaviour:?}");
    }
}

#[test]
fn an_interrupted_download_resumes() {
    let place = TestFolder::new("resumed");
    let dead = Hub::new(fixture(), HubBehaviour::BreaksOffAlways);
    let done = place.pack(&dead.url);
    assert_eq!(done.status.code(), Some(1));
    assert!(said(&done).contains("goes on from there"), "{}", said(&done));
    let part = place.0.path().join("cache/hub/small/clip/model.safetensors.part");
    let kept = part.metadata().unwrap().len();
    assert!(kept > 0);
    let alive = Hub::new(fixture(), HubBehaviour::Plain);
    assert!(place.pack(&alive.url).status.success());
    assert!(
        alive.asked().iter().any(|request| request.contains(&format!("bytes={kept}-"))),
        "{:?}",
        alive.asked()
    );
    // Files in the cache are not downloaded again.
    std::fs::remove_dir_all(place.out()).unwrap();
    assert!(place.pack("http://127.0.0.1:9").status.success());
}

#[test]
fn a_damaged_config_is_downloaded_again() {
    let place = TestFolder::new("damaged");
    let hub = Hub::new(fixture(), HubBehaviour::Plain);
    assert!(place.pack(&hub.url).status.success());
    let expected = (place.weights_hash(), hub.configs() + 1);
    let config = place.0.path().join("cache/hub/small/clip/config.json");
    let whole = std::fs::read(&config).unwrap();
    std::fs::write(&config, &whole[..whole.len() / 2]).unwrap();
    std::fs::remove_dir_all(place.out()).unwrap();
    // If the hub cannot be reached, the damaged config stays. The model must not be packed as if it had no config.
    assert!(said(&place.pack("http://127.0.0.1:9")).contains("cannot be reached"));
    let done = place.pack(&hub.url);
    assert!(done.status.success(), "{}", said(&done));
    assert_eq!((place.weights_hash(), hub.configs()), expected);
    assert_eq!(std::fs::read(&config).unwrap(), whole);
}

#[test]
fn a_wrong_or_refusing_hub_is_reported() {
    let cases = [
        (HubBehaviour::WrongLength, "goes on from there"),
        (HubBehaviour::Missing, "there is nothing at"),
        (HubBehaviour::Refuses, "asks for consent"),
        (HubBehaviour::WebPage, "a web page"),
    ];
    for (behaviour, expected) in cases {
        let place = TestFolder::new(&format!("{behaviour:?}"));
        let hub = Hub::new(fixture(), behaviour);
        let done = place.pack(&hub.url);
        assert_eq!(done.status.code(), Some(1), "{behaviour:?}");
        assert!(said(&done).contains(expected), "{behaviour:?}: {}", said(&done));
        assert!(!place.out().exists(), "{behaviour:?} left a pack");
    }
    let place = TestFolder::new("nowhere");
    let dead = place.pack("http://127.0.0.1:9");
    assert!(said(&dead).contains("cannot be reached"));
    // Other programs can tell a dead server from a wrong model.
    assert_eq!(dead.status.code(), Some(3));
    assert_eq!(place.run(&["hf:not a model"]).status.code(), Some(2));
}
