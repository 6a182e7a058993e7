//! Usual interactions: keys, undo, zoom, the camera, saving results, dropping and pasting photos.

use std::time::Duration;

use serde_json::{Value, json};

use crate::driver::{Graphics, wait};
use crate::page::{Page, TINY};

const SHORT: Duration = Duration::from_secs(20);

impl Page {
    fn focused(&self) -> Value {
        let script = "const at = document.activeElement; return [at.tagName, at.name ?? '', at.id]";
        self.window.script(script, &json!([]))
    }

    /// Returns the text that lists the switched-off parts.
    fn off(&self) -> String {
        let script = "return document.querySelector('#lab').dataset.off";
        self.window.script(script, &json!([])).as_str().unwrap_or_default().to_owned()
    }

    fn zoom(&self) -> f64 {
        let script = "return +document.querySelector('#zoom').dataset.scale";
        self.window.script(script, &json!([])).as_f64().unwrap()
    }

    fn wait_for_zoom(&self, what: &str, is_right: impl Fn(f64) -> bool) {
        wait(what, SHORT, || is_right(self.zoom()).then_some(()));
    }

    fn blur(&self) {
        self.window.script("document.activeElement.blur()", &json!([]));
    }
}

#[test]
#[ignore = "needs the set-up of `cargo xtask test browser`"]
fn keys_open_phrases_help_and_move_in_the_grid() {
    let page = Page::open("keys", Graphics::None, TINY);
    page.blur();
    page.window.press("/", false);
    assert_eq!(page.focused(), json!(["INPUT", "phrase", ""]));
    page.window.press("?", false);
    page.window.press("/", false);
    let typed = page.window.script("return document.activeElement.value", &json!([]));
    assert_eq!(typed, "?/", "a key in a text field must type its character");
    page.blur();
    page.window.press("?", false);
    let is_open = "return document.querySelector('#help').open";
    let is_open = || page.window.script(is_open, &json!([])) == true;
    wait("the help", SHORT, || is_open().then_some(()));
    page.window.press("/", false);
    assert!(is_open(), "the page's keys must not work while the dialog is open");
    page.window.press("Escape", false);
    wait("the help's end", SHORT, || (!is_open()).then_some(()));

    // Moves through the grid, and switches a head off by a key.
    page.window
        .script("document.querySelector('button.head[data-layer=\"1\"][data-head=\"0\"]').focus()", &json!([]));
    page.window.press("ArrowRight", false);
    page.window.press("ArrowUp", false);
    let at = page
        .window
        .script("const { layer, head } = document.activeElement.dataset; return [layer, head]", &json!([]));
    assert_eq!(at, json!(["2", "1"]));
    page.window.press("x", false);
    page.settle();
    assert_eq!(page.off(), "1 head");
    page.assert_quiet_console();
}

#[test]
#[ignore = "needs the set-up of `cargo xtask test browser`"]
fn switching_off_can_be_undone_and_redone() {
    let page = Page::open("undo", Graphics::None, TINY);
    let intact = page.attribution();
    page.window.click("#lab .studies button:nth-of-type(1)");
    page.settle();
    page.choose_head(0, 1);
    page.window.click("#switch-head");
    page.settle();
    let both = page.off();
    assert_eq!(both, "1 head, all MLPs");
    page.blur();
    page.window.press("z", true);
    page.settle();
    assert_eq!(page.off(), "all MLPs");
    page.window.click("#undo");
    page.settle();
    assert_eq!(page.off(), "");
    assert_eq!(page.attribution().heads, intact.heads, "undo did not restore every figure");
    let is_disabled = page.window.script("return document.querySelector('#undo').disabled", &json!([]));
    assert_eq!(is_disabled, true, "nothing is left to undo, so the button must be disabled");
    page.window.press("y", true);
    page.window.press("y", true);
    page.settle();
    assert_eq!(page.off(), both);
    page.assert_quiet_console();
}

#[test]
#[ignore = "needs the set-up of `cargo xtask test browser`"]
fn the_photo_is_zoomed_by_keys_wheel_mouse_and_fingers() {
    let page = Page::open("zoom", Graphics::None, TINY);
    page.window.script("document.querySelector('#zoom').scrollIntoView({ block: 'center' })", &json!([]));
    let rect = "const at = document.querySelector('#zoom').getBoundingClientRect(); return [at.x, at.y, at.width, at.height]";
    let rect = page.window.script(rect, &json!([]));
    let at = |x: f64, y: f64| {
        let side = |index: usize| rect[index].as_f64().unwrap();
        (side(0) + x * side(2), side(1) + y * side(3))
    };
    // The wheel scrolls the page. With Ctrl it zooms the photo.
    let wheel = |modifiers: u32| {
        let (x, y) = at(0.25, 0.25);
        let event =
            json!({ "type": "mouseWheel", "x": x, "y": y, "deltaX": 0, "deltaY": -120, "modifiers": modifiers });
        page.window.chrome("Input.dispatchMouseEvent", &event);
    };
    wheel(2);
    page.wait_for_zoom("a closer look", |zoom| zoom > 1.2);
    let content = "return document.querySelector('.zoom-content').style.transform";
    let before = page.window.script(content, &json!([]));
    let mouse = |kind: &str, (x, y): (f64, f64)| {
        let event = json!({ "type": kind, "x": x, "y": y, "button": "left", "buttons": 1, "clickCount": 1 });
        page.window.chrome("Input.dispatchMouseEvent", &event);
    };
    mouse("mousePressed", at(0.5, 0.5));
    mouse("mouseMoved", at(0.4, 0.4));
    mouse("mouseReleased", at(0.4, 0.4));
    assert_ne!(page.window.script(content, &json!([])), before, "the photo must follow the mouse");
    page.window.click("#zoom-reset");
    page.wait_for_zoom("the whole", |zoom| zoom == 1.0);
    // Keys work once the photo has the focus.
    page.window.script("document.querySelector('#zoom').focus()", &json!([]));
    page.window.press("+", false);
    page.wait_for_zoom("a step in", |zoom| (zoom - 1.5).abs() < 1e-3);
    page.window.press("ArrowRight", false);
    page.window.press("0", false);
    page.wait_for_zoom("the whole again", |zoom| zoom == 1.0);
    // Two fingers move to twice their distance.
    page.window.chrome("Emulation.setTouchEmulationEnabled", &json!({ "enabled": true, "maxTouchPoints": 2 }));
    let touch = |kind: &str, places: &[(f64, f64)]| {
        let points: Vec<_> =
            places.iter().enumerate().map(|(id, (x, y))| json!({ "x": x, "y": y, "id": id })).collect();
        page.window.chrome("Input.dispatchTouchEvent", &json!({ "type": kind, "touchPoints": points }));
    };
    touch("touchStart", &[at(0.4, 0.5), at(0.6, 0.5)]);
    for step in 1..=5 {
        let out = 0.02 * f64::from(step);
        touch("touchMove", &[at(0.4 - out, 0.5), at(0.6 + out, 0.5)]);
    }
    touch("touchEnd", &[]);
    page.wait_for_zoom("twice as close", |zoom| (1.7..2.3).contains(&zoom));
    // Another photo is shown unzoomed.
    page.choose_sample("coffee");
    assert_eq!(page.zoom(), 1.0);
    page.assert_quiet_console();
}

#[test]
#[ignore = "needs the set-up of `cargo xtask test browser`"]
fn results_are_saved_as_pictures_figures_and_notes() {
    let page = Page::open("exports", Graphics::None, TINY);
    page.choose_sample("china");
    let shown = page.attribution();
    let chosen =
        page.window.script("return document.querySelector('.phrase[aria-current]').dataset.phrase", &json!([]));
    let chosen = chosen.as_str().unwrap();

    let document: Value = serde_json::from_slice(&page.save("#save-json")).unwrap();
    assert_eq!(document["photo"]["name"], "china.jpg");
    let near = |a: &Value, b: f64| (a.as_f64().unwrap() - b).abs() < 1e-6;
    assert!(near(&document["contributions"]["total"], shown.score(chosen)));
    for (layer, heads) in shown.heads.iter().enumerate() {
        for (head, value) in heads.iter().enumerate() {
            assert!(near(&document["contributions"]["heads"][layer][head], *value));
        }
    }
    assert_eq!(document["phrases"].as_array().unwrap().len(), shown.phrases.len());

    // The head's map belongs to the same text as the figure beside it, with templates and without.
    page.choose_head(1, 1);
    let head = || serde_json::from_slice::<Value>(&page.save("#save-json")).unwrap()["head"].clone();
    let toggle = || {
        page.window.click("label:has(> input[name=templates])");
        page.settle();
    };
    let plain = head();
    toggle();
    let in_templates = head();
    assert_ne!(plain["contribution"], in_templates["contribution"]);
    assert_ne!(plain["map"]["patches"], in_templates["map"]["patches"]);
    toggle();
    assert_eq!(plain, head());

    let png = page.save("#save-png");
    let picture = image::load_from_memory(&png).unwrap();
    assert_eq!((picture.width(), picture.height()), (640, 427));

    // The browser parses the figure, finds every head in it, and draws it: photo and map are inside.
    let svg = String::from_utf8(page.save("#save-svg")).unwrap();
    let script = "const svg = new DOMParser().parseFromString(arguments[0], 'image/svg+xml');
        const count = (at) => svg.querySelectorAll(at).length;
        const image = new Image();
        image.src = URL.createObjectURL(new Blob([arguments[0]], { type: 'image/svg+xml' }));
        return image.decode().then(() => [count('parsererror'), count('rect.head'), count('image'), image.width]);";
    let found = page.window.script(script, &json!([svg]));
    let heads = shown.heads.iter().flatten().count();
    assert_eq!(found, json!([0, heads, 2, 1000]));

    let script = "return new Promise((done) => {
        navigator.clipboard.writeText = (text) => { done(text); return Promise.resolve(); };
        document.querySelector('#copy-markdown').click(); })";
    let notes = page.window.script(script, &json!([]));
    let notes = notes.as_str().unwrap();
    assert!(notes.starts_with("## china.jpg through") && notes.contains(&format!("| {chosen} |")), "{notes}");
    page.assert_quiet_console();
}

#[test]
#[ignore = "needs the set-up of `cargo xtask test browser`"]
fn the_camera_takes_a_photo() {
    let page = Page::open("camera", Graphics::None, TINY);
    page.window.click("#photo-camera");
    let is_seen = "return document.querySelector('#camera-dialog').open
        && document.querySelector('.viewfinder').videoWidth > 0";
    wait("the camera's picture", SHORT, || (page.window.script(is_seen, &json!([])) == true).then_some(()));
    page.window.click("#take-photo");
    wait("the photo", Duration::from_secs(60), || (page.photo() == "camera photo").then_some(()));
    page.settle();
    let is_dark = "return document.querySelector('.viewfinder').srcObject === null";
    assert_eq!(page.window.script(is_dark, &json!([])), true, "the camera is still in use");
    page.assert_quiet_console();
}

/// A photo can be dropped or pasted anywhere on the page.
#[test]
#[ignore = "needs the set-up of `cargo xtask test browser`"]
fn photos_can_be_dropped_and_pasted_anywhere() {
    let page = Page::open("drop", Graphics::None, TINY);
    let script = "const [kind, at] = arguments;
        return fetch('samples/flower.jpg').then((answer) => answer.blob()).then((blob) => {
            const data = new DataTransfer();
            data.items.add(new File([blob], `${kind}.jpg`, { type: 'image/jpeg' }));
            const target = document.querySelector(at);
            const send = (type, Event, key) => target.dispatchEvent(
                new Event(type, { [key]: data, bubbles: true, cancelable: true }));
            if (kind === 'paste') return send('paste', ClipboardEvent, 'clipboardData');
            for (const type of ['dragenter', 'dragover', 'drop']) send(type, DragEvent, 'dataTransfer');
        })";
    page.window.script(script, &json!(["drop", "#model-panel"]));
    wait("the dropped photo", SHORT, || (page.photo() == "drop.jpg").then_some(()));
    page.window.script(script, &json!(["paste", "body"]));
    wait("the pasted photo", SHORT, || (page.photo() == "pasted image").then_some(()));
    page.settle();
    page.assert_quiet_console();
}
