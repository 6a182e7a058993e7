//! A self-supervised model without texts: the page shows the attention of its heads, and offers nothing that needs
//! texts.

use std::time::Duration;

use serde_json::json;
use xtask::places;

use crate::driver::{Graphics, wait};
use crate::faults::{hang, restart_after_a_minute};
use crate::page::Page;

/// DINO's own layout in an old PyTorch file: two layers of two heads.
const WEIGHTS: &str = "tests/reference/fixtures/self_supervised/dino/dino_pretrain.pth";

/// Returns the pixels of the chosen head's map.
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
#[ignore = "needs the set-up of `cargo xtask test browser`"]
fn a_dino_file_shows_the_attention_of_its_heads() {
    let weights = places::checkout().join(WEIGHTS);
    let page = Page::open("dino", Graphics::None, "?device=cpu&pack=packs/tiny/");
    page.choose_sample("coffee");
    // Nothing gives the number of heads, because their width is 8 and not 64. The page asks, and the old model stays.
    page.window.choose_file("input[name=weights]", &weights);
    let message = page.wait_for_message();
    assert!(message.contains("heads"), "the message does not ask for the heads: {message:?}");
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
    assert!(page.photo().starts_with("coffee"), "the photo was lost: {}", page.photo());
    assert!(page.residual() < 1e-5, "sum check: {}", page.residual());
    let maps: Vec<String> = (0..2)
        .flat_map(|layer| (0..2).map(move |head| (layer, head)))
        .map(|(layer, head)| head_map(&page, layer, head))
        .collect();
    let different: std::collections::BTreeSet<&String> = maps.iter().collect();
    assert_eq!(different.len(), maps.len(), "two heads have the same map");
    let shown = "return ['form#add-phrase', 'input[name=map-kind]', '#lab', '.sources']
        .filter((part) => document.querySelector(part))";
    assert_eq!(page.window.script(shown, &json!([])), json!([]), "the page offers a feature that needs texts");
    page.choose_sample("china");
    assert_eq!(page.message(), "", "another photo gave an error message");
    // The model has no address. A restarted worker still opens it.
    hang(&page, "button.sample[data-sample=flower]");
    restart_after_a_minute(&page);
    wait("the photo before", Duration::from_secs(60), || page.photo().starts_with("china").then_some(()));
    page.settle();
    assert!(page.field("name").contains("dino_pretrain"), "{}", page.field("name"));
    assert!(page.residual() < 1e-5, "sum check: {}", page.residual());
    let chosen = "return !!document.querySelector('#head-panel[data-layer=\"1\"][data-head=\"1\"]')";
    assert_eq!(page.window.script(chosen, &json!([])), true, "another head is chosen");
    assert_eq!(page.message(), "");
    page.assert_quiet_console();
    page.window.picture("dino");
}

/// A pack with texts is opened after a pack without texts. Everything that needs texts returns.
#[test]
#[ignore = "needs the set-up of `cargo xtask test browser`"]
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
    page.choose_phrase(found.top());
    assert!((page.attribution().sum() - found.score(found.top())).abs() < 1e-4);
    assert_eq!(page.mask().foreground.len(), page.mask().width * page.mask().height);
}
