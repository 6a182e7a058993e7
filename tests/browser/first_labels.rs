//! A CLIP without head statistics: its texts are prepared in the background, its labels come from pictures, and the
//! browser stores both with the model.

use std::time::Duration;

use serde_json::json;
use test_support::small_clip::SmallClip;

use crate::converted::wait_for_model;
use crate::driver::{Graphics, wait};
use crate::gallery::{Pictures, count, wait_for_count};
use crate::offline::stored_packs;
use crate::page::{Labels, Page, TINY};

const MODEL: &str = "model.safetensors";
const MINUTE: Duration = Duration::from_secs(60);

/// Opens the page, and then a small random CLIP from the disk. The CLIP has neither statistics nor a pool.
fn open(test: &'static str, checkpoint: &SmallClip) -> Page {
    let page = Page::open(test, Graphics::None, TINY);
    // Notes everything that the page says about the preparation of texts, however short it is on screen.
    let watch = "self.prepared = [];
        new MutationObserver(() => {
            const says = document.querySelector('.pool-progress')?.textContent;
            if (says) self.prepared.push(says);
        }).observe(document.body, { subtree: true, childList: true, characterData: true });";
    page.window.script(watch, &json!([]));
    page.window.choose_files("input[name=weights]", &checkpoint.files());
    wait_for_model(&page, MODEL);
    page.choose_sample("china");
    page
}

fn wait_for_pool(page: &Page) -> u64 {
    wait("headlamp's texts", MINUTE, || page.field("pool-lines").parse().ok().filter(|lines| *lines > 0))
}

/// Returns a number as the page shows it.
fn grouped(number: u64) -> String {
    headlamp::text::units::count(number)
}

fn text_of(page: &Page, selector: &str) -> String {
    let script = "return document.querySelector(arguments[0])?.textContent ?? ''";
    page.window.script(script, &json!([selector])).as_str().unwrap().to_owned()
}

fn wait_for_statistics(page: &Page, in_use: &str) {
    wait(in_use, MINUTE, || (text_of(page, "#statistics-in-use") == in_use).then_some(()));
    page.settle();
}

/// Waits until the heads are named. Returns the number of heads with a name, and the consistency of the names.
fn names(page: &Page) -> [String; 2] {
    wait("the names of the heads", MINUTE, || {
        let script = "return !!document.querySelector('#model-panel [data-field=consistency][data-value]')";
        (page.window.script(script, &json!([])) == true).then_some(())
    });
    page.settle();
    ["named-heads", "consistency"].map(|field| page.field(field))
}

/// Returns the number of stored files whose address has `part`.
fn stored(page: &Page, part: &str) -> u64 {
    let script = "return caches.open('headlamp-packs').then((cache) => cache.keys())
        .then((keys) => keys.filter((key) => key.url.includes(arguments[0])).length)";
    page.window.script(script, &json!([part])).as_u64().unwrap()
}

fn texts(labels: &Labels) -> Vec<&str> {
    labels.iter().map(|(text, _)| text.as_str()).collect()
}

#[test]
#[ignore = "needs the set-up of `cargo xtask test browser`"]
fn a_clip_has_labels_at_the_next_visit() {
    let (checkpoint, pictures) = (SmallClip::new("first-labels"), Pictures::new("first-labels", 60, 40));
    let page = open("first-labels", &checkpoint);
    let offer = text_of(&page, "#head-panel .picture-sources");
    assert!(offer.contains("Choose pictures"), "the head panel offers no pictures: {offer:?}");
    assert!(offer.contains("for 200 pictures"), "the head panel does not say how long it takes: {offer:?}");
    assert!(!text_of(&page, "#model-panel .picture-sources").is_empty(), "the model panel offers no pictures");
    let lines = wait_for_pool(&page);
    let prepared = page.window.script("return self.prepared", &json!([])).to_string();
    assert!(prepared.contains(&format!("of {} texts", grouped(lines))), "no progress of the texts: {prepared}");

    // The labels follow from the pictures without a further press.
    page.window.choose_file("#head-panel input[name=labels-pictures]", &pictures.files());
    wait_for_count(&page, 60);
    wait_for_statistics(&page, "In use: your gallery's 60 images.");
    let before = page.choose_head(1, 0);
    // A head of this model has 8 dimensions, so it has at most 8 texts.
    assert_eq!(before.len(), 8);
    let named = names(&page);
    assert_eq!(text_of(&page, "#head-panel .picture-sources"), "", "pictures are still offered");
    assert!(stored(&page, "/labels-") >= 3, "the statistics and the pool's two files are not stored");

    page.load(TINY);
    page.wait_until_ready();
    page.window.script("self.prepared = []", &json!([]));
    page.window.click(&format!("#kept button[aria-label='Open {MODEL}']"));
    wait_for_model(&page, MODEL);
    wait_for_statistics(&page, "In use: your gallery's 60 images.");
    assert_eq!(page.field("pool-lines"), lines.to_string());
    assert_eq!(text_of(&page, "#pool-in-use"), format!("In use: headlamp's own {} texts.", grouped(lines)));
    page.choose_sample("china");
    let after = page.choose_head(1, 0);
    assert_eq!(texts(&after), texts(&before));
    assert_eq!(names(&page), named, "the names changed");
    assert_eq!(text_of(&page, ".pool-progress"), "", "the texts are prepared again");
    assert_eq!(count(&page), 60);

    // What belongs to the model goes with the model.
    page.window.click(&format!("#kept button[aria-label='Remove {MODEL}']"));
    wait("a shorter list", Duration::from_secs(10), || {
        (!stored_packs(&page).contains(&MODEL.to_owned())).then_some(())
    });
    assert_eq!(stored(&page, "/labels-"), 0);
    assert_eq!(page.message(), "");
    page.assert_quiet_console();
}

#[test]
#[ignore = "needs the set-up of `cargo xtask test browser`"]
fn own_texts_are_stored_with_the_model() {
    let page = Page::open("own-texts", Graphics::None, TINY);
    let packs = text_of(&page, "#pool-in-use");
    let script = "const area = document.querySelector('textarea[name=pool]');
        area.value = 'a red surface\\na cat\\na dog\\nstraight lines';
        area.dispatchEvent(new Event('input', { bubbles: true }));";
    page.window.script(script, &json!([]));
    page.window.click("button.use-pool");
    let is_own = || (text_of(&page, "#pool-in-use") == "In use: your own 4 texts.").then_some(());
    wait("the own texts", MINUTE, is_own);
    page.load(TINY);
    page.wait_until_ready();
    wait("the own texts again", MINUTE, is_own);
    page.choose_sample("china");
    let labels = page.choose_head(1, 1);
    assert!(labels.len() <= 4 && texts(&labels).contains(&"a cat"), "{labels:?}");
    page.window.script(
        "[...document.querySelectorAll('.source .quiet-button')]
            .find((button) => button.textContent === \"Back to the pack's\").click()",
        &json!([]),
    );
    wait("the pack's texts", MINUTE, || (text_of(&page, "#pool-in-use") == packs).then_some(()));
    assert_eq!(stored(&page, "/labels-"), 0);
    page.assert_quiet_console();
}

#[test]
#[ignore = "needs the set-up of `cargo xtask test browser`"]
fn a_full_disk_loses_no_labels_of_this_visit() {
    let pictures = Pictures::new("labels-full-disk", 5, 40);
    let page = Page::open("labels-full-disk", Graphics::None, TINY);
    page.choose_sample("china");
    page.window.choose_file("#gallery input[name=gallery]", &pictures.files());
    wait_for_count(&page, 5);
    page.settle();
    let origin = page.window.script("return location.origin", &json!([]));
    page.window.chrome("Storage.overrideQuotaForOrigin", &json!({ "origin": origin, "quotaSize": 60_000 }));
    let before = page.choose_head(1, 0);
    page.window.click("#use-gallery");
    wait_for_statistics(&page, "In use: your gallery's 5 images.");
    let says = wait("the sentence", MINUTE, || {
        Some(text_of(&page, "#head-panel .first-labels")).filter(|says| says.contains("next visit"))
    });
    assert!(says.contains("no room left"), "{says:?}");
    assert_ne!(page.choose_head(1, 0), before, "the statistics of this visit are not in use");
    assert_eq!(page.message(), "");
}

#[test]
#[ignore = "needs the set-up of `cargo xtask test browser`"]
fn names_settle_while_pictures_arrive() {
    let (checkpoint, pictures) = (SmallClip::new("settling"), Pictures::new("settling", 110, 40));
    let page = open("settling", &checkpoint);
    wait_for_pool(&page);
    // The first statistics come before the last picture.
    let script = "self.sources = [];
        new MutationObserver(() => self.sources.push(document.querySelector('#statistics-in-use').textContent))
            .observe(document.querySelector('#statistics-in-use'), { subtree: true, childList: true, characterData: true });";
    page.window.script(script, &json!([]));
    page.window.choose_file("#head-panel input[name=labels-pictures]", &pictures.files());
    wait_for_count(&page, 110);
    wait_for_statistics(&page, "In use: your gallery's 110 images.");
    let sources = page.window.script("return self.sources", &json!([])).to_string();
    for images in [50, 100] {
        assert!(sources.contains(&format!("gallery's {images} images")), "no names at {images}: {sources}");
    }
    let share = wait("the share of unchanged names", MINUTE, || {
        let share = "return document.querySelector('#head-panel [data-names=steadiness]')?.dataset.share ?? ''";
        page.window.script(share, &json!([])).as_str()?.parse::<f64>().ok()
    });
    assert!((0.0..=1.0).contains(&share), "{share}");
    let says = text_of(&page, "#head-panel [data-names=steadiness]");
    assert!(says.contains("from 50 to 100 pictures"), "{says}");
    page.assert_quiet_console();
}
