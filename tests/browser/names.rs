//! The names of the heads: in the model panel and in the exports, while the page stays responsive.

use std::time::{Duration, Instant};

use serde_json::{Value, json};
use test_support::TemporaryFolder;

use crate::driver::{Graphics, wait};
use crate::page::{PATIENCE, Page};

impl Page {
    /// Returns the field of the model panel with the number of named heads; `None` until the names are known.
    fn named_heads(&self) -> Option<u64> {
        let script = "return document.querySelector('#model-panel [data-field=named-heads]')?.dataset.value";
        self.window.script(script, &json!([])).as_str().and_then(|value| value.parse().ok())
    }

    fn wait_for_names(&self) -> u64 {
        wait("the names of the heads", PATIENCE, || self.named_heads())
    }
}

/// The default model's trained roles appear as names. The saved file agrees with the panel.
#[test]
#[ignore = "needs the set-up of `cargo xtask test browser`"]
fn the_model_panel_and_the_exports_have_the_names() {
    let page = Page::open("names", Graphics::None, "?device=cpu");
    let named = page.wait_for_names();
    assert!((18..=26).contains(&named), "{named} heads have a name");
    let (consistency, entanglement) = (page.field("consistency"), page.field("entanglement"));
    assert!((0.6..=1.0).contains(&consistency.parse::<f64>().unwrap()), "{consistency}");
    assert!((0.01..=0.5).contains(&entanglement.parse::<f64>().unwrap()), "{entanglement}");
    page.settle();
    let saved: Value = serde_json::from_slice(&page.save("#save-json")).unwrap();
    assert_eq!(saved["names"]["named"], named);
    assert_eq!(saved["names"]["heads"][11][0]["name"], "dog");
    let labels = String::from_utf8(page.save("#export-labels")).unwrap();
    assert!(labels.contains("## Layer 11, head 0: dog"), "{labels}");
    page.assert_quiet_console();
}

/// Naming takes seconds. A head that the person chooses meanwhile gets its texts at once.
#[test]
#[ignore = "needs the set-up of `cargo xtask test browser`"]
fn a_click_is_answered_while_heads_are_named() {
    let page = Page::open("names-click", Graphics::None, "?device=cpu");
    let mut slowest = Duration::ZERO;
    for (layer, head) in [(0, 0), (3, 4), (6, 2), (1, 5)] {
        let start = Instant::now();
        assert!(!page.choose_head(layer, head).is_empty());
        slowest = slowest.max(start.elapsed());
    }
    println!("the slowest head took {slowest:?}");
    assert!(slowest < Duration::from_secs(5), "a head took {slowest:?}");
    page.wait_for_names();
}

/// A person's own texts may have properties. A line that makes no sense is named, and the texts in use stay.
#[test]
#[ignore = "needs the set-up of `cargo xtask test browser`"]
fn own_texts_may_have_properties() {
    let page = Page::open("names-own-pool", Graphics::None, "?device=cpu&pack=packs/tiny/");
    let folder = TemporaryFolder::new("names-own-pool");
    let pool = folder.path().join("own.tsv");
    page.wait_for_names();
    std::fs::write(&pool, "a red wall\tcolour\na cat\tanimal\tpet\n").unwrap();
    page.window.choose_file("input[name=pool-file]", &pool);
    assert!(page.wait_for_message().contains("line 2 has two TABs"), "{}", page.message());
    assert!(page.named_heads().is_some(), "the names are gone");
    std::fs::write(&pool, "a red wall\na blue wall\na cat\n").unwrap();
    page.window.choose_file("input[name=pool-file]", &pool);
    wait("a pool without properties", PATIENCE, || page.named_heads().is_none().then_some(()));
    std::fs::write(&pool, "a red wall\tcolour\na blue wall\tcolour\na cat\tanimal\na dog\n").unwrap();
    page.window.choose_file("input[name=pool-file]", &pool);
    assert_eq!(page.wait_for_names(), 0, "three texts cannot stand out");
}
