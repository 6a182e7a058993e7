//! Faults while the page runs: a lost GPU, a worker that hangs, a full disk, a second tab, a download that breaks
//! off, a hub that the page may not contact. docs/RELIABILITY.md lists them.

use std::path::PathBuf;
use std::time::Duration;

use image::{Rgb, RgbImage};
use serde_json::json;
use test_support::TemporaryFolder;

use crate::breaking_server::BreakingServer;
use crate::driver::{Graphics, Window, wait};
use crate::page::{Page, TINY, folder, packs, site};
use crate::video::Clip;

const PHRASES: [&str; 3] = ["a photo of a cat", "a rocket on its launch pad", "red"];

fn text(page: &Page, selector: &str) -> String {
    let script = "return document.querySelector(arguments[0])?.textContent ?? ''";
    page.window.script(script, &json!([selector])).as_str().unwrap().to_owned()
}

pub fn pictures(scratch: &TemporaryFolder, count: usize) -> Vec<PathBuf> {
    let picture = |index: usize| {
        let file = scratch.path().join(format!("{index:03}.png"));
        let pixel = |x: u32, y: u32| Rgb([(x * 5 + index as u32 * 31) as u8, (y * 3) as u8, (x * y) as u8]);
        RgbImage::from_fn(160, 120, pixel).save(&file).unwrap();
        file
    };
    (0..count).map(picture).collect()
}

pub fn gallery(page: &Page) -> usize {
    let script = "return +document.querySelector('#gallery').dataset.pictures";
    page.window.script(script, &json!([])).as_u64().unwrap_or_default() as usize
}

#[test]
#[ignore = "needs the set-up of `cargo xtask test browser`"]
fn a_lost_gpu_restarts_with_all_settings() {
    let page = Page::open("gpu-lost", Graphics::SoftwareWebGpu, "?device=gpu&pack=packs/tiny/");
    page.set_phrases(&PHRASES);
    page.choose_sample("china");
    let before = page.attribution();
    page.window.chrome("Browser.crashGpuProcess", &json!({}));
    page.window.click("button.sample[data-sample=coffee]");
    wait("the recovery", Duration::from_secs(120), || {
        page.message().contains("The GPU stopped working").then_some(())
    });
    wait("the photo that was being opened", Duration::from_secs(120), || {
        page.photo().starts_with("coffee").then_some(())
    });
    page.settle();
    assert_ne!(page.phase(), "failed");
    assert!(page.residual() < 1e-4, "sum check: {}", page.residual());
    let phrases =
        |of: &crate::page::Attribution| of.phrases.iter().map(|(text, ..)| text.clone()).collect::<Vec<_>>();
    assert_eq!(phrases(&page.attribution()), phrases(&before));
    page.choose_sample("china");
    let error = (page.attribution().score(PHRASES[0]) - before.score(PHRASES[0])).abs();
    assert!(error < 1e-4, "the scores of the same photo changed: {error}");
}

/// Holds back every message to the worker from now on.
fn hold(page: &Page) {
    let script = "self.post = Worker.prototype.postMessage;
        self.held = [];
        Worker.prototype.postMessage = function (...message) { held.push([this, message]); };";
    page.window.script(script, &json!([]));
}

fn wait_for_held(page: &Page, task: &str) {
    let script = "return self.held.some(([, [{ body }]]) => JSON.stringify(body).includes(arguments[0]))";
    wait(&format!("the request for {task}"), Duration::from_secs(20), || {
        (page.window.script(script, &json!([task])) == true).then_some(())
    });
}

fn release(page: &Page) {
    let script = "Worker.prototype.postMessage = self.post;
        for (const [worker, message] of self.held.splice(0)) worker.postMessage(...message);";
    page.window.script(script, &json!([]));
}

#[test]
#[ignore = "needs the set-up of `cargo xtask test browser`"]
fn an_answer_about_removed_phrases_is_not_shown() {
    let page = Page::open("phrases-gone", Graphics::None, TINY);
    page.set_phrases(&PHRASES);
    page.choose_sample("china");
    page.choose_phrase(PHRASES[0]);
    hold(&page);
    page.window.click(&format!("li.phrase[data-phrase={:?}]", PHRASES[2]));
    wait_for_held(&page, "Segment");
    let remove = "for (const row of document.querySelectorAll('li.phrase')) row.querySelector('.remove')?.click()";
    page.window.script(remove, &json!([]));
    release(&page);
    page.settle();
    let shown = "const { layerKind } = document.querySelector('#overlay').dataset;
        return [document.querySelectorAll('li.phrase').length, layerKind]";
    assert_eq!(page.window.script(shown, &json!([])), json!([0, "none"]));
    assert_eq!(page.message(), "");
}

#[test]
#[ignore = "needs the set-up of `cargo xtask test browser`"]
fn masks_of_an_earlier_run_are_not_shown() {
    let scratch = TemporaryFolder::new("started-over");
    let page = Page::open("started-over", Graphics::None, TINY);
    page.open_frames(&Clip { width: 160, height: 96, frames: 6 }.write(scratch.path()));
    page.wait_for_rest();
    page.seek(0.0);
    page.window.click("fieldset:has(input[name=tool]) label:nth-of-type(2)");
    page.point(0.25, 0.45);
    page.overlay_of("propagation", 0);
    page.settle();
    hold(&page);
    page.window.click("#propagate-on");
    wait_for_held(&page, "Propagate");
    page.window.click(".propagation .quiet-button");
    release(&page);
    page.settle();
    let masks = page.window.script("return document.querySelector('.propagation').dataset.masks", &json!([]));
    assert_eq!(masks, "0");
}

/// Drops every message to the worker from now on, as if the worker never read it. The last message comes from a
/// click on `button`.
pub fn hang(page: &Page, button: &str) {
    let script = "self.post = Worker.prototype.postMessage;
        self.isLost = false;
        Worker.prototype.postMessage = () => { self.isLost = true; };
        document.querySelector(arguments[0]).click();";
    page.window.script(script, &json!([button]));
    wait("a message to the worker", Duration::from_secs(30), || {
        (page.window.script("return self.isLost", &json!([])) == true).then_some(())
    });
}

/// Lets a minute pass, and restarts the worker by the button.
pub fn restart_after_a_minute(page: &Page) {
    page.window.script("const now = Date.now; Date.now = () => now() + 61_000;", &json!([]));
    wait("the watchdog", Duration::from_secs(10), || {
        page.message().contains("has sent no message for a minute").then_some(())
    });
    page.window.script("Worker.prototype.postMessage = self.post;", &json!([]));
    page.window.click("button.restart");
    page.wait_until_ready();
}

#[test]
#[ignore = "needs the set-up of `cargo xtask test browser`"]
fn a_video_continues_after_a_worker_restart() {
    let scratch = TemporaryFolder::new("video-restarted");
    let page = Page::open("video-restarted", Graphics::None, TINY);
    page.open_frames(&Clip { width: 160, height: 96, frames: 12 }.write(scratch.path()));
    page.wait_for_rest();
    page.seek(0.55);
    let before = page.overlay_of("tracks", 5);
    // Other frames are processed. Then the first frames are requested again, and the worker hangs.
    page.window.click("input[type=checkbox][name=centre]");
    page.window.click("#resample");
    page.wait_for_rest();
    page.window.click("input[type=checkbox][name=centre]");
    hang(&page, "#resample");
    restart_after_a_minute(&page);
    page.wait_for_frames(12);
    page.wait_for_rest();
    page.seek(0.55);
    assert_eq!(
        page.overlay_of("tracks", 5)["ink"],
        before["ink"],
        "the tracks changed when the frames were processed again"
    );
    assert_eq!(page.message(), "");
    // If the visitor has returned to the photo, the photo stays.
    page.window.click("fieldset:has(input[name=mode]) label:nth-of-type(1)");
    hang(&page, "button.sample[data-sample=coffee]");
    restart_after_a_minute(&page);
    page.settle();
    let modes = "return [...document.querySelectorAll('input[name=mode]')].map((mode) => mode.checked)";
    assert_eq!(page.window.script(modes, &json!([])), json!([true, false]));
}

#[test]
#[ignore = "needs the set-up of `cargo xtask test browser`"]
fn a_hanging_worker_is_reported_and_restarted() {
    let page = Page::open("hung", Graphics::None, TINY);
    page.set_phrases(&PHRASES);
    page.choose_sample("china");
    let before = page.attribution();
    hang(&page, "button.sample[data-sample=coffee]");
    std::thread::sleep(Duration::from_secs(3));
    assert_eq!(page.message(), "", "the message came too early");
    restart_after_a_minute(&page);
    wait("the photo", Duration::from_secs(60), || page.photo().starts_with("china").then_some(()));
    page.settle();
    assert_eq!(page.attribution().phrases, before.phrases);
    assert_eq!(page.message(), "");
}

/// The browser reports a message that it cannot deserialise.
#[test]
#[ignore = "needs the set-up of `cargo xtask test browser`"]
fn an_unreadable_answer_is_reported() {
    let page = Page::open_unready("unread", site(), Graphics::None, "?device=cpu&pack=packs/none/");
    let keep = "window.Worker = class extends Worker {
        constructor(...how) { super(...how); window.engine = this; }
    };";
    page.window.chrome("Page.addScriptToEvaluateOnNewDocument", &json!({ "source": keep }));
    page.load(TINY);
    page.wait_until_ready();
    page.choose_sample("china");
    page.window.script("engine.dispatchEvent(new MessageEvent('messageerror'))", &json!([]));
    assert!(page.wait_for_message().starts_with("An answer of the compute worker could not be read"));
    page.window.click("button.restart");
    page.wait_until_ready();
    wait("the photo", Duration::from_secs(60), || page.photo().starts_with("china").then_some(()));
}

#[test]
#[ignore = "needs the set-up of `cargo xtask test browser`"]
fn a_worker_without_memory_is_reported_and_restarted() {
    let scratch = TemporaryFolder::new("out-of-memory");
    let serving = site().serve(0).unwrap();
    // 40 MB: enough for the small model, but not for a large photo.
    let little = "--js-flags=--wasm-max-mem-pages=600".to_owned();
    let page = Page::at(serving.url(), Window::open_with("out-of-memory", Graphics::None, &[little]));
    page.load(TINY);
    page.wait_until_ready();
    page.set_phrases(&PHRASES);
    page.choose_sample("china");
    let before = page.attribution();
    let large = scratch.path().join("large.png");
    RgbImage::from_fn(9000, 7000, |x, y| Rgb([x as u8, y as u8, 0])).save(&large).unwrap();
    page.window.choose_file("input[name=photo]", &large);
    wait("the reason", Duration::from_secs(120), || page.message().contains("ran out of memory").then_some(()));
    page.window.click("button.restart");
    page.wait_until_ready();
    wait("the photo before", Duration::from_secs(60), || page.photo().starts_with("china").then_some(()));
    page.settle();
    assert_eq!(page.attribution().phrases, before.phrases);
    assert_eq!(page.message(), "");
}

#[test]
#[ignore = "needs the set-up of `cargo xtask test browser`"]
fn a_full_disk_stores_nothing_and_breaks_nothing() {
    let scratch = TemporaryFolder::new("full-disk");
    let page = Page::open_unready("full-disk", site(), Graphics::None, "");
    let origin = page.window.script("return location.origin", &json!([]));
    page.window.chrome("Storage.overrideQuotaForOrigin", &json!({ "origin": origin, "quotaSize": 60_000 }));
    page.load(TINY);
    page.wait_until_ready();
    page.choose_sample("coffee");
    assert!(page.residual() < 1e-4);
    page.window.choose_files("#gallery input[name=gallery]", &pictures(&scratch, 60));
    let message = page.wait_for_message();
    assert!(message.contains("browser's storage is full"), "{message}");
    let kept = gallery(&page);
    assert!(kept < 60, "{kept} pictures");
    page.choose_sample("china");
    assert!(page.photo().starts_with("china"), "everything else must still work");
}

#[test]
#[ignore = "needs the set-up of `cargo xtask test browser`"]
fn two_tabs_share_stored_packs_but_not_a_gallery() {
    let scratch = TemporaryFolder::new("two-tabs");
    let page = Page::open("two-tabs", Graphics::None, TINY);
    page.window.choose_files("#gallery input[name=gallery]", &pictures(&scratch, 3));
    wait("the gallery", Duration::from_secs(60), || (gallery(&page) == 3).then_some(()));
    page.window.open_tab();
    page.load(TINY);
    page.wait_until_ready();
    wait("the message in the second tab", Duration::from_secs(30), || {
        text(&page, "#gallery").contains("Another tab has this model's gallery open").then_some(())
    });
    page.choose_sample("china");
    page.window.choose_files("#gallery input[name=gallery]", &pictures(&scratch, 2));
    wait("the second tab's own gallery", Duration::from_secs(60), || (gallery(&page) == 2).then_some(()));
    page.assert_quiet_console();
}

#[test]
#[ignore = "needs the set-up of `cargo xtask test browser`"]
fn an_interrupted_pack_download_resumes() {
    let server = BreakingServer::new(folder("HEADLAMP_DIST"), packs(), "packs/tiny/weights.safetensors");
    let page = Page::at(server.address(), Window::open("broken-off", Graphics::None));
    page.load(TINY);
    page.wait_until_ready();
    assert_eq!(server.broken(), 1, "the weights did not break off exactly once");
    assert_eq!(server.parts(), 1, "only the rest must be requested");
    page.choose_sample("coffee");
    assert!(page.residual() < 1e-4);
    // The weights were stored whole.
    page.load(TINY);
    page.wait_until_ready();
    assert_eq!((server.broken(), server.parts()), (1, 1), "the second visit downloaded weights");
}

#[test]
#[ignore = "needs the set-up of `cargo xtask test browser`"]
fn a_hub_outside_the_policy_is_named() {
    let page = Page::open("other-hub", Graphics::None, TINY);
    let before = page.field("name");
    let fill = "for (const [name, value] of Object.entries(arguments[0]))
        document.querySelector(`#load-model input[name=${name}]`).value = value;";
    page.window.script(fill, &json!([{ "repository": "some/clip", "hub": "https://hub.example" }]));
    page.window.click("#load-model button[type=submit]");
    let message = page.wait_for_message();
    assert!(
        message.contains("not from hub.example") && message.contains("--allow-host https://hub.example"),
        "{message}"
    );
    assert!(message.contains("huggingface.co"), "the message does not name the allowed host: {message}");
    assert_eq!(page.field("name"), before, "the open model changed");
}

/// Opens photos and makes a gallery, as a visitor does.
fn work(page: &Page, test: &str) {
    let scratch = TemporaryFolder::new(test);
    page.load(TINY);
    page.wait_until_ready();
    page.choose_sample("coffee");
    assert!(page.residual() < 1e-4, "sum check: {}", page.residual());
    page.window.choose_files("#gallery input[name=gallery]", &pictures(&scratch, 3));
    wait("the gallery", Duration::from_secs(60), || (gallery(page) == 3).then_some(()));
    page.choose_sample("china");
    page.assert_quiet_console();
    assert_eq!(page.message(), "");
}

#[test]
#[ignore = "needs the set-up of `cargo xtask test browser`"]
fn a_private_window_works() {
    let serving = site().serve(0).unwrap();
    let window = Window::open_with("private", Graphics::None, &["--incognito".to_owned()]);
    work(&Page::at(serving.url(), window), "private");
}

#[test]
#[ignore = "needs the set-up of `cargo xtask test browser`"]
fn without_https_all_works_and_missing_storage_is_reported() {
    let serving = site().serve(0).unwrap();
    // Unlike 127.0.0.1, this name is not trusted without HTTPS: there is no cache, no file storage, no service
    // worker.
    let rules = "--host-resolver-rules=MAP headlamp.example 127.0.0.1".to_owned();
    let window = Window::open_with("no-https", Graphics::None, &[rules]);
    let page = Page::at(serving.url().replace("127.0.0.1", "headlamp.example"), window);
    work(&page, "no-https");
    assert_eq!(page.window.script("return isSecureContext", &json!([])), false);
    let said = text(&page, "#gallery");
    assert!(said.contains("HTTPS"), "{said}");
    page.window.click("#copy-markdown");
    wait("the message about the clipboard", Duration::from_secs(10), || {
        text(&page, ".exports [role=status]").contains("save the JSON").then_some(())
    });
    page.load(TINY);
    page.wait_until_ready();
    assert_eq!(gallery(&page), 0, "a gallery without storage must end with its page");
}
