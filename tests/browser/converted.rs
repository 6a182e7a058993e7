//! Published weights that the page converts: the cost of each way to store them, and that the browser stores them.

use std::time::Duration;

use serde_json::json;
use test_support::small_clip::SmallClip;

use crate::driver::{Graphics, wait};
use crate::offline::{stored_packs, wait_for_service_worker};
use crate::page::{Page, TINY, site};

const PHRASES: [&str; 3] = ["a photo of a cat", "red", "a dog"];

pub fn wait_for_model(page: &Page, name: &str) {
    wait(&format!("the model {name}"), Duration::from_secs(60), || {
        assert_eq!(page.message(), "", "no message");
        (page.field("name").contains(name) && page.phase() == "ready").then_some(())
    });
    page.settle();
}

/// Returns the rows of the table of storage kinds: name, bytes, error, and whether the kind is in use.
fn storages(page: &Page) -> Vec<(String, f64, f64, bool)> {
    let script = "return [...document.querySelectorAll('.storages tbody tr')].map((row) =>
        [row.dataset.storage, +row.dataset.bytes, +row.dataset.error, row.getAttribute('aria-current') === 'true'])";
    serde_json::from_value(page.window.script(script, &json!([]))).unwrap()
}

#[test]
#[ignore = "needs the set-up of `cargo xtask test browser`"]
fn a_converted_model_opens_again_offline() {
    let checkpoint = SmallClip::new("converted");
    let mut page = Page::open_unready("converted", site(), Graphics::None, TINY);
    page.wait_until_ready();
    wait_for_service_worker(&page);
    page.set_phrases(&PHRASES);
    page.window.choose_files("input[name=weights]", &checkpoint.files());
    wait_for_model(&page, "model.safetensors");
    page.choose_sample("china");
    let converted = page.attribution();
    assert!(page.residual() < 1e-4, "sum check: {}", page.residual());
    let names = wait("the stored model", Duration::from_secs(30), || {
        Some(stored_packs(&page)).filter(|all| all.len() == 2)
    });
    assert!(names.contains(&"model.safetensors".to_owned()), "{names:?}");
    // 8 bits are the default. 16 bits take more memory and have a smaller error.
    let costs = storages(&page);
    let shown: Vec<_> = costs.iter().map(|(name, _, _, is_here)| (name.as_str(), *is_here)).collect();
    assert_eq!(shown, [("4 bits", false), ("8 bits", true), ("16 bits", false)]);
    // A model of two layers has only a first layer and a last half. Both stay in 8 bits.
    assert!(costs.is_sorted_by(|small, large| small.1 <= large.1 && small.2 >= large.2), "{costs:?}");
    assert!(costs[1].1 < costs[2].1 && costs[1].2 > costs[2].2, "{costs:?}");
    assert!(costs[1].2 > 0.0005 && costs[1].2 < 0.02, "the error of 8 bits is not near half of 1/127: {costs:?}");
    page.lose_network();
    page.load(TINY);
    page.wait_until_ready();
    page.window.click("#kept button[aria-label='Open model.safetensors']");
    wait_for_model(&page, "model.safetensors");
    page.choose_sample("china");
    let again = page.attribution();
    assert_eq!((again.phrases, again.heads), (converted.phrases, converted.heads), "the figures changed");
    assert_eq!(storages(&page), costs);
    // A removed model is gone, and the open model stays.
    page.window.click("#kept button[aria-label='Remove model.safetensors']");
    wait("a shorter list", Duration::from_secs(10), || (stored_packs(&page).len() == 1).then_some(()));
    let left = page.window.script(
        "return caches.open('headlamp-packs').then((cache) => cache.keys())
        .then((keys) => keys.filter((key) => key.url.includes('converted-here')).length)",
        &json!([]),
    );
    assert_eq!(left, 0);
    page.choose_sample("coffee");
    page.assert_quiet_console();
}
