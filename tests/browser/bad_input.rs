//! Invalid input gives an error message, and nothing is lost.

use std::path::Path;

use test_support::TemporaryFolder;

use crate::driver::Graphics;
use crate::page::{Page, packs, site};

/// Asserts that a message is a sentence for people, without words of a program.
fn is_sentence(message: &str) {
    let words = message.split_whitespace().count();
    assert!((4..80).contains(&words), "{message:?}");
    for debris in ["Err(", "JsValue", "unwrap", "panicked", "undefined", "Error {", "[object"] {
        assert!(!message.contains(debris), "{message:?}");
    }
}

#[test]
#[ignore = "needs the set-up of `cargo xtask test browser`"]
fn a_text_file_named_png_keeps_the_photo() {
    let scratch = TemporaryFolder::new("bad-photo");
    let file = scratch.path().join("holiday.png");
    std::fs::write(&file, "Dear diary, this is no picture.\n").unwrap();
    let page = Page::open("bad-photo", Graphics::None, "?device=cpu&pack=packs/tiny/");
    page.choose_sample("flower");
    let before = page.attribution();
    page.window.choose_file("input[type=file][name=photo]", &file);
    let message = page.wait_for_message();
    is_sentence(&message);
    assert!(message.contains("holiday.png"), "the message does not name the file: {message:?}");
    page.settle();
    assert!(page.photo().starts_with("flower"), "{}", page.photo());
    assert_eq!(page.attribution().phrases, before.phrases);
    // The page still works.
    page.choose_sample("coffee");
    assert_eq!(page.message(), "", "a success must remove the old message");
}

#[test]
#[ignore = "needs the set-up of `cargo xtask test browser`"]
fn a_missing_pack_is_reported_as_missing() {
    let page = Page::open_unready("missing-pack", site(), Graphics::None, "?device=cpu&pack=packs/nowhere/");
    let message = page.wait_for_message();
    is_sentence(&message);
    assert!(message.contains("packs/nowhere"), "the message does not name the pack: {message:?}");
    assert_eq!(page.phase(), "failed");
}

#[test]
#[ignore = "needs the set-up of `cargo xtask test browser`"]
fn a_damaged_pack_is_refused_by_file_name() {
    let scratch = TemporaryFolder::new("bad-packs");
    let weights = "weights.safetensors";
    let whole = std::fs::read(packs().join("tiny").join(weights)).unwrap();
    let mut flipped = whole.clone();
    flipped[whole.len() * 3 / 4] ^= 0x40;
    for (name, bytes) in [("truncated", &whole[..whole.len() / 2]), ("flipped", &flipped)] {
        copy_pack(&packs().join("tiny"), &scratch.path().join(name));
        std::fs::write(scratch.path().join(name).join(weights), bytes).unwrap();
    }
    let site = site().mount("packs/bad", scratch.path());
    let page = Page::open_unready("damaged-pack", site, Graphics::None, "?device=cpu&pack=packs/bad/truncated/");
    for query in ["", "?device=cpu&pack=packs/bad/flipped/"] {
        if !query.is_empty() {
            page.load(query);
        }
        let message = page.wait_for_message();
        is_sentence(&message);
        assert!(message.contains(weights), "the message does not name the file: {message:?}");
        assert_eq!(page.phase(), "failed");
    }
}

fn copy_pack(from: &Path, to: &Path) {
    std::fs::create_dir_all(to).unwrap();
    for entry in std::fs::read_dir(from).unwrap() {
        let file = entry.unwrap().path();
        std::fs::copy(&file, to.join(file.file_name().unwrap())).unwrap();
    }
}
