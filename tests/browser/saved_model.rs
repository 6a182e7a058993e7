//! "Save this model" writes one file. The file opens when a person drops it, and by its address. The texts and statistics
//! that were in use are in the file.

use std::path::{Path, PathBuf};
use std::time::Duration;

use base64::Engine as _;
use headlamp::checkpoint::Pack;
use serde_json::json;
use test_support::TemporaryFolder;
use test_support::small_clip::SmallClip;

use crate::breaking_server::BreakingServer;
use crate::converted::wait_for_model;
use crate::driver::{Graphics, Window, wait};
use crate::gallery::{Pictures, add, wait_for_count};
use crate::offline::wait_for_service_worker;
use crate::page::{Labels, Page, TINY, folder, packs, site};

const TEXTS: [&str; 6] = ["a cat", "a red dog", "photo of a cat", "red", "a photo", "dog of a photo"];
const PICTURES: u64 = 60;

/// Drops a file on the page, as a person does.
fn drop_file(page: &Page, name: &str, bytes: &[u8]) {
    let script = "const bytes = Uint8Array.from(atob(arguments[1]), (byte) => byte.charCodeAt(0));
        const dataTransfer = new DataTransfer();
        dataTransfer.items.add(new File([bytes], arguments[0]));
        for (const type of ['dragenter', 'dragover', 'drop']) {
            document.body.dispatchEvent(new DragEvent(type, { dataTransfer, bubbles: true, cancelable: true }));
        }";
    let base64 = base64::engine::general_purpose::STANDARD.encode(bytes);
    page.window.script(script, &json!([name, base64]));
}

/// Uses own texts for the labels of heads.
fn use_texts(page: &Page, texts: &[&str]) {
    let script = "const area = document.querySelector('textarea[name=pool]');
        area.value = arguments[0];
        area.dispatchEvent(new Event('input', { bubbles: true }));";
    page.window.script(script, &json!([texts.join("\n")]));
    page.window.click(".use-pool");
    wait("the own texts", Duration::from_secs(60), || {
        let script = "return document.querySelector('#pool-in-use').textContent.includes('your own')";
        (page.window.script(script, &json!([])) == true).then_some(())
    });
    page.settle();
}

/// Asserts that two lists of labels have the same texts. A saved pool has embeddings of 16 bits, so the shares of
/// variance may differ a little.
fn assert_same(before: &Labels, after: &Labels) {
    assert_eq!(before.len(), after.len(), "{before:?} {after:?}");
    for ((text, explained), (other, again)) in before.iter().zip(after) {
        assert!(text == other && (explained - again).abs() < 2e-3, "{before:?} became {after:?}");
    }
}

/// The saved small CLIP with statistics over a gallery, and the labels of one of its heads.
struct Saved {
    bytes: Vec<u8>,
    labels: Labels,
}

impl Saved {
    /// Opens the small CLIP from disk, gathers a gallery, uses own texts and saves the model.
    fn new(test: &'static str) -> Self {
        let checkpoint = SmallClip::new(&format!("{test}-clip"));
        let pictures = Pictures::new(test, PICTURES as usize, 40);
        let page = Page::open(test, Graphics::None, TINY);
        page.window.choose_files("input[name=weights]", &checkpoint.files());
        wait_for_model(&page, "model.safetensors");
        add(&page, &pictures.files());
        wait_for_count(&page, PICTURES);
        page.settle();
        page.window.click("#use-gallery");
        page.settle();
        use_texts(&page, &TEXTS);
        let labels = page.choose_head(1, 0);
        page.settle();
        let bytes = page.save("#save-model");
        page.assert_quiet_console();
        Self { bytes, labels }
    }

    /// Asserts that a page shows the saved model with its texts and statistics.
    fn assert_shown(&self, page: &Page) {
        assert_eq!(page.field("statistics-images"), PICTURES.to_string());
        assert_eq!(page.field("pool-lines"), TEXTS.len().to_string());
        assert_same(&self.labels, &page.choose_head(1, 0));
        page.settle();
    }
}

fn written(folder: &Path, name: &str, bytes: &[u8]) -> PathBuf {
    let path = folder.join(name);
    std::fs::write(&path, bytes).unwrap();
    path
}

#[test]
#[ignore = "needs the set-up of `cargo xtask test browser`"]
fn a_dropped_model_keeps_its_labels() {
    let saved = Saved::new("saved");
    // Another browser, which has stored nothing.
    let page = Page::open("saved-dropped", Graphics::None, TINY);
    drop_file(&page, "small.headlamp.tar", &saved.bytes);
    wait_for_model(&page, "model.safetensors");
    saved.assert_shown(&page);
    page.choose_sample("coffee");
    assert!(page.residual() < 1e-4, "sum check: {}", page.residual());
    // Saved again without a change, the file has the same bytes.
    assert!(page.save("#save-model") == saved.bytes, "the second file differs");

    // The file field takes the same file.
    page.load(TINY);
    page.wait_until_ready();
    let place = TemporaryFolder::new("saved-chosen");
    page.window.choose_file("input[name=weights]", &written(place.path(), "small.headlamp.tar", &saved.bytes));
    wait_for_model(&page, "model.safetensors");
    saved.assert_shown(&page);

    // A damaged file is refused by its name, and the model stays.
    drop_file(&page, "cut.headlamp.tar", &saved.bytes[..saved.bytes.len() / 2]);
    let message = page.wait_for_message();
    assert!(message.contains("cut.headlamp.tar") && message.contains("cut off"), "{message}");
    assert_eq!(page.phase(), "ready");
    assert!(page.field("name").contains("model.safetensors"));
    page.assert_quiet_console();
}

#[test]
#[ignore = "needs the set-up of `cargo xtask test browser`"]
fn a_saved_model_opens_by_its_address_and_offline() {
    let saved = Saved::new("saved-shared");
    let place = TemporaryFolder::new("saved-site");
    written(place.path(), "small.headlamp.tar", &saved.bytes);
    let site = site().mount("models", place.path());
    let query = "?device=cpu&pack=models/small.headlamp.tar";
    let mut page = Page::open_unready("saved-address", site, Graphics::None, query);
    page.wait_until_ready();
    wait_for_service_worker(&page);
    page.settle();
    saved.assert_shown(&page);
    let address = page.window.script("return new URLSearchParams(location.search).get('pack')", &json!([]));
    assert_eq!(address, "models/small.headlamp.tar");
    assert!(page.save("#save-model") == saved.bytes, "the file saved from an address differs");
    page.assert_quiet_console();
    // The browser has stored the files of the archive.
    page.lose_network();
    page.load(query);
    page.wait_until_ready();
    page.settle();
    saved.assert_shown(&page);
    // If no file has this address, the message names the missing file.
    page.load("?device=cpu&pack=models/none.headlamp.tar");
    let message = page.wait_for_message();
    assert!(message.contains("none.headlamp.tar"), "{message}");
}

#[test]
#[ignore = "needs the set-up of `cargo xtask test browser`"]
fn a_broken_download_of_a_saved_model_resumes() {
    let place = TemporaryFolder::new("saved-broken");
    Pack::read(&packs().join("tiny")).unwrap().write(&place.path().join("tiny.headlamp.tar")).unwrap();
    let server = BreakingServer::new(folder("HEADLAMP_DIST"), place.path().to_owned(), "packs/tiny.headlamp.tar");
    let page = Page::at(server.address(), Window::open("saved-broken", Graphics::None));
    let query = "?device=cpu&pack=packs/tiny.headlamp.tar";
    page.load(query);
    page.wait_until_ready();
    assert_eq!(server.broken(), 1, "the archive did not break off exactly once");
    assert_eq!(server.parts(), 1, "only the rest must be requested");
    page.choose_sample("coffee");
    assert!(page.residual() < 1e-4, "sum check: {}", page.residual());
}
