//! The address bar and the screen always agree, and the page makes links to share.

use std::time::Duration;

use headlamp::geometry::Size;
use serde_json::json;
use test_support::TemporaryFolder;

use crate::driver::{Graphics, wait};
use crate::page::Page;

const TINY: &str = "device=cpu&pack=packs/tiny/";

/// The state that an address describes, as the page shows it.
#[derive(Clone, Debug, PartialEq)]
struct ShownView {
    photo: String,
    phrases: Vec<String>,
    chosen: String,
    head: String,
    threshold: String,
    layer: String,
    off: String,
    is_whole: bool,
}

fn shown(page: &Page) -> ShownView {
    let script = "const at = (selector) => document.querySelector(selector);
        const { layer, head } = at('#head-panel').dataset;
        return {
            phrases: [...document.querySelectorAll('li.phrase')].map((row) => row.dataset.phrase),
            chosen: at('li.phrase[aria-current]')?.dataset.phrase ?? '',
            head: `${layer}.${head}`,
            threshold: at('[name=threshold]')?.value ?? '',
            layer: at('[name=layer]:checked').parentElement.textContent,
            off: at('#lab').dataset.off,
            whole: at('#whole-photo').getAttribute('aria-pressed') === 'true',
        };";
    let found = page.window.script(script, &json!([]));
    let text = |name: &str| found[name].as_str().unwrap().to_owned();
    ShownView {
        photo: page.photo(),
        phrases: serde_json::from_value(found["phrases"].clone()).unwrap(),
        chosen: text("chosen"),
        head: text("head"),
        threshold: text("threshold"),
        layer: text("layer"),
        off: text("off"),
        is_whole: found["whole"] == true,
    }
}

fn address(page: &Page) -> String {
    page.window.script("return location.search", &json!([])).as_str().unwrap().to_owned()
}

fn entries(page: &Page) -> u64 {
    page.window.script("return history.length", &json!([])).as_u64().unwrap()
}

/// Waits until the page has written the address. The page writes it a moment after all work is finished.
fn settle(page: &Page) {
    page.settle();
    let mut last = address(page);
    wait("the address to stop changing", Duration::from_secs(20), || {
        std::thread::sleep(Duration::from_millis(500));
        let now = address(page);
        let rests = now == last;
        last = now;
        rests.then_some(())
    });
}

fn travel(page: &Page, by: i32) {
    page.window.script("history.go(arguments[0])", &json!([by]));
    // The event comes a moment later.
    std::thread::sleep(Duration::from_millis(300));
    settle(page);
}

#[test]
#[ignore = "needs the set-up of `cargo xtask test browser`"]
fn an_address_restores_the_whole_view() {
    let query = format!(
        "?{TINY}&image=samples/china.jpg&text=cat&text=a+dog&text=50+%25&phrase=a+dog&head=2.1&threshold=0.4\
         &off=0.*,m0,z0&layer=head&whole=1"
    );
    let page = Page::open("address", Graphics::None, &query);
    settle(&page);
    let opened = shown(&page);
    assert_eq!(opened.photo, "china.jpg");
    assert_eq!(opened.phrases, ["cat", "a dog", "50 %"]);
    assert_eq!((opened.chosen.as_str(), opened.head.as_str()), ("a dog", "2.1"));
    assert_eq!((opened.layer.as_str(), opened.is_whole), ("Head map", true));
    assert_eq!(opened.off, "3 heads, 1 MLP, the embedding");
    assert_eq!(page.message(), "");
    // The address that the page wrote restores the same state in a browser with an empty profile.
    let written = address(&page);
    let other = Page::open("address-again", Graphics::None, &written);
    settle(&other);
    assert_eq!(shown(&other), opened);
    assert_eq!(other.attribution().phrases, page.attribution().phrases);
    // The phrases of a link do not become the visitor's own phrases.
    other.load(&format!("?{TINY}"));
    other.wait_until_ready();
    other.settle();
    assert_eq!(shown(&other).phrases.len(), 10, "the examples");
    page.assert_quiet_console();
}

#[test]
#[ignore = "needs the set-up of `cargo xtask test browser`"]
fn back_and_forward_restore_earlier_views() {
    let page = Page::open("history", Graphics::None, &format!("?{TINY}&text=cat&text=a+dog&phrase=cat"));
    settle(&page);
    let mut steps = vec![shown(&page)];
    let first = entries(&page);
    let mut step = |what: &str, page: &Page| {
        settle(page);
        assert_eq!(entries(page), first + steps.len() as u64, "{what} did not add one entry to the history");
        steps.push(shown(page));
    };
    page.choose_sample("coffee");
    step("a photo", &page);
    page.choose_head(0, 2);
    step("a head", &page);
    page.choose_phrase("a dog");
    step("a phrase", &page);
    for (index, expected) in steps.iter().enumerate().rev().skip(1) {
        travel(&page, -1);
        assert_eq!(shown(&page), *expected, "Back did not restore step {index}");
    }
    travel(&page, steps.len() as i32 - 1);
    assert_eq!(shown(&page), steps[steps.len() - 1]);
    // A slider replaces the history entry, and Back still leads to the entry before.
    let script = "const slider = document.querySelector('[name=threshold]');
        slider.value = arguments[0];
        slider.dispatchEvent(new Event('input', { bubbles: true }));";
    for value in ["0.3", "0.5", "0.7"] {
        page.window.script(script, &json!([value]));
    }
    settle(&page);
    assert!(address(&page).contains("threshold=0.7"), "{}", address(&page));
    assert_eq!(entries(&page), first + steps.len() as u64 - 1);
    travel(&page, -1);
    assert_eq!(shown(&page), steps[steps.len() - 2]);
    travel(&page, 1);
    assert_eq!(shown(&page).threshold, "0.7");
    // Back is pressed before the model of a reloaded page is ready.
    page.window.refresh();
    wait("the page to live", Duration::from_secs(60), || {
        let leave = "return document.querySelector('#share') !== null && (history.go(-2), true)";
        (page.window.script(leave, &json!([])) == true).then_some(())
    });
    std::thread::sleep(Duration::from_millis(300));
    settle(&page);
    assert_eq!(shown(&page), steps[steps.len() - 3]);
    page.assert_quiet_console();
}

#[test]
#[ignore = "needs the set-up of `cargo xtask test browser`"]
fn a_long_phrase_list_survives_back_and_inner_links() {
    let page = Page::open("long-list", Graphics::None, &format!("?{TINY}"));
    let many: Vec<String> = (0..300).map(|index| format!("a photo of thing number {index}")).collect();
    page.set_phrases(&many.iter().map(String::as_str).collect::<Vec<_>>());
    settle(&page);
    assert!(!address(&page).contains("text="), "{}", address(&page));
    page.choose_head(0, 2);
    settle(&page);
    page.choose_head(1, 1);
    settle(&page);
    page.window.script("document.querySelector('#head-panel a[href=\"#model-panel\"]').click()", &json!([]));
    settle(&page);
    let assert_at = |head: &str| {
        let shown = shown(&page);
        assert_eq!(shown.head, head);
        assert_eq!(shown.phrases, many, "at {head}");
    };
    assert_at("1.1");
    for head in ["1.1", "0.2"] {
        travel(&page, -1);
        assert_at(head);
    }
    page.load(&format!("?{TINY}"));
    page.wait_until_ready();
    page.settle();
    assert_eq!(shown(&page).phrases, many, "the phrases of the visitor were lost");
    page.assert_quiet_console();
}

#[test]
#[ignore = "needs the set-up of `cargo xtask test browser`"]
fn a_local_photo_returns_but_is_in_no_link() {
    let page = Page::open("own-photo", Graphics::None, &format!("?{TINY}&text=cat&phrase=cat"));
    settle(&page);
    let scratch = TemporaryFolder::new("own-photo");
    let file = scratch.path().join("mine.png");
    std::fs::write(&file, headlamp::media::grey_png(Size { width: 64, height: 48 }, &[128; 64 * 48]).unwrap())
        .unwrap();
    page.window.choose_file("input[type=file][name=photo]", &file);
    wait("the photo", Duration::from_secs(60), || (page.photo() == "mine.png").then_some(()));
    settle(&page);
    assert!(!address(&page).contains("image="), "{}", address(&page));
    let link = link(&page);
    assert!(!link.contains("mine") && link.contains("text=cat"), "{link}");
    let losses = page.window.script("return document.querySelector('.losses').textContent", &json!([]));
    assert!(losses.as_str().unwrap().contains("The photo is from your machine and stays there"), "{losses}");
    page.window.click("#share-dialog .heading button");
    page.choose_sample("coffee");
    settle(&page);
    travel(&page, -1);
    assert_eq!(page.photo(), "mine.png");
    // After a reload the page no longer has the photo, and does not show another photo in its place.
    travel(&page, 1);
    page.window.refresh();
    page.wait_until_ready();
    settle(&page);
    let other = scratch.path().join("other.png");
    std::fs::copy(&file, &other).unwrap();
    page.window.choose_file("input[type=file][name=photo]", &other);
    wait("the other photo", Duration::from_secs(60), || (page.photo() == "other.png").then_some(()));
    settle(&page);
    travel(&page, -2);
    let message = page.wait_for_message();
    assert!(message.contains("came from your machine, and the page does not have it any more"), "{message}");
    assert_eq!(page.photo(), "other.png");
    page.assert_quiet_console();
}

/// Opens the dialog, and returns the link to share.
fn link(page: &Page) -> String {
    page.window.click("#share");
    let link = page.window.script("return document.querySelector('#share-link').value", &json!([]));
    link.as_str().unwrap().to_owned()
}

#[test]
#[ignore = "needs the set-up of `cargo xtask test browser`"]
fn the_share_dialog_copies_a_complete_link() {
    let page = Page::open("share", Graphics::None, &format!("?{TINY}"));
    page.choose_sample("rocket");
    page.choose_head(1, 2);
    settle(&page);
    let opened = shown(&page);
    let link = link(&page);
    let is_modal = "return document.querySelector('#share-dialog').matches(':modal')";
    assert_eq!(page.window.script(is_modal, &json!([])), true);
    page.window.click("#copy-link");
    let copied = "return document.querySelector('#copy-link + [role=status]').textContent";
    wait("the copy", Duration::from_secs(10), || {
        let says = page.window.script(copied, &json!([]));
        ["Copied.", "Selected: press Ctrl+C, or ⌘C."].iter().any(|expected| says == *expected).then_some(())
    });
    let code = page.window.script("return document.querySelector('#share-embed').value", &json!([]));
    let code = code.as_str().unwrap();
    assert!(code.starts_with("<iframe src=\"http://") && code.contains("?embed=1&amp;"), "{code}");
    let other = Page::open("shared", Graphics::None, &link[link.find('?').unwrap()..]);
    settle(&other);
    assert_eq!(shown(&other), opened);
    page.assert_quiet_console();
}

#[test]
#[ignore = "needs the set-up of `cargo xtask test browser`"]
fn invalid_parts_of_an_address_are_reported() {
    for (query, sentence) in [
        ("head=11.3", "The address asks for head 11.3. This model has 3 layers of 3 heads"),
        ("off=m99", "this model does not have those parts"),
        ("threshold=7", "it should be a number from 0 to 1"),
        ("image=samples/nowhere.png", "nowhere.png is not on the server"),
    ] {
        let page = Page::open("unheard", Graphics::None, &format!("?{TINY}&{query}"));
        let message = page.wait_for_message();
        assert!(message.contains(sentence), "{query}: {message:?}");
    }
}
