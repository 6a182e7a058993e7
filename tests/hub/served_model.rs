//! `cargo xtask serve --model`: the pack that it makes for the page, from a hub, from a checkpoint and from packs.

use std::path::{Path, PathBuf};

use headlamp::checkpoint::{Pack, pack};
use test_support::TemporaryFolder;
use test_support::small_clip::SmallClip;
use test_support::tool::{self, headlamp, output_of};
use xtask::served_model::{ServedModel, Workshop};

use super::server::{Hub, HubBehaviour};

/// A folder for made packs, a hub, and the number of times that the tool was started.
struct TestWorkshop {
    place: TemporaryFolder,
    hub: String,
    started: std::cell::Cell<usize>,
}

impl TestWorkshop {
    fn new(name: &str, hub: &str) -> Self {
        let place = TemporaryFolder::new(&format!("served-{name}"));
        Self { place, hub: hub.to_owned(), started: std::cell::Cell::new(0) }
    }

    /// Prepares a model. Returns its folder, and how often the tool was started.
    fn prepare(&self, model: &str, gallery: Option<PathBuf>, pool: &Path) -> (Option<PathBuf>, usize) {
        let before = self.started.get();
        let tool = || {
            self.started.set(self.started.get() + 1);
            let mut tool = headlamp();
            tool.env("HEADLAMP_HUB", &self.hub).env("HEADLAMP_CACHE", self.place.path().join("cache"));
            Ok(tool)
        };
        let workshop = Workshop { folder: self.place.path().join("packs"), code: "1".to_owned(), tool: &tool };
        let model = ServedModel { model: model.to_owned(), gallery, pool: pool.to_owned() };
        let made = model.prepare(&workshop).unwrap();
        (made, self.started.get() - before)
    }

    fn texts(&self) -> PathBuf {
        let texts = self.place.path().join("texts.txt");
        std::fs::write(&texts, "a red photo\na cat\na photo of a dog\n").unwrap();
        texts
    }
}

#[test]
fn a_model_gets_texts_and_statistics_once() {
    let workshop = TestWorkshop::new("labelled", "");
    // The tiny pack without its pool and statistics.
    let bare = workshop.place.path().join("bare");
    let mut tiny = Pack::read(tool::pack()).unwrap();
    tiny.manifest.files.retain(|file| [pack::WEIGHTS, pack::TOKENIZER].contains(&file.path.as_str()));
    let files = [pack::WEIGHTS, pack::TOKENIZER].map(|name| (name.to_owned(), tiny.take(name).unwrap()));
    Pack::new(tiny.manifest, files.into()).unwrap().write(&bare).unwrap();
    let pictures = tool::gallery("served-gallery", &["chelsea.png", "coffee.png"]);
    let bare = bare.display().to_string();

    let (first, started) = workshop.prepare(&bare, Some(pictures.clone()), &workshop.texts());
    let made = Pack::read(&first.clone().unwrap()).unwrap();
    assert!(made.bytes(pack::POOL).is_some() && made.bytes(pack::STATISTICS).is_some());
    assert_eq!(started, 3, "the model, the statistics, and both together");
    let (second, started) = workshop.prepare(&bare, Some(pictures.clone()), &workshop.texts());
    assert_eq!((second, started), (first.clone(), 0), "nothing is made twice");
    // Another picture makes other statistics, and nothing else.
    std::fs::copy(tool::photo("china.jpg"), pictures.join("china.jpg")).unwrap();
    let (third, started) = workshop.prepare(&bare, Some(pictures), &workshop.texts());
    assert_eq!(started, 2);
    assert_ne!(third, first);
}

#[test]
fn a_pack_in_one_file_keeps_its_own_texts() {
    let workshop = TestWorkshop::new("archive", "");
    let archive = workshop.place.path().join("tiny.headlamp.tar");
    output_of(headlamp().args(["pack", "from"]).arg(tool::pack()).arg("--out").arg(&archive));
    let (made, started) = workshop.prepare(&archive.display().to_string(), None, &workshop.texts());
    let made = Pack::read(&made.unwrap()).unwrap();
    assert_eq!(started, 1);
    assert!(made.bytes(pack::POOL) == Pack::read(tool::pack()).unwrap().bytes(pack::POOL));
}

#[test]
fn a_hubs_model_is_fetched_and_labelled() {
    let checkpoint = SmallClip::new("served-hub-clip");
    let hub = Hub::new(checkpoint.path().to_owned(), HubBehaviour::Plain);
    let workshop = TestWorkshop::new("hub", &hub.url);
    let pictures = tool::gallery("served-hub-gallery", &["chelsea.png", "coffee.png"]);
    let (made, started) = workshop.prepare("hf:small/clip", Some(pictures.clone()), &workshop.texts());
    assert_eq!(started, 3);
    let made = made.unwrap();
    let found = tool::json(headlamp().args(["heads", "--device", "cpu", "--pack"]).arg(&made));
    assert_eq!((&found["images"], &found["pool"]), (&2.into(), &3.into()));
    // The checkpoint on disk gives the same pack, except for the name of its source.
    let (local, _) = workshop.prepare(&checkpoint.path().display().to_string(), Some(pictures), &workshop.texts());
    let bytes = |folder: &Path, file: &str| std::fs::read(folder.join(file)).unwrap();
    for file in [pack::WEIGHTS, pack::POOL_EMBEDDINGS, pack::STATISTICS] {
        assert!(bytes(&made, file) == bytes(local.as_ref().unwrap(), file), "{file} differs");
    }
}

#[test]
fn an_unreachable_hub_gives_no_pack() {
    let workshop = TestWorkshop::new("dead-hub", "http://127.0.0.1:9");
    let (made, started) = workshop.prepare("hf:small/clip", None, &workshop.texts());
    assert_eq!((made, started), (None, 1));
}

#[test]
fn a_missing_model_or_gallery_is_an_error() {
    let workshop = TestWorkshop::new("missing", "");
    let tool = || Ok(headlamp());
    let shop = Workshop { folder: workshop.place.path().join("packs"), code: "1".to_owned(), tool: &tool };
    let error = |model: &str, gallery: Option<PathBuf>| {
        let model = ServedModel { model: model.to_owned(), gallery, pool: workshop.texts() };
        format!("{:#}", model.prepare(&shop).unwrap_err())
    };
    assert!(error("no/such/model", None).contains("no/such/model"));
    let tiny = tool::pack().display().to_string();
    assert!(error(&tiny, Some(PathBuf::from("no-gallery"))).contains("no-gallery"));
}
