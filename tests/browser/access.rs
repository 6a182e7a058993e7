//! axe-core finds no barrier in any view, in either theme.

use std::time::Duration;

use serde_json::{Value, json};
use xtask::places;

use crate::compare;
use crate::driver::{Graphics, wait};
use crate::gallery::{self, Pictures};
use crate::head_names;
use crate::page::{Page, TINY};

const PATIENCE: Duration = Duration::from_secs(240);

/// The page with axe-core loaded.
struct CheckedPage {
    page: Page,
    axe: String,
}

impl CheckedPage {
    fn open(test: &'static str) -> Self {
        Self::open_with(test, TINY)
    }

    fn open_with(test: &'static str, query: &str) -> Self {
        let axe = std::fs::read_to_string(places::axe()).expect("`cargo xtask test browser` installs axe-core");
        let page = Page::open(test, Graphics::None, query);
        Self { page, axe }
    }

    /// Checks the current view in both themes.
    fn assert_clean(&self, view: &str) {
        for scheme in ["light", "dark"] {
            let media = json!({ "features": [{ "name": "prefers-color-scheme", "value": scheme }] });
            self.page.window.chrome("Emulation.setEmulatedMedia", &media);
            // Colours fade from one theme to the other.
            std::thread::sleep(Duration::from_millis(300));
            let script = format!(
                "{}; return axe.run().then(({{ violations, passes }}) => ({{ passes: passes.length, violations: \
                 violations.map(({{ id, nodes }}) => [id, nodes.map(({{ html, failureSummary }}) => \
                 html + failureSummary)]) }}));",
                self.axe
            );
            let found = self.page.window.script(&script, &json!([]));
            assert_eq!(found["violations"], json!([]), "{view}, {scheme}: {:#}", found["violations"]);
            let passes = found["passes"].as_u64().unwrap();
            // While a dialog is open, axe checks only the dialog.
            assert!(passes > 12, "axe checked only {passes} rules");
            println!("axe: {view}, {scheme}: {passes} rules pass, none fails");
        }
    }

    fn click(&self, selector: &str) {
        self.page.window.click(selector);
    }
}

#[test]
#[ignore = "needs the set-up of `cargo xtask test browser`"]
fn axe_finds_nothing_in_the_photo_views() {
    let checked = CheckedPage::open("axe-photo");
    let page = &checked.page;
    page.choose_sample("china");
    checked.assert_clean("photo");
    page.choose_head(1, 1);
    checked.click("label:has(> input[name=layer]):nth-of-type(2)");
    checked.click("#switch-head");
    page.settle();
    checked.assert_clean("head and lab");
    checked.click("#pin");
    page.choose_sample("coffee");
    checked.assert_clean("contrast");
    page.window.script("for (const at of document.querySelectorAll('details')) at.open = true;", &json!([]));
    checked.click("#scores .heading button");
    checked.assert_clean("phrases as text, everything unfolded");
    checked.click("#help-button");
    checked.assert_clean("help");
    page.window.press("Escape", false);
    checked.click("#start-tour");
    for step in 1..=5 {
        page.settle();
        checked.assert_clean(&format!("tour, step {step}"));
        checked.click("#tour-next");
    }
    page.window.click("#compare-models");
    checked.assert_clean("the choice of a second model");
    compare::open_pack_beside(page, "packs/tiny/");
    compare::settle(page);
    checked.assert_clean("two models");
    checked.click("#close-comparison");
    checked.click("#photo-camera");
    wait("the camera", PATIENCE, || {
        (page.window.script("return document.querySelector('#camera-dialog').open", &json!([])) == true)
            .then_some(())
    });
    checked.assert_clean("camera");
}

#[test]
#[ignore = "needs the set-up of `cargo xtask test browser`"]
fn axe_finds_nothing_in_gallery_and_video() {
    let checked = CheckedPage::open("axe-gallery");
    let page = &checked.page;
    let pictures = Pictures::new("axe", 12, 40);
    gallery::add(page, &pictures.files());
    gallery::wait_for_count(page, 12);
    page.settle();
    checked.assert_clean("gallery");
    checked.click("fieldset:has(input[name=mode]) label:nth-of-type(2)");
    checked.assert_clean("video, none open");
    checked.click("#sample-clip");
    wait("frames", PATIENCE, || {
        let frames = page.window.script("return +document.querySelector('#player').dataset.frames", &json!([]));
        frames.as_u64().filter(|frames| *frames > 2)
    });
    for layer in ["Objects", "Attention", "Masks"] {
        let script = "[...document.querySelectorAll('label:has(input[name=video-layer])')]
            .find((label) => label.textContent === arguments[0]).click()";
        page.window.script(script, &json!([layer]));
        checked.assert_clean(&format!("video, {layer}"));
    }
}

#[test]
#[ignore = "needs the set-up of `cargo xtask test browser`"]
fn axe_finds_nothing_in_the_map_of_the_heads() {
    let checked = CheckedPage::open_with("axe-heads", "?device=cpu");
    let page = &checked.page;
    let pictures = Pictures::new("axe-heads", 10, 40);
    gallery::add(page, &pictures.files());
    gallery::wait_for_count(page, 10);
    head_names::wait_for_names(page);
    checked.assert_clean("names in the grid");
    head_names::open_largest_property(page);
    wait("the pictures that vary most", PATIENCE, || {
        let script = "return document.querySelectorAll('.outlying li').length > 0";
        (page.window.script(script, &json!([])) == true).then_some(())
    });
    page.window.script("document.querySelector('#what-heads-do details').open = true", &json!([]));
    checked.assert_clean("what the heads do");
    checked.click("#show-property");
    checked.click("#switch-property");
    page.settle();
    checked.assert_clean("a property on the photo, switched off");
}

/// Tab reaches the whole page in the order of the document, and the focus is always visible.
#[test]
#[ignore = "needs the set-up of `cargo xtask test browser`"]
fn the_keyboard_reaches_all_and_focus_is_visible() {
    let page = Page::open("tab", Graphics::None, TINY);
    page.window.script("document.body.focus(); scrollTo(0, 0)", &json!([]));
    let script = "const at = document.activeElement;
        const shown = at.closest('.choice, .button') ?? at;
        const style = getComputedStyle(shown);
        return { tag: at.tagName, id: at.id, name: at.name ?? '', text: at.textContent.trim().slice(0, 30),
            outline: style.outlineStyle !== 'none' && parseFloat(style.outlineWidth) > 0 };";
    let mut reached: Vec<Value> = Vec::new();
    for _tab in 0..150 {
        page.window.press("Tab", false);
        let at = page.window.script(script, &json!([]));
        if at["tag"] == "BODY" {
            break;
        }
        assert_eq!(at["outline"], true, "the focus is not visible on {at}");
        reached.push(at);
    }
    let has = |key: &str, value: &str| reached.iter().any(|at| at[key] == value);
    for id in ["help-button", "zoom", "whole-photo", "save-svg", "copy-markdown", "switch-head", "undo"] {
        // A disabled element takes no focus.
        let is_off = page.window.script("return !!document.getElementById(arguments[0]).disabled", &json!([id]));
        assert!(is_off == true || has("id", id), "Tab does not reach #{id}: {reached:?}");
    }
    for name in ["mode", "photo", "layer", "opacity", "phrase", "rather-than"] {
        assert!(has("name", name), "Tab does not reach {name}");
    }
    println!("{} stops", reached.len());
}
