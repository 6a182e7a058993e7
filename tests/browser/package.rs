//! The package for other people's pages: it can be packed, its answers match its types and agree with the page.

use std::collections::BTreeSet;
use std::process::Command;
use std::time::Duration;

use serde_json::{Value, json};
use test_support::TemporaryFolder;
use xtask::{npm, places, site::Site};

use crate::driver::{Graphics, wait};
use crate::page::{Page, folder, packs, site};

const SETTINGS: &str = "?device=cpu&pack=packs/tiny/";

/// Opens an empty page beside the built one, with headlamp loaded as `h`, a sample as `photo` and a drawing as
/// `image`.
fn open(test: &'static str) -> Page {
    let page = Page::open_unready(test, site(), Graphics::None, "icons/icon.svg");
    run(
        &page,
        "const { load, HeadlampError } = await import(`${location.origin}/headlamp.js`);
        const progress = [];
        const pack = `${location.origin}/packs/tiny/`;
        const onProgress = (at) => progress.push(at);
        const canvas = new OffscreenCanvas(300, 200);
        const pen = canvas.getContext('2d');
        pen.fillStyle = '#7fa8c9';
        pen.fillRect(0, 0, 300, 200);
        pen.fillStyle = '#b03a2e';
        pen.fillRect(100, 60, 80, 80);
        const image = canvas.transferToImageBitmap();
        const photo = await (await fetch(`${location.origin}/samples/china.jpg`)).blob();
        Object.assign(window, { load, HeadlampError, progress, pack, image, photo });
        window.h = await load({ pack, device: 'cpu', onProgress });",
    );
    page
}

/// Runs a function body that may be asynchronous.
fn run(page: &Page, body: &str) -> Value {
    page.window.script(&format!("return (async () => {{ {body} }})()"), &json!([]))
}

/// Returns the fields that an interface of the type file declares, with its methods and the fields of its parents.
fn declared(interface: &str) -> BTreeSet<String> {
    let types = std::fs::read_to_string(places::checkout().join("www/npm/headlamp.d.ts")).unwrap();
    let start = types.find(&format!("interface {interface} ")).unwrap_or_else(|| panic!("no {interface}"));
    let (head, body) = types[start..].split_once("{\n").unwrap();
    let parent = head.split_once("extends ").map(|(_, parent)| parent.trim());
    let body = body.split("\n}").next().unwrap();
    let field = |line: &str| {
        let name = line.trim().trim_start_matches("readonly ").split([':', '?', '(']).next()?;
        (line.starts_with("  ") && name.chars().all(char::is_alphanumeric) && !name.is_empty())
            .then(|| name.to_owned())
    };
    body.lines().filter_map(field).chain(parent.into_iter().flat_map(declared)).collect()
}

/// Compares the fields of an answer with its type. `value` is JavaScript.
fn has_declared_fields(page: &Page, interface: &str, value: &str) {
    let script = format!(
        "const value = {value};
        const names = new Set(Object.keys(value));
        for (let at = Object.getPrototypeOf(value); at !== Object.prototype; at = Object.getPrototypeOf(at))
          for (const name of Object.getOwnPropertyNames(at)) if (name !== 'constructor') names.add(name);
        return [...names];"
    );
    let found: BTreeSet<String> = serde_json::from_value(run(page, &script)).unwrap();
    assert_eq!(found, declared(interface), "{interface}");
}

#[test]
#[ignore = "needs the set-up of `cargo xtask test browser`"]
fn the_answers_match_the_types() {
    let page = open("package");
    has_declared_fields(&page, "Headlamp", "h");
    has_declared_fields(&page, "Model", "h.model");
    assert_eq!(
        run(&page, "return [h.model.layers, h.model.heads, h.model.hasText, h.model.device.kind]"),
        json!([3, 3, true, "CPU"])
    );
    run(
        &page,
        "window.found = await h.explain(image, ['a cat', 'a dog']);
        window.segmented = await h.segment(image, 'a cat', { against: ['a dog'] });
        window.raw = await h.segment(image, 'a cat', { against: ['a dog'], asModelSees: true });
        window.rawMask = await h.mask(image, 'a cat', { asModelSees: true });
        window.map = await h.headMap(image, 2, 1, { phrase: 'a cat' });
        window.attention = await h.headMap(image, 2, 1);
        window.mask = await h.mask(image, 'a cat');
        window.texts = await h.heads({ count: 4 });",
    );
    has_declared_fields(&page, "Explanation", "found");
    has_declared_fields(&page, "Segmentation", "segmented");
    has_declared_fields(&page, "HeadMap", "map");
    has_declared_fields(&page, "Heads", "texts");
    has_declared_fields(&page, "HeadText", "texts.texts[2][1][0]");
    // All parts sum to the score, and a head's map sums to the head's contribution.
    let sums = run(
        &page,
        "const sum = (list) => list.reduce((all, part) => all + part, 0);
        const { layers, headsPerLayer: heads } = found;
        const total = (text) => sum(found.heads.subarray(text * layers * heads, (text + 1) * layers * heads))
            + sum(found.mlps.subarray(text * layers, (text + 1) * layers)) + found.embedding[text];
        return { totals: [total(0), total(1)], scores: [...found.scores], shares: sum(found.probabilities),
            head: found.head('a cat', 2, 1), patches: sum(map.values), attention: sum(attention.values),
            size: map.values.length === map.rows * map.columns, mask: [mask.type, mask.size > 60],
            area: segmented.map.length === segmented.width * segmented.height, photo: segmented.photo,
            raw: [raw.map.length === raw.width * raw.height, raw.threshold === segmented.threshold, rawMask.type],
            refined: [segmented.width, segmented.height, segmented.frame],
            texts: texts.texts.map((layer) => layer.map((head) => head.length)), images: texts.images }",
    );
    let close = |a: &Value, b: &Value| (a.as_f64().unwrap() - b.as_f64().unwrap()).abs() < 1e-5;
    for text in 0..2 {
        assert!(close(&sums["totals"][text], &sums["scores"][text]), "{sums}");
    }
    assert!(close(&sums["shares"], &json!(1)), "{sums}");
    assert!(sums["attention"].as_f64().is_some_and(|sum| (0.2..=1.0).contains(&sum)), "{sums}");
    // The map lacks the contribution of CLS to itself.
    assert!((sums["head"].as_f64().unwrap() - sums["patches"].as_f64().unwrap()).abs() < 0.1, "{sums}");
    assert_eq!(
        (&sums["size"], &sums["area"], &sums["mask"]),
        (&json!(true), &json!(true), &json!(["image/png", true]))
    );
    assert_eq!(sums["photo"], json!({ "width": 300, "height": 200 }));
    assert_eq!(sums["raw"], json!([true, true, "image/png"]));
    // The refined map has the photo's own pixels within the centre crop.
    let crop = json!({ "left": 50, "top": 0, "width": 200, "height": 200 });
    assert_eq!(sums["refined"], json!([200, 200, crop]));
    assert_eq!((&sums["texts"], &sums["images"]), (&json!([[4, 4, 4], [4, 4, 4], [4, 4, 4]]), &json!(40)));
    // With switched-off parts, and a second request about the same picture, for which the model does not run
    // again.
    let off = run(
        &page,
        "const off = await h.explain(image, ['a cat'], { off: { heads: [[2, 1]], mlps: [0], embedding: true, clsToCls: true } });
        return [off.intact[0] === found.scores[0], off.head('a cat', 2, 1) !== found.head('a cat', 2, 1), off.seconds.encode === found.seconds.encode]",
    );
    assert_eq!(off, json!([true, true, true]));
    assert!(run(&page, "return progress.some(({ what, done, total }) => what && done && total)") == true);
}

#[test]
#[ignore = "needs the set-up of `cargo xtask test browser`"]
fn the_package_tracks_objects_in_frames_and_files() {
    let page = open("package-track");
    run(
        &page,
        "const frames = [];
        for (let left = 10; left < 200; left += 60) {
          const canvas = new OffscreenCanvas(320, 224);
          const pen = canvas.getContext('2d');
          pen.fillStyle = '#7fa8c9';
          pen.fillRect(0, 0, 320, 224);
          pen.fillStyle = '#b03a2e';
          pen.fillRect(left, 70, 80, 80);
          frames.push(canvas.transferToImageBitmap());
        }
        const heard = [];
        window.drawn = await h.track(frames, { objects: [0, 2], texts: 2, onFrame: ({ index }, all) => heard.push([index, all]) });
        window.heard = heard;
        window.clip = await h.track(`${location.origin}/samples/bunny.webm`, { rate: 1, length: 3 });",
    );
    has_declared_fields(&page, "Tracked", "drawn");
    has_declared_fields(&page, "TrackedFrame", "drawn.frames[0]");
    assert_eq!(run(&page, "return heard"), json!([[0, 4], [1, 4], [2, 4], [3, 4]]));
    let figures = "(tracked) => tracked.frames.map(({ time, heads, objects, rows, columns, tracks, attention }) => ({
        time, heads, objects: objects.length, sums: tracks.map((track) => track.reduce((all, part) => all + part, 0)),
        fits: tracks.concat(attention).every((map) => map.length === rows * columns), maps: attention.length }))";
    for (name, frames, objects) in [("drawn", 4, 2), ("clip", 3, 3)] {
        let found = run(&page, &format!("return ({figures})({name})"));
        let found = found.as_array().unwrap();
        assert_eq!(found.len(), frames, "{name}: {found:?}");
        for (index, frame) in found.iter().enumerate() {
            assert_eq!(
                (&frame["objects"], &frame["maps"], &frame["fits"]),
                (&json!(objects), &json!(3), &json!(true)),
                "{frame}"
            );
            let sums = frame["sums"].as_array().unwrap();
            assert!(sums.iter().all(|sum| (sum.as_f64().unwrap() - 1.0).abs() < 1e-4), "{frame}");
            assert!(index == 0 || frame["time"].as_f64() > found[index - 1]["time"].as_f64(), "{found:?}");
        }
    }
    assert_eq!(run(&page, "return drawn.frames[0].heads"), json!([0, 2]));
    assert_eq!(run(&page, "return drawn.texts.map(({ texts }) => texts.length)"), json!([2, 2]));
}

#[test]
#[ignore = "needs the set-up of `cargo xtask test browser`"]
fn the_package_explains_what_it_cannot_do() {
    let page = open("package-errors");
    let origin = "`${location.origin}";
    for (work, sentence) in [
        (format!("load({{ pack: {origin}/packs/nowhere/` }})"), "there is no pack at"),
        ("h.explain(new Blob(['no picture']), ['a cat'])".to_owned(), "is not a picture that headlamp knows"),
        (format!("h.explain({origin}/samples/nowhere.png`, ['a cat'])"), "nowhere.png is not on"),
        ("h.explain({}, ['a cat'])".to_owned(), "This is not a picture"),
        ("h.headMap(image, 9, 9)".to_owned(), "9"),
        ("h.track([])".to_owned(), "There are no pictures"),
        ("h.track(new Blob(['no video']))".to_owned(), "the video"),
    ] {
        let script = format!(
            "return await ({work}).then(() => 'no error', (error) => [error instanceof HeadlampError, error.message])"
        );
        let found = run(&page, &script);
        let message = found[1].as_str().unwrap_or_default();
        assert!(found[0] == true, "{work}: {found}");
        assert!(
            message.to_lowercase().contains(&sentence.to_lowercase()) && message.ends_with('.'),
            "{work}: {message}"
        );
    }
    // A failure leaves everything else unchanged. Aborting ends a request. After closing, every request is
    // refused.
    let rest = run(
        &page,
        "const fine = await h.explain(image, ['a cat']);
        const abort = new AbortController();
        const late = h.explain(photo, ['a cat'], { signal: abort.signal }).catch((error) => error.name);
        abort.abort();
        const dead = h.explain(photo, ['a dog']).catch((error) => error.message);
        const alive = await h.explain(image, ['a cat']);
        const pending = h.explain(photo, ['a bird']).catch((error) => error.message);
        h.close();
        return [fine.scores[0] === alive.scores[0], await late, typeof (await dead), await pending,
            await h.heads().catch((error) => error.message)]",
    );
    assert_eq!(rest, json!([true, "AbortError", "object", "headlamp was closed.", "headlamp was closed."]));
}

#[test]
#[ignore = "needs the set-up of `cargo xtask test browser`"]
fn an_abort_signal_removes_a_waiting_request() {
    let page = open("package-signal");
    let found = run(
        &page,
        "const abort = new AbortController();
        const { signal } = abort;
        let listening = 0;
        for (const [name, more] of [['addEventListener', 1], ['removeEventListener', -1]]) {
          signal[name] = (...what) => { listening += more; EventTarget.prototype[name].apply(signal, what); };
        }
        for (const phrase of ['a cat', 'a dog']) await h.explain(image, [phrase], { signal });
        const left = listening;
        const order = [];
        const first = h.explain(photo, ['a cat']).then(() => order.push('first'));
        const second = h.explain(image, ['a cat'], { signal }).catch(({ name }) => order.push(name));
        abort.abort();
        await Promise.all([first, second]);
        return [left, listening, order]",
    );
    assert_eq!(found, json!([0, 0, ["AbortError", "first"]]));
}

#[test]
#[ignore = "needs the set-up of `cargo xtask test browser`"]
fn an_unreadable_answer_rejects_all_requests() {
    let page = open("package-unreadable");
    let found = run(
        &page,
        "const Usual = Worker;
        let worker;
        self.Worker = class extends Usual { constructor(...how) { super(...how); worker = this; } };
        const other = await load({ pack, device: 'cpu' });
        self.Worker = Usual;
        const asked = other.explain(photo, ['a cat']).catch(({ message }) => message);
        worker.dispatchEvent(new MessageEvent('messageerror'));
        return asked",
    );
    assert!(found.as_str().is_some_and(|message| message.contains("could not be read")), "{found}");
}

#[test]
#[ignore = "needs the set-up of `cargo xtask test browser`"]
fn the_package_agrees_with_the_page() {
    let page = open("package-same");
    let phrases = json!(["a photo of a cat", "a Chinese temple", "red"]);
    let script = format!(
        "const found = await h.explain(photo, {phrases});
        return [[...found.scores], found.head('red', 1, 2), found.residual]"
    );
    let answered = run(&page, &script);
    let query = format!(
        "{SETTINGS}&image=samples/china.jpg&phrase=red&text=a+photo+of+a+cat&text=a+Chinese+temple&text=red"
    );
    page.load(&query);
    page.wait_until_ready();
    page.settle();
    let shown = page.attribution();
    for (index, (phrase, score, _)) in shown.phrases.iter().enumerate() {
        assert!((score - answered[0][index].as_f64().unwrap()).abs() < 1e-6, "{phrase}: {answered} {shown:?}");
    }
    assert!((shown.heads[1][2] - answered[1].as_f64().unwrap()).abs() < 1e-6, "{answered}");
}

#[test]
#[ignore = "needs the set-up of `cargo xtask test browser`"]
fn the_example_runs_in_plain_javascript() {
    let page =
        Page::open_unready("package-example", site(), Graphics::None, &format!("embed/package.html{SETTINGS}"));
    let says = |selector: &str| {
        let script = "return document.querySelector(arguments[0]).textContent";
        page.window.script(script, &json!([selector])).as_str().unwrap().to_owned()
    };
    let until = |words: &str| {
        wait(&format!("{words:?}"), Duration::from_secs(120), || says("#status").contains(words).then_some(()));
    };
    until("Ready:");
    page.window.click("button[type=submit]");
    until("the parts add up to");
    let sum = says("#status").rsplit(' ').next().unwrap().to_owned();
    assert!(says("#scores").contains(&format!(": {sum}")), "{} has no {sum}", says("#scores"));
    page.window.click("#track");
    until("4 frames");
    assert!(says("#scores").contains("0.3 s: objects"), "{}", says("#scores"));
    page.assert_quiet_console();
}

#[test]
#[ignore = "needs the set-up of `cargo xtask test browser`"]
fn the_package_runs_from_its_own_folder() {
    let scratch = TemporaryFolder::new("npm");
    let package = scratch.path().join("package");
    npm::package(&folder("HEADLAMP_DIST"), &package).unwrap();
    let packed = Command::new("npm").args(["pack", "--offline", "--json"]).current_dir(&package).output().unwrap();
    assert!(packed.status.success(), "{}", String::from_utf8_lossy(&packed.stderr));
    let listing: Value = serde_json::from_slice(&packed.stdout).unwrap();
    assert_eq!(listing[0]["version"], env!("CARGO_PKG_VERSION"));
    let files = listing[0]["files"].as_array().unwrap();
    let names: BTreeSet<&str> = files.iter().map(|file| file["path"].as_str().unwrap()).collect();
    let expected = [
        "LICENSE",
        "LICENSE-APACHE",
        "LICENSE-MIT",
        "README.md",
        "channel.js",
        "headlamp.d.ts",
        "headlamp.js",
        "package.json",
        "pictures.js",
        "wire.d.ts",
        "worker.js",
        "worker_bg.wasm",
        "worker_loader.js",
    ];
    assert_eq!(names, BTreeSet::from(expected));
    // The package is served by another page.
    std::fs::write(scratch.path().join("index.html"), "<!doctype html><title>theirs</title>").unwrap();
    let site = Site::new(scratch.path()).mount("packs/tiny", packs().join("tiny"));
    let page = Page::open_unready("npm", site, Graphics::None, "");
    let found = run(
        &page,
        "const { load } = await import('./package/headlamp.js');
        const h = await load({ pack: '/packs/tiny/', device: 'cpu' });
        const found = await h.explain(new ImageData(64, 48), ['a cat']);
        h.close();
        return [h.model.layers, found.scores.length, found.residual < 1e-5]",
    );
    assert_eq!(found, json!([3, 1, true]));
}
