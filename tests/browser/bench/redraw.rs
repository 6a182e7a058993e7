//! The time from a click until the page shows the result, on the default pack and the CPU.

use image::imageops::FilterType;
use serde_json::{Value, json};
use xtask::places;

use super::{ask, bench_site, median, milliseconds, open_bench};
use test_support::TemporaryFolder;

use crate::driver::{Graphics, wait};
use crate::page::Page;

/// Clicks of each kind. The first is not counted.
const CLICKS: usize = 10;
/// The allowed time of a redraw in seconds. The work outside the encoder may take at most this share of the
/// encoder's time.
const TARGET: f64 = 50e-3;
const SHARE: f64 = 0.15;

#[test]
#[ignore = "needs the set-up of `cargo xtask bench`"]
fn bench_redraw_page() {
    let scratch = TemporaryFolder::new("bench-redraw");
    let large = scratch.path().join("large.png");
    let sample = image::open(places::checkout().join("www/samples/chelsea.png")).unwrap();
    sample.resize_exact(4000, 2667, FilterType::Triangle).save(&large).unwrap();
    let page = Page::open("bench-redraw", Graphics::None, "?device=cpu");
    page.choose_sample("chelsea");
    println!("\n| photo | click on | shown | drawn, with the wait for a frame | within 50 ms |");
    println!("|---|---|---:|---:|---|");
    print_clicks(&page, "451 x 300");
    page.window.choose_file("input[type=file][name=photo]", &large);
    wait("the large photo", std::time::Duration::from_secs(120), || {
        page.photo().starts_with("large").then_some(())
    });
    page.settle();
    print_clicks(&page, "4000 x 2667");
}

fn print_clicks(page: &Page, photo: &str) {
    let phrases = "return [...document.querySelectorAll('li.phrase')].map((row) => row.dataset.phrase)";
    let phrases = page.window.script(phrases, &json!([]));
    let phrases: Vec<&str> = phrases.as_array().unwrap().iter().filter_map(Value::as_str).collect();
    page.choose_head(11, 0);
    show_layer(page, "Segmentation");
    page.choose_phrase(phrases[0]);
    print_kind(page, photo, "another phrase", "phrase", |click| {
        format!("li.phrase[data-phrase={:?}] button.choose", phrases[(click + 1) % phrases.len()])
    });
    print_kind(page, photo, "the head's switch", "ablation", |_click| "#switch-head".to_owned());
    show_layer(page, "Head map");
    print_kind(page, photo, "another head", "head", |click| {
        format!("button.head[data-layer='{}'][data-head='{}']", 10 - click / 6, click % 6)
    });
}

fn show_layer(page: &Page, label: &str) {
    let script = "[...document.querySelectorAll('input[name=layer]')]
        .find((input) => input.parentElement.textContent === arguments[0]).click()";
    page.window.script(script, &json!([label]));
    page.settle();
}

fn print_kind(page: &Page, photo: &str, what: &str, kind: &str, selector: impl Fn(usize) -> String) {
    const SCRIPT: &str = include_str!("../../../benches/browser/redraw.js");
    let clicks = (0..CLICKS).map(|click| {
        page.settle();
        page.window.script(SCRIPT, &json!([selector(click), kind]))
    });
    let clicks: Vec<Value> = clicks.skip(1).collect();
    let time = |name: &str| median(clicks.iter().map(|click| click[name].as_f64().unwrap() / 1e3).collect());
    let (shown, drawn) = (time("changed"), time("drawn"));
    let verdict = if shown <= TARGET { "yes" } else { "no" };
    println!("| {photo} | {what} | {} | {} | {verdict} |", milliseconds(shown), milliseconds(drawn));
}

/// The time that the worker takes for each request of a click, compared with its encoder.
#[test]
#[ignore = "needs the set-up of `cargo xtask bench`"]
fn bench_redraw_worker() {
    let serving = bench_site().serve(0).unwrap();
    let window = open_bench(&serving.url(), Graphics::None);
    let options = json!({ "pack": "/packs/default/", "photoUrl": "/samples/chelsea.png", "device": "cpu",
        "head": [11, 3], "phrases": crate::photos::PHRASES });
    let found = ask(&window, "questions", &options);
    let time = |name: &str| found[name].as_f64().unwrap_or_else(|| panic!("no {name} in {found}"));
    println!("\n| in the worker, on the CPU | | of the encoder |\n|---|---:|---:|");
    for (name, label) in [
        ("encoder", "encoder, ViT-S/14 at 224 px"),
        ("attribute", "10 phrases to all components"),
        ("ablate", "the same with a head switched off"),
        ("segment", "segmentation of a phrase"),
        ("headMap", "map of a head"),
        ("label", "TextSpan, one head, 10 texts"),
        ("labelAll", "TextSpan, all 72 heads"),
    ] {
        println!("| {label} | {} | {:.1} % |", milliseconds(time(name)), 100.0 * time(name) / time("encoder"));
    }
    let share = (time("attribute") + time("label")) / time("encoder");
    let verdict = if share <= SHARE { "within" } else { "beyond" };
    println!("\nDecomposition and a head's TextSpan: {:.1} %, {verdict} {:.0} %", 100.0 * share, 100.0 * SHARE);
}
