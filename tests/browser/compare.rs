//! Two models side by side: the second has its own worker, and works on the photo and the phrases of the first.

use std::time::Duration;

use serde_json::{Value, json};

use test_support::small_clip::SmallClip;

use crate::driver::{Graphics, wait};
use crate::page::{Mask, Page, TINY, site};

const PATIENCE: Duration = Duration::from_secs(240);
const PHRASES: [&str; 3] = ["a photo of a cat", "red", "a dog"];
const BOTH: &str = "?device=cpu&pack=packs/tiny/&compare=default";

/// Opens the pack at an address beside the open model, as a person does.
pub fn open_pack_beside(page: &Page, address: &str) {
    page.window.click("#compare-models");
    let fill = "document.querySelector('input[name=pack-address]').value = arguments[0]";
    page.window.script(fill, &json!([address]));
    page.window.click("form.from-address button");
}

/// Waits until both models have scored all phrases, and nothing has changed for a while.
pub fn settle(page: &Page) {
    let script = "const at = document.querySelector('#comparison');
        if (!at || at.dataset.phase !== 'ready') return null;
        const rows = [...at.querySelectorAll('tbody tr')];
        const isScored = ({ dataset }) => dataset.firstScore !== undefined && dataset.secondScore !== undefined;
        if (rows.length === 0 || !rows.every(isScored)) return null;
        const stamps = [...at.querySelectorAll('canvas.mask')].map((mask) => mask.dataset.stamp ?? null);
        if (stamps.includes(null)) return null;
        return JSON.stringify([stamps, rows.map((row) => ({ ...row.dataset }))]);";
    page.settle();
    let mut last = (Value::Null, std::time::Instant::now());
    wait("both models", PATIENCE, || {
        let now = page.window.script(script, &json!([]));
        if now != last.0 {
            last = (now, std::time::Instant::now());
        }
        (!last.0.is_null() && last.1.elapsed() > Duration::from_millis(800)).then_some(())
    });
}

/// The figures of a phrase in one of the models.
#[derive(Debug)]
struct Figures {
    phrase: String,
    score: f64,
    probability: f64,
}

/// Returns the figures of a model (`first` or `second`), in the order of the table.
fn figures(page: &Page, side: &str) -> Vec<Figures> {
    let script = "return [...document.querySelectorAll('#comparison tbody tr')].map(({ dataset }) => [
        dataset.phrase, +dataset[`${arguments[0]}Score`], +dataset[`${arguments[0]}Probability`]])";
    let rows = page.window.script(script, &json!([side]));
    let rows: Vec<(String, f64, f64)> = serde_json::from_value(rows).unwrap();
    rows.into_iter().map(|(phrase, score, probability)| Figures { phrase, score, probability }).collect()
}

/// Returns which pixels of the photo's preview belong to the mask of a model.
fn mask(page: &Page, side: &str) -> Vec<bool> {
    let script = "const mask = document.querySelector(`figure[data-side=${arguments[0]}] canvas.mask`);
        const rgba = mask.getContext('2d').getImageData(0, 0, mask.width, mask.height).data;
        let bits = '';
        for (let i = 3; i < rgba.length; i += 4) bits += rgba[i] > 0 ? '1' : '0';
        return bits;";
    let bits = page.window.script(script, &json!([side]));
    bits.as_str().unwrap().bytes().map(|bit| bit == b'1').collect()
}

fn has(page: &Page, selector: &str) -> bool {
    page.window.script("return document.querySelector(arguments[0]) !== null", &json!([selector])) == true
}

fn text(page: &Page, selector: &str) -> String {
    let script = "return document.querySelector(arguments[0])?.textContent ?? ''";
    page.window.script(script, &json!([selector])).as_str().unwrap().to_owned()
}

fn assert_same_figures(found: &[Figures], expected: &[(String, f64, f64)]) {
    assert_eq!(found.len(), expected.len());
    for (found, (phrase, score, probability)) in found.iter().zip(expected) {
        assert_eq!(found.phrase, *phrase);
        assert!((found.score - score).abs() < 1e-5, "{phrase}: {} and {score}", found.score);
        assert!((found.probability - probability).abs() < 1e-4, "{phrase}: {}", found.probability);
    }
}

fn assert_same_mask(found: &[bool], Mask { foreground, .. }: &Mask) {
    assert_eq!(found.len(), foreground.len());
    let apart = found.iter().zip(foreground).filter(|(a, b)| a != b).count();
    assert!(apart * 1000 < foreground.len(), "{apart} pixels differ");
}

#[test]
#[ignore = "needs the set-up of `cargo xtask test browser`"]
fn each_model_gives_the_results_that_it_gives_alone() {
    let alone = Page::open("compare-alone", Graphics::None, "?device=cpu");
    alone.set_phrases(&PHRASES);
    alone.choose_sample("china");
    alone.choose_phrase(PHRASES[2]);
    let page = Page::open("compare", Graphics::None, TINY);
    page.set_phrases(&PHRASES);
    page.choose_sample("china");
    open_pack_beside(&page, "packs/default/");
    page.choose_phrase(PHRASES[2]);
    settle(&page);
    assert_same_figures(&figures(&page, "first"), &page.attribution().phrases);
    assert_same_figures(&figures(&page, "second"), &alone.attribution().phrases);
    assert_same_mask(&mask(&page, "first"), &page.mask());
    assert_same_mask(&mask(&page, "second"), &alone.mask());
    assert_eq!(page.field("layers"), "3", "the first model is still the open one");
    assert_eq!(page.message(), "");
    page.assert_quiet_console();
}

#[test]
#[ignore = "needs the set-up of `cargo xtask test browser`"]
fn each_change_goes_to_both_models() {
    let page = Page::open("compare-changes", Graphics::None, BOTH);
    page.set_phrases(&PHRASES);
    page.choose_sample("china");
    settle(&page);
    let (first, second) = (figures(&page, "first"), figures(&page, "second"));
    let differ = |before: &[Figures], now: &[Figures]| {
        assert!(before.iter().zip(now).any(|(a, b)| (a.score - b.score).abs() > 1e-4), "{before:?}, {now:?}");
    };
    page.choose_sample("coffee");
    settle(&page);
    let (of_coffee, second_of_coffee) = (figures(&page, "first"), figures(&page, "second"));
    differ(&first, &of_coffee);
    differ(&second, &second_of_coffee);
    page.window.click("#whole-photo");
    settle(&page);
    differ(&of_coffee, &figures(&page, "first"));
    differ(&second_of_coffee, &figures(&page, "second"));
    page.set_phrases(&["a cup of coffee", "a rocket"]);
    settle(&page);
    for side in ["first", "second"] {
        let found = figures(&page, side);
        assert_eq!(
            found.iter().map(|row| row.phrase.as_str()).collect::<Vec<_>>(),
            ["a cup of coffee", "a rocket"]
        );
        let sum: f64 = found.iter().map(|row| row.probability).sum();
        assert!((sum - 1.0).abs() < 1e-4, "{found:?}");
    }
    // Choosing a phrase in the table changes both segmentations.
    for phrase in ["a rocket", "a cup of coffee"] {
        page.window.click(&format!("#comparison tr[data-phrase='{phrase}'] button"));
        for side in ["first", "second"] {
            let says = format!("figure[data-side={side}] > p");
            wait("the other segmentation", PATIENCE, || text(&page, &says).contains(phrase).then_some(()));
        }
    }
    // The mask of the second model, too, is shown with the photo's edges or as the model sees it.
    settle(&page);
    let refined = mask(&page, "second");
    page.window.click("input[name=as-model-sees]");
    wait("the other edges", PATIENCE, || (mask(&page, "second") != refined).then_some(()));
    page.assert_quiet_console();
}

/// Returns the strongest heads of a model: "layer.head", value, name and first texts.
fn strongest_heads(page: &Page, side: &str) -> Vec<(String, f64, Option<String>, String)> {
    let script = "return [...document.querySelectorAll(`.strongest-heads[data-side=${arguments[0]}] li`)].map((row) =>
        [row.dataset.head, +row.dataset.value, row.dataset.name ?? null, row.querySelector('.texts').textContent])";
    serde_json::from_value(page.window.script(script, &json!([side]))).unwrap()
}

#[test]
#[ignore = "needs the set-up of `cargo xtask test browser`"]
fn the_strongest_heads_of_both_models_have_names() {
    let page = Page::open("compare-heads", Graphics::None, BOTH);
    page.set_phrases(&PHRASES);
    page.choose_sample("china");
    page.choose_phrase(PHRASES[0]);
    settle(&page);
    for side in ["first", "second"] {
        let heads = wait("the names", PATIENCE, || {
            let heads = strongest_heads(&page, side);
            heads.iter().all(|(_, _, name, _)| name.is_some()).then_some(heads)
        });
        assert_eq!(heads.len(), 5);
        assert!(heads.is_sorted_by(|a, b| a.1.abs() >= b.1.abs()), "{heads:?}");
        assert!(heads.iter().all(|(_, _, _, texts)| !texts.is_empty()), "{heads:?}");
    }
    for (head, value, ..) in strongest_heads(&page, "first") {
        let (layer, head) = head.split_once('.').unwrap();
        let cell = format!("button.head[data-layer='{layer}'][data-head='{head}']");
        let of_grid =
            page.window.script("return +document.querySelector(arguments[0]).dataset.value", &json!([cell]));
        let of_grid = of_grid.as_f64().unwrap();
        assert!((of_grid - value).abs() < 1e-6, "{layer}.{head}: {of_grid} and {value}");
    }
    page.assert_quiet_console();
}

#[test]
#[ignore = "needs the set-up of `cargo xtask test browser`"]
fn closing_ends_the_second_worker_only() {
    let page = Page::open("compare-closed", Graphics::None, BOTH);
    settle(&page);
    let address = || page.window.script("return location.search", &json!([])).as_str().unwrap().to_owned();
    assert!(address().contains("compare="), "{}", address());
    let count = "window.ended = 0;
        const end = Worker.prototype.terminate;
        Worker.prototype.terminate = function () { window.ended += 1; return end.call(this); };";
    page.window.script(count, &json!([]));
    page.window.click("#close-comparison");
    wait("the end of the comparison", Duration::from_secs(10), || (!has(&page, "#comparison")).then_some(()));
    assert_eq!(page.window.script("return window.ended", &json!([])), 1);
    page.choose_sample("coffee");
    assert!(page.residual() < 1e-4, "the first model must still work");
    wait("an address without the second model", Duration::from_secs(20), || {
        (!address().contains("compare=")).then_some(())
    });
    assert_eq!(page.message(), "");
    page.assert_quiet_console();
}

#[test]
#[ignore = "needs the set-up of `cargo xtask test browser`"]
fn a_second_model_without_room_is_refused() {
    let page = Page::open_unready("compare-room", site(), Graphics::None, "?device=cpu&pack=packs/none/");
    // A machine of 100 MB.
    let little = "Object.defineProperty(Navigator.prototype, 'deviceMemory', { get: () => 0.1 })";
    page.window.chrome("Page.addScriptToEvaluateOnNewDocument", &json!({ "source": little }));
    page.load(BOTH);
    page.wait_until_ready();
    let sentence =
        wait("the refusal", PATIENCE, || Some(text(&page, "#why-closed")).filter(|sentence| !sentence.is_empty()));
    assert!(sentence.contains("MB of memory") && sentence.contains("are left for a second model"), "{sentence}");
    page.choose_sample("coffee");
    assert!(page.residual() < 1e-4);
    page.window.click("#close-comparison");
    wait("the end of the message", Duration::from_secs(10), || (!has(&page, "#comparison")).then_some(()));
    assert_eq!(page.message(), "");
}

#[test]
#[ignore = "needs the set-up of `cargo xtask test browser`"]
fn a_second_worker_that_fails_takes_nothing_with_it() {
    let page = Page::open_unready("compare-crash", site(), Graphics::None, "?device=cpu&pack=packs/none/");
    let keep = "window.engines = [];
        window.Worker = class extends Worker {
            constructor(...how) { super(...how); window.engines.push(this); }
        };";
    page.window.chrome("Page.addScriptToEvaluateOnNewDocument", &json!({ "source": keep }));
    page.load(BOTH);
    page.wait_until_ready();
    settle(&page);
    let before = page.attribution();
    let fail = "engines.at(-1).dispatchEvent(new MessageEvent('messageerror')); return engines.length";
    assert_eq!(page.window.script(fail, &json!([])), 2, "one worker for each model");
    wait("the reason", Duration::from_secs(10), || {
        text(&page, "#why-closed").starts_with("The second model was closed.").then_some(())
    });
    assert_eq!(page.phase(), "ready");
    assert_eq!(page.message(), "");
    assert_eq!(page.attribution().phrases, before.phrases);
    page.window.click("#open-second-again");
    settle(&page);
    assert_eq!(text(&page, "#why-closed"), "");
}

#[test]
#[ignore = "needs the set-up of `cargo xtask test browser`"]
fn weights_from_the_disk_open_beside_the_open_model() {
    let checkpoint = SmallClip::new("compare-files");
    let page = Page::open("compare-files", Graphics::None, TINY);
    page.set_phrases(&PHRASES);
    page.choose_sample("china");
    let name = page.field("name");
    page.window.click("label:has(> input[name=destination]):nth-of-type(2)");
    page.window.choose_files("input[name=weights]", &checkpoint.files());
    settle(&page);
    assert!(text(&page, "figure[data-side=second] figcaption").contains("model.safetensors"));
    assert_eq!(page.field("name"), name, "the first model is still the open one");
    page.window.click("#share");
    let losses = text(&page, ".losses");
    assert!(losses.contains("The second model is stored only on your machine"), "{losses}");
    page.window.click("#share-dialog .heading button");
    // The next model opens in place of the first again.
    let replaces = "return document.querySelector('input[name=destination]').checked";
    assert_eq!(page.window.script(replaces, &json!([])), true);
    page.assert_quiet_console();
}
