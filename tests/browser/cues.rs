//! Spurious cues in a generated gallery with labels, read from the page.

use std::path::PathBuf;
use std::time::Duration;

use image::{Rgb, RgbImage};
use serde_json::{Value, json};
use test_support::TemporaryFolder;

use crate::driver::{Graphics, wait};
use crate::page::{Page, TINY};

const PICTURES: usize = 24;

/// Draws bars that are horizontal or vertical (the class). Vertical bars are mostly on red and horizontal bars
/// mostly on blue (the nuisance). Writes a table with these labels.
fn labelled_pictures(folder: &TemporaryFolder) -> (Vec<PathBuf>, PathBuf) {
    let mut table = "file,class,background\n".to_owned();
    let file = |index: usize| {
        let (stands, is_red) = (index % 2 == 1, (index % 2 == 1) != index.is_multiple_of(6));
        let name = format!("{index:02}.png");
        let pixel = |x: u32, y: u32| {
            let stripe = (if stands { x } else { y }) / (3 + index as u32 % 5);
            let bar = if stripe.is_multiple_of(2) { 120 } else { 0 };
            if is_red { Rgb([220, bar, 40]) } else { Rgb([40, bar, 220]) }
        };
        let path = folder.path().join(&name);
        RgbImage::from_fn(48, 48, pixel).save(&path).unwrap();
        table += &format!(
            "pictures/{name},{},{}\n",
            ["lying", "standing"][usize::from(stands)],
            ["blue", "red"][usize::from(is_red)]
        );
        path
    };
    let files = (0..PICTURES).map(file).collect();
    let labels = folder.path().join("labels.csv");
    std::fs::write(&labels, table).unwrap();
    (files, labels)
}

fn text(page: &Page, selector: &str) -> String {
    let script = "return document.querySelector(arguments[0])?.textContent ?? ''";
    page.window.script(script, &json!([selector])).as_str().unwrap().to_owned()
}

fn numbers(page: &Page, script: &str) -> Vec<f64> {
    let found = page.window.script(script, &json!([]));
    found.as_array().unwrap().iter().map(|value| value.as_f64().unwrap()).collect()
}

#[test]
#[ignore = "needs the set-up of `cargo xtask test browser`"]
fn heads_that_follow_a_nuisance_are_switched_off() {
    let folder = TemporaryFolder::new("cues");
    let (files, labels) = labelled_pictures(&folder);
    let page = Page::open("cues", Graphics::None, TINY);
    page.window.choose_files("#gallery input[name=gallery]", &files);
    wait("the gallery", Duration::from_secs(120), || {
        let script = "return +document.querySelector('#gallery').dataset.pictures";
        (page.window.script(script, &json!([])) == PICTURES as u64).then_some(())
    });
    page.window.click("#cues summary");

    let wrong = folder.path().join("wrong.csv");
    std::fs::write(&wrong, "picture,kind\n00.png,lying\n").unwrap();
    page.window.choose_file("#cues input[name=labels]", &wrong);
    wait("the refusal", Duration::from_secs(10), || {
        text(&page, "#cue-labels").contains("has 1 values").then_some(())
    });

    page.window.choose_file("#cues input[name=labels]", &labels);
    wait("the labels", Duration::from_secs(10), || text(&page, "#cue-labels").contains("24").then_some(()));
    assert!(
        text(&page, "#cue-labels").contains("lying or standing; blue or red"),
        "{}",
        text(&page, "#cue-labels")
    );
    page.window.click("#find-cues");
    wait("the report", Duration::from_secs(60), || {
        assert_eq!(page.message(), "");
        text(&page, "#cue-report").contains("Worst group").then_some(())
    });
    page.settle();
    let follows = numbers(
        &page,
        "return [...document.querySelectorAll('#cue-heads tbody tr td:nth-of-type(1)')]
        .map((cell) => parseFloat(cell.textContent.replace('−', '-')))",
    );
    assert!(
        follows.len() > 4 && follows.is_sorted_by(|a, b| a >= b),
        "the heads are not in the order of how much they follow the nuisance: {follows:?}"
    );
    let worst = numbers(
        &page,
        "return [...document.querySelectorAll('#cue-outcomes tr[data-worst]')]
        .map((row) => +row.dataset.worst)",
    );
    assert!(worst.len() == 4 && worst.iter().all(|worst| (0.0..=1.0).contains(worst)), "{worst:?}");
    let shown = text(&page, "#cue-outcomes tbody tr td");
    assert!(shown.starts_with(&format!("{:.1}", worst[0] * 100.0)), "{shown} {worst:?}");

    // One click in a row switches off the heads of the row.
    let before = page.attribution();
    page.window.click("#cue-outcomes tbody tr:nth-child(3) button");
    page.settle();
    let off = page.window.script("return document.querySelector('#lab').dataset.off", &json!([]));
    assert!(off.as_str().unwrap().contains("all MLPs"), "{off}");
    assert_ne!(page.attribution().mlps, before.mlps);
    let pressed = page.window.script(
        "return document.querySelector('#cue-outcomes tbody tr:nth-child(3) button').ariaPressed",
        &json!([]),
    );
    assert_eq!(pressed, Value::from("true"));
    the_heads_texts_are_measured_over_it(&page);
    page.assert_quiet_console();
}

/// Checks the completeness curve over the labelled gallery.
fn the_heads_texts_are_measured_over_it(page: &Page) {
    page.window.click("#completeness summary");
    page.window.click("#measure-completeness");
    wait("the curve", Duration::from_secs(60), || {
        let script = "return +document.querySelector('#completeness-curve')?.dataset.pictures";
        (page.window.script(script, &json!([])) == PICTURES as u64).then_some(())
    });
    let column = |name: &str| {
        let script = format!(
            "return [...document.querySelectorAll('#completeness-curve tr[data-{name}]')]
            .map((row) => +row.dataset.{name})"
        );
        numbers(page, &script)
    };
    let (explained, same, right) = (column("explained"), column("same"), column("right"));
    assert!(explained.is_sorted() && explained[0] == 0.0 && *explained.last().unwrap() > 0.3, "{explained:?}");
    // There are two more rows: the whole model, and the late heads without reconstruction.
    assert_eq!((same.len(), right.len()), (explained.len() + 2, explained.len() + 2));
    assert_eq!(same[0], 1.0, "the whole model must agree with itself");
    assert!(right.iter().all(|share| (0.0..=1.0).contains(share)), "{right:?}");
}
