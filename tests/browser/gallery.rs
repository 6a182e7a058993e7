//! A gallery of the visitor's own pictures, read from the page.

use std::path::{Path, PathBuf};
use std::time::Duration;

use image::{Rgb, RgbImage};
use serde_json::{Value, json};
use test_support::TemporaryFolder;

use crate::driver::{Graphics, wait};
use crate::page::{Page, TINY};

const MINUTES: Duration = Duration::from_secs(180);

/// Generated pictures in a folder of the test.
pub struct Pictures(TemporaryFolder);

impl Pictures {
    /// Draws `count` different pictures of bars.
    pub fn new(name: &str, count: usize, side: u32) -> Self {
        let folder = TemporaryFolder::new(&format!("gallery-{name}"));
        for index in 0..count {
            let (period, hue) = (2 + index as u32 % 9, (index * 37) as u32);
            let pixel = |x: u32, y: u32| {
                let bar = (x + y * (index as u32 % 3)) / period % 2 * 140;
                Rgb([bar + hue % 110, hue / 3 % 250, 255 - bar - hue % 97].map(|value| value as u8))
            };
            RgbImage::from_fn(side, side, pixel).save(folder.path().join(format!("{index:04}.png"))).unwrap();
        }
        Self(folder)
    }

    /// Returns all files as one path for a file input that takes several.
    pub fn files(&self) -> PathBuf {
        let mut files: Vec<String> = std::fs::read_dir(self.0.path())
            .unwrap()
            .map(|entry| entry.unwrap().path().to_string_lossy().into_owned())
            .collect();
        files.sort();
        files.join("\n").into()
    }
}

pub fn add(page: &Page, files: &Path) {
    page.window.choose_file("#gallery input[name=gallery]", files);
}

pub fn count(page: &Page) -> u64 {
    let script = "return +document.querySelector('#gallery').dataset.pictures";
    page.window.script(script, &json!([])).as_u64().unwrap()
}

pub fn wait_for_count(page: &Page, wanted: u64) {
    wait(&format!("{wanted} pictures"), MINUTES, || (count(page) == wanted).then_some(()));
}

/// Returns the tiles on the page: index, score, and whether the thumbnail is loaded.
fn tiles(page: &Page) -> Vec<(u64, f64, bool)> {
    let script = "return [...document.querySelectorAll('.gallery-grid li')].map((tile) => [
        +tile.dataset.index,
        parseFloat((tile.querySelector('.score')?.textContent ?? '0').replace('−', '-')),
        (tile.querySelector('img')?.naturalWidth ?? 0) > 0])";
    let tiles = page.window.script(script, &json!([]));
    let tile = |tile: &Value| (tile[0].as_u64().unwrap(), tile[1].as_f64().unwrap(), tile[2].as_bool().unwrap());
    tiles.as_array().unwrap().iter().map(tile).collect()
}

fn choose(page: &Page, name: &str, label: &str) {
    let script = "[...document.querySelectorAll(`input[name=${arguments[0]}]`)]
        .find((input) => input.parentElement.textContent === arguments[1]).click()";
    page.window.script(script, &json!([name, label]));
    page.settle();
}

#[test]
#[ignore = "needs the set-up of `cargo xtask test browser`"]
fn a_gallery_is_stored_ordered_and_labels_heads() {
    let pictures = Pictures::new("kept", 60, 40);
    std::fs::write(pictures.0.path().join("broken.png"), b"\x89PNG\r\n\x1a\nnothing").unwrap();
    let page = Page::open("gallery", Graphics::None, TINY);
    page.set_phrases(&["bars", "a photo of a cat"]);
    page.choose_phrase("bars");
    add(&page, &pictures.files());
    wait_for_count(&page, 60);
    wait("the broken picture to be named", MINUTES, || {
        let script = "return document.querySelector('#left-out').textContent.includes('broken.png')";
        (page.window.script(script, &json!([])) == true).then_some(())
    });

    // A later visit finds the gallery, and traces none of its pictures again.
    page.load(TINY);
    page.wait_until_ready();
    wait_for_count(&page, 60);
    std::fs::remove_file(pictures.0.path().join("broken.png")).unwrap();
    add(&page, &pictures.files());
    page.settle();
    assert_eq!(count(&page), 60);
    assert!(page.window.script("return document.querySelector('#gallery-progress')", &json!([])).is_null());

    // No picture is more similar to a picture than the picture itself: by the whole model, by one head, by two
    // heads.
    page.choose_head(1, 1);
    page.window.click(".gallery-grid li[data-index='7'] button");
    wait("the picture to open as the photo", MINUTES, || page.photo().starts_with("0007").then_some(()));
    page.settle();
    choose(&page, "gallery-order", "By similarity to the photo");
    for through in ["Whole model", "The chosen head", "Some heads"] {
        choose(&page, "gallery-through", through);
        if through == "Some heads" {
            page.window.click("#count-head");
            page.choose_head(0, 1);
            page.settle();
            page.window.click("#count-head");
            page.settle();
        }
        let tiles = tiles(&page);
        assert_eq!(tiles[0].0, 7, "{through}: {tiles:?}");
        assert!((tiles[0].1 - 1.0).abs() < 2e-3, "{through}: {tiles:?}");
        assert!(tiles.is_sorted_by(|a, b| a.1 >= b.1), "{through}: {tiles:?}");
        assert!(tiles.iter().any(|tile| tile.1 < 0.999), "{through}: all pictures have the same similarity");
    }
    // By a text: the score equals the page's own score of the picture.
    choose(&page, "gallery-through", "Whole model");
    choose(&page, "gallery-order", "By score for the phrase");
    let score = page.attribution().score("bars");
    let shown = tiles(&page).into_iter().find(|tile| tile.0 == 7).expect("the picture is among the first tiles").1;
    assert!((shown - score).abs() < 2e-3, "{shown} {score}");

    // The labels from the gallery differ from the pack's.
    let before = page.choose_head(1, 0);
    page.window.click("#use-gallery");
    page.settle();
    let in_use = page.window.script("return document.querySelector('#statistics-in-use').textContent", &json!([]));
    assert_eq!(in_use, "In use: your gallery's 60 images.");
    let after = page.choose_head(1, 0);
    assert_ne!(before, after);
    page.window.click("#clear-gallery");
    page.window.click("#clear-gallery");
    wait_for_count(&page, 0);
    page.load(TINY);
    page.wait_until_ready();
    page.settle();
    assert_eq!(count(&page), 0, "a removed gallery came back");
    page.assert_quiet_console();
}

#[test]
#[ignore = "needs the set-up of `cargo xtask test browser`"]
fn every_picture_is_traced_once_despite_interruptions() {
    let (pictures, further) = (Pictures::new("once", 60, 300), Pictures::new("further", 40, 300));
    let page = Page::open("gallery-once", Graphics::None, TINY);
    let wait_for_all = || {
        wait("an empty queue", MINUTES, || {
            let script = "return document.querySelector('#gallery-progress')";
            page.window.script(script, &json!([])).is_null().then_some(())
        });
    };
    add(&page, &pictures.files());
    wait("the first picture", MINUTES, || (count(&page) > 0).then_some(()));
    // Started again before the current picture is finished.
    let script = "const press = async (id) => {
            document.querySelector(id)?.click();
            await new Promise((done) => setTimeout(done, 5));
        };
        return (async () => {
            for (let round = 0; round < 30; round++) {
                await press('#pause');
                await press('#go-on');
            }
        })();";
    page.window.script(script, &json!([]));
    wait_for_all();
    page.settle();
    assert_eq!(count(&page), 60);

    // The same folder is added again while the model loads. The page and the worker count the same pictures.
    page.load(TINY);
    add(&page, &pictures.files());
    wait_for_count(&page, 60);
    wait_for_all();
    page.settle();
    assert_eq!(count(&page), 60);
    page.load(TINY);
    wait_for_count(&page, 60);

    // All pictures are removed while one is being traced. Pictures that are added then are traced.
    page.wait_until_ready();
    add(&page, &further.files());
    wait("a further picture", MINUTES, || (count(&page) > 60).then_some(()));
    page.window.click("#clear-gallery");
    page.window.click("#clear-gallery");
    add(&page, &further.0.path().join("0003.png"));
    wait_for_count(&page, 1);
    wait_for_all();
    page.assert_quiet_console();
}

#[test]
#[ignore = "needs the set-up of `cargo xtask test browser`"]
fn scrolling_two_thousand_pictures_stays_smooth() {
    let pictures = Pictures::new("many", 2000, 24);
    let page = Page::open("gallery-many", Graphics::None, TINY);
    page.set_phrases(&["bars", "a photo of a cat"]);
    add(&page, &pictures.files());
    wait("the first pictures", MINUTES, || (count(&page) > 20).then_some(()));
    // The page responds while the gallery grows.
    page.choose_phrase("a photo of a cat");
    let first = count(&page);
    assert!(first < 2000, "the pictures were not traced in the background");
    page.window.click("#pause");
    page.settle();
    let paused = count(&page);
    std::thread::sleep(Duration::from_secs(1));
    assert_eq!(count(&page), paused, "paused");
    page.window.click("#go-on");
    wait_for_count(&page, 2000);
    page.settle();
    assert!(tiles(&page).len() < 150, "the page has more tiles than the visible ones: {}", tiles(&page).len());
    // There are more thumbnails than the page holds at once. All visible thumbnails are always loaded.
    let mut last = 0;
    for step in 1..=40 {
        let script = "document.querySelector('.gallery-grid').scrollTop = arguments[0]";
        page.window.script(script, &json!([step * 224]));
        last = wait("the visible thumbnails", MINUTES, || {
            let tiles = tiles(&page);
            let end = tiles.iter().map(|tile| tile.0).max()?;
            (end > last && tiles.iter().all(|tile| tile.2)).then_some(end)
        });
    }
    page.window.script("const grid = document.querySelector('.gallery-grid'); grid.scrollTop = 1e9", &json!([]));
    wait("the last thumbnails", MINUTES, || {
        let tiles = tiles(&page);
        let last = tiles.iter().find(|tile| tile.0 == 1999)?;
        (last.2 && tiles.len() < 150).then_some(())
    });
    choose(&page, "gallery-order", "By score for the phrase");
    let tiles = tiles(&page);
    assert!(tiles.is_sorted_by(|a, b| a.1 >= b.1) && !tiles.is_empty(), "{tiles:?}");
    page.assert_quiet_console();
}
