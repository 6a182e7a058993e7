//! Switching parts off, and comparing phrases and photos, on the tiny pack, read from the page.

use std::time::Duration;

use serde_json::json;
use test_support::TemporaryFolder;

use crate::driver::{Graphics, wait};
use crate::faults::{gallery, pictures};
use crate::page::Page;

const SHORT: Duration = Duration::from_secs(60);

const PHRASES: [&str; 4] = ["a photo of a cat", "a rocket on its launch pad", "red", "many small round things"];

fn open(test: &'static str) -> Page {
    let page = Page::open(test, Graphics::None, "?device=cpu&pack=packs/tiny/");
    page.set_phrases(&PHRASES);
    page.choose_sample("china");
    page.choose_phrase(PHRASES[0]);
    page
}

fn close(a: f64, b: f64) -> bool {
    (a - b).abs() < 1e-5
}

#[test]
#[ignore = "needs the set-up of `cargo xtask test browser`"]
fn a_switched_off_head_contributes_its_mean() {
    let page = open("lab");
    let before = page.attribution();
    let score = before.score(PHRASES[0]);
    let (layer, head) = (before.heads.len() - 1, 1);
    page.choose_head(layer, head);
    page.settle();
    page.window.click("#switch-head");
    page.settle();
    let off = page.attribution();
    assert!(
        !close(off.heads[layer][head], before.heads[layer][head]),
        "the head's contribution did not become its mean's"
    );
    let moved = off.heads[layer][head] - before.heads[layer][head];
    assert!(
        close(off.score(PHRASES[0]), score + moved),
        "the score must change by the change of the head's contribution"
    );
    assert!(close(off.sum(), off.score(PHRASES[0])), "the contributions do not sum to the score");
    let heads = before.heads[0].len();
    for (number, (off, before)) in off.heads.concat().iter().zip(before.heads.concat()).enumerate() {
        let is_it = number == layer * heads + head;
        assert!(is_it || close(*off, before), "the contribution of head number {number} changed");
    }
    // A study replaces the parts that were off before. "All on" restores everything.
    page.window.click("#lab .studies button:nth-of-type(1)");
    page.settle();
    let study = page.attribution();
    assert!(close(study.heads[layer][head], before.heads[layer][head]), "the head is still off");
    assert!(study.mlps.iter().zip(&before.mlps).all(|(off, on)| !close(*off, *on)), "all MLPs are off");
    page.window.click("#all-on");
    page.settle();
    assert_eq!(page.attribution().score(PHRASES[0]), score);
    page.assert_quiet_console();
}

/// The means of switched-off heads come from the statistics in use.
#[test]
#[ignore = "needs the set-up of `cargo xtask test browser`"]
fn switched_off_heads_follow_the_statistics() {
    let scratch = TemporaryFolder::new("lab-statistics");
    let page = open("lab-statistics");
    let (layer, head) = (page.attribution().heads.len() - 1, 1);
    page.choose_head(layer, head);
    page.settle();
    page.window.click("#switch-head");
    page.settle();
    let before = page.attribution();
    page.window.choose_files("#gallery input[name=gallery]", &pictures(&scratch, 3));
    wait("the gallery", SHORT, || (gallery(&page) == 3).then_some(()));
    page.window.click("#use-gallery");
    wait("the gallery's statistics", SHORT, || {
        let script = "return document.querySelector('#statistics-in-use').textContent.includes('3 images')";
        (page.window.script(script, &json!([])) == true).then_some(())
    });
    page.settle();
    let after = page.attribution();
    assert!(
        !close(after.heads[layer][head], before.heads[layer][head]),
        "the mean did not change with the statistics"
    );
    let moved = after.heads[layer][head] - before.heads[layer][head];
    let scores = (after.score(PHRASES[0]), before.score(PHRASES[0]));
    assert!(close(scores.0, scores.1 + moved), "the score did not change with the mean: {scores:?} {moved}");
    page.assert_quiet_console();
}

#[test]
#[ignore = "needs the set-up of `cargo xtask test browser`"]
fn the_grid_shows_the_difference_of_two_phrases() {
    let page = open("contrast");
    let first = page.attribution();
    page.choose_phrase(PHRASES[2]);
    let other = page.attribution();
    page.choose_phrase(PHRASES[0]);
    choose_rival(&page, PHRASES[2]);
    let apart = page.attribution();
    assert!(
        close(apart.sum(), first.score(PHRASES[0]) - first.score(PHRASES[2])),
        "the contributions are not those of the difference"
    );
    for (apart, (first, other)) in
        apart.heads.concat().iter().zip(first.heads.concat().iter().zip(other.heads.concat()))
    {
        assert!(close(*apart, first - other), "{apart} {first} {other}");
    }
    choose_rival(&page, "");
    assert!(close(page.attribution().sum(), first.sum()));
    page.assert_quiet_console();
}

#[test]
#[ignore = "needs the set-up of `cargo xtask test browser`"]
fn the_grid_shows_the_difference_of_two_photos() {
    let page = open("pinned");
    let china = page.attribution();
    page.window.click("#pin");
    page.choose_sample("coffee");
    page.choose_phrase(PHRASES[0]);
    let apart = page.attribution();
    let coffee = apart.score(PHRASES[0]);
    assert!(close(apart.sum(), coffee - china.score(PHRASES[0])), "{} {coffee} {china:?}", apart.sum());
    page.window.click("#pin");
    page.settle();
    assert!(close(page.attribution().sum(), coffee), "the grid does not show the photo itself again");
    page.assert_quiet_console();
}

fn choose_rival(page: &Page, phrase: &str) {
    let script = "const select = document.querySelector('select[name=rather-than]');
        select.value = arguments[0];
        select.dispatchEvent(new Event('change', { bubbles: true }));";
    page.window.script(script, &json!([phrase]));
    page.settle();
}

#[test]
#[ignore = "needs the set-up of `cargo xtask test browser`"]
fn a_statistics_file_replaces_images() {
    let page = open("statistics");
    let says = "return document.querySelector('#statistics-in-use').textContent.includes(arguments[0])";
    let says = |text: &str| page.window.script(says, &json!([text])) == true;
    let files = crate::page::packs().join("tiny");
    page.window.choose_file("input[name=statistics]", &files.join("statistics.safetensors"));
    crate::driver::wait("the statistics", std::time::Duration::from_secs(60), || {
        says("statistics over 40 images").then_some(())
    });
    page.settle();
    assert!(!page.choose_head(0, 0).is_empty(), "heads have no labels from the file");
    assert_eq!(page.message(), "");
    // A file of another kind is refused, and the statistics in use stay.
    page.window.choose_file("input[name=statistics]", &files.join("pool.safetensors"));
    let message = page.wait_for_message();
    assert!(
        message.contains("headlamp stats"),
        "the message does not say which command makes the file: {message:?}"
    );
    assert!(says("statistics over 40 images"));
}
