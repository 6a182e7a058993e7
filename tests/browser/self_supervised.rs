//! A self-supervised model, which knows no texts: its heads' attention is shown, and nothing is asked of it that it
//! cannot answer.

use std::time::Duration;

use serde_json::json;
use xtask::places;

use crate::driver::{Graphics, wait};
use crate::faults::{hang, restart_after_a_minute};
use crate::page::Page;

/// DINO's own layout, as PyTorch's old files have it: two heads in each of two layers.
const WEIGHTS: &str = "tests/reference/fixtures/self_supervised/dino/dino_pretrain.pth";

/// The pixels of the chosen head's map.
fn head_map(page: &Page, layer: usize, head: usize) -> String {
    page.window.click(&format!("button.head[data-layer='{layer}'][data-head='{head}']"));
    wait("the head to be shown", Duration::from_secs(20), || {
        let panel = format!("#head-panel[data-layer='{layer}'][data-head='{head}']");
        let found = page.window.script("return !!document.querySelector(arguments[0])", &json!([panel]));
        (found == true).then_some(())
    });
    page.settle();
    assert!(page.head_map_colours() > 1);
    let pixels = "return document.querySelector('canvas.head-map').toDataURL()";
    page.window.script(pixels, &json!([])).as_str().unwrap_or_default().to_owned()
}

#[test]
#[ignore = "needs what `cargo xtask test browser` sets up"]
fn a_dino_file_shows_the_attention_of_its_heads() {
    let weights = places::checkout().join(WEIGHTS);
    let page = Page::open("dino", Graphics::None, "?device=cpu&pack=packs/tiny/");
    page.choose_sample("coffee");
    // Heads of 8 numbers are nobody's guess: the page asks, and the old model stays.
    page.window.choose_file("input[name=weights]", &weights);
    let message = page.wait_for_message();
    assert!(message.contains("heads"), "asks for the heads: {message:?}");
    let tell = "const input = document.querySelector('#load-model input[name=vision-heads]');
        input.value = '2';
        input.dispatchEvent(new Event('change', { bubbles: true }));";
    page.window.script(tell, &json!([]));
    page.window.choose_file("input[name=weights]", &weights);
    wait("the DINO to be open", Duration::from_secs(60), || {
        (page.field("name").contains("dino_pretrain") && page.phase() == "ready").then_some(())
    });
    page.settle();
    assert_eq!(page.message(), "", "no message");
    assert_eq!((page.field("layers"), page.field("width")), ("2".to_owned(), "16".to_owned()));
    assert!(page.photo().starts_with("coffee"), "the photo is still there: {}", page.photo());
    assert!(page.residual() < 1e-5, "sum check: {}", page.residual());
    let maps: Vec<String> = (0..2)
        .flat_map(|layer| (0..2).map(move |head| (layer, head)))
        .map(|(layer, head)| head_map(&page, layer, head))
        .collect();
    let different: std::collections::BTreeSet<&String> = maps.iter().collect();
    assert_eq!(different.len(), maps.len(), "each head looks elsewhere");
    let shown = "return ['form#add-phrase', 'input[name=map-kind]', '#lab', '.sources']
        .filter((part) => document.querySelector(part))";
    assert_eq!(page.window.script(shown, &json!([])), json!([]), "what needs texts is not offered");
    page.choose_sample("china");
    assert_eq!(page.message(), "", "and another photo is no trouble");
    // It has no address, and is what a restarted worker opens all the same.
    hang(&page, "button.sample[data-sample=flower]");
    restart_after_a_minute(&page);
    wait("the photo before", Duration::from_secs(60), || page.photo().starts_with("china").then_some(()));
    page.settle();
    assert!(page.field("name").contains("dino_pretrain"), "{}", page.field("name"));
    assert!(page.residual() < 1e-5, "sum check: {}", page.residual());
    let chosen = "return !!document.querySelector('#head-panel[data-layer=\"1\"][data-head=\"1\"]')";
    assert_eq!(page.window.script(chosen, &json!([])), true, "the head is still the chosen one");
    assert_eq!(page.message(), "");
    page.assert_quiet_console();
    page.window.picture("dino");
}

/// A pack with texts after one without: everything is back.
#[test]
#[ignore = "needs what `cargo xtask test browser` sets up"]
fn phrases_return_with_a_model_that_has_texts() {
    let page = Page::open("dino-and-back", Graphics::None, "?device=cpu&pack=packs/tiny/");
    let tell = "const input = document.querySelector('#load-model input[name=vision-heads]');
        input.value = '2';
        input.dispatchEvent(new Event('change', { bubbles: true }));";
    page.window.script(tell, &json!([]));
    page.window.choose_file("input[name=weights]", &places::checkout().join(WEIGHTS));
    wait("the DINO to be open", Duration::from_secs(60), || {
        (page.field("name").contains("dino_pretrain") && page.phase() == "ready").then_some(())
    });
    page.load("?device=cpu&pack=packs/tiny/");
    page.wait_until_ready();
    page.choose_sample("flower");
    let found = page.attribution();
    page.choose_phrase(&found.top().to_owned());
    assert!((page.attribution().sum() - found.score(found.top())).abs() < 1e-4);
    assert_eq!(page.mask().foreground.len(), page.mask().width * page.mask().height);
}
