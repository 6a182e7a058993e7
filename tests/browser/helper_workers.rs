//! Helper workers for galleries and videos: the same results with them and without them, also where they fail.

use std::path::PathBuf;
use std::time::Duration;

use serde_json::{Value, json};
use test_support::TemporaryFolder;
use xtask::site::Site;

use crate::driver::{Graphics, wait};
use crate::gallery::{Pictures, add, wait_for_count};
use crate::page::{Page, folder, packs, site};
use crate::video::Clip;

const ALONE: &str = "?device=cpu&hands=0";
const HELPED: &str = "?device=cpu";

/// A script before the worker's loader. A helper worker reports each computed picture on a channel, and fails after
/// a number of messages.
const OBSERVED: &str = r#"
if (self.name === "headlamp-helper") {
  const post = self.postMessage.bind(self);
  const channel = new BroadcastChannel("helped");
  let left = %LEFT%;
  self.postMessage = (message, ...rest) => {
    if (left === 0) throw new Error("this helper worker fails here");
    left -= 1;
    post(message, ...rest);
    if (message.body.Done) channel.postMessage(null);
  };
}
"#;

/// Returns the built page with helper workers whose pictures can be counted.
pub fn observed(scratch: &TemporaryFolder) -> Site {
    site_of_loader(scratch, "Infinity")
}

/// Returns the built page with helper workers that fail after `messages` messages: the greeting, the tower's arrival,
/// and one message for each picture.
fn failing(scratch: &TemporaryFolder, messages: u32) -> Site {
    site_of_loader(scratch, &messages.to_string())
}

fn site_of_loader(scratch: &TemporaryFolder, messages: &str) -> Site {
    let dist = scratch.path().join(format!("dist-{messages}"));
    std::fs::create_dir_all(&dist).unwrap();
    let built = folder("HEADLAMP_DIST");
    // The default pack is mounted before the folder that contains it, because the server uses the first match.
    let mut site = Site::new(&dist).mount("packs/default", packs().join("default"));
    for entry in std::fs::read_dir(&built).unwrap() {
        let (path, name) = entry.map(|entry| (entry.path(), entry.file_name())).unwrap();
        if path.is_dir() {
            site = site.mount(&name.to_string_lossy(), path);
        } else {
            std::fs::copy(&path, dist.join(name)).unwrap();
        }
    }
    let loader = dist.join("worker_loader.js");
    let script = std::fs::read_to_string(built.join("worker_loader.js")).unwrap();
    std::fs::write(&loader, OBSERVED.replace("%LEFT%", messages) + script.as_str()).unwrap();
    site
}

/// Starts to count the pictures that helper workers compute, for a page of [`observed`] or [`failing`].
pub fn observe(page: &Page) {
    let script = "
        window.helped = 0;
        window.helpers = new BroadcastChannel('helped');
        window.helpers.onmessage = () => { window.helped += 1; };";
    page.window.script(script, &json!([]));
}

/// Returns how many pictures helper workers have computed since [`observe`].
pub fn helped(page: &Page) -> u64 {
    page.window.script("return window.helped", &json!([])).as_u64().unwrap()
}

/// Returns the gallery's files in the browser's storage: the SHA-256 of each.
fn stored_files(page: &Page) -> Value {
    let script = "return (async () => {
        const galleries = await (await navigator.storage.getDirectory()).getDirectoryHandle('galleries');
        const found = {};
        for await (const folder of galleries.values())
            for await (const file of folder.values()) {
                const bytes = await (await file.getFile()).arrayBuffer();
                const hash = new Uint8Array(await crypto.subtle.digest('SHA-256', bytes));
                found[file.name] = [bytes.byteLength, ...hash];
            }
        return found;
    })()";
    page.window.script(script, &json!([]))
}

/// Returns a gallery's files, and the number of pictures that helper workers computed.
fn gallery_files(test: &'static str, site: Site, query: &str, pictures: &Pictures, count: u64) -> (Value, u64) {
    let page = Page::open_unready(test, site, Graphics::None, query);
    page.wait_until_ready();
    observe(&page);
    page.settle();
    add(&page, &pictures.files());
    wait_for_count(&page, count);
    page.settle();
    assert_eq!(page.message(), "");
    let helped = helped(&page);
    // Another page ends the worker, which closes the worker's files.
    page.load("icons/icon.svg");
    (stored_files(&page), helped)
}

#[test]
#[ignore = "needs the set-up of `cargo xtask test browser`"]
fn helper_workers_do_not_change_a_gallery() {
    const COUNT: usize = 30;
    let (pictures, scratch) = (Pictures::new("hands", COUNT, 300), TemporaryFolder::new("gallery-hands"));
    let gallery_files = |site, query| gallery_files("gallery-hands", site, query, &pictures, COUNT as u64);
    let (alone, none) = gallery_files(observed(&scratch), ALONE);
    assert_eq!(none, 0, "helper workers computed although they were off");
    assert!(alone["imprints.f16"][0].as_u64().unwrap() > 0, "{alone}");
    let (helped, some) = gallery_files(observed(&scratch), HELPED);
    println!("helper workers computed {some} of {COUNT} pictures");
    assert!(some >= 3, "helper workers computed {some}");
    assert_eq!(helped, alone);
    // Four messages are enough for two pictures.
    let (bereft, few) = gallery_files(failing(&scratch, 4), HELPED);
    assert!(few <= 2 * 3, "helper workers that failed computed {few}");
    assert_eq!(bereft, alone);
    let (refused, none) = gallery_files(failing(&scratch, 0), HELPED);
    assert_eq!((refused, none), (alone, 0));
}

/// Returns the page's saved objects of a video, and the number of frames that helper workers computed.
fn tracked(site: Site, query: &str, frames: &[PathBuf]) -> (Value, u64) {
    let page = Page::open_unready("video-hands", site, Graphics::None, query);
    page.wait_until_ready();
    observe(&page);
    page.settle();
    page.open_frames(frames);
    page.wait_for_rest();
    assert_eq!((page.done(), page.message().as_str()), (frames.len(), ""));
    let chart =
        "return [...document.querySelectorAll('#chart polyline')].map((line) => line.getAttribute('points'))";
    let chart = page.window.script(chart, &json!([]));
    let masks: Value = serde_json::from_slice(&page.save("#export-json")).unwrap();
    (json!([chart, masks]), helped(&page))
}

#[test]
#[ignore = "needs the set-up of `cargo xtask test browser`"]
fn helper_workers_do_not_change_a_video() {
    let scratch = TemporaryFolder::new("video-hands");
    let clip = Clip { width: 320, height: 200, frames: 30 };
    let frames = clip.write(scratch.path());
    let (alone, none) = tracked(observed(&scratch), ALONE, &frames);
    assert_eq!(none, 0, "helper workers computed although they were off");
    let (helped, some) = tracked(observed(&scratch), HELPED, &frames);
    println!("helper workers computed {some} of {} frames", frames.len());
    assert!(some >= 3, "helper workers computed {some}");
    assert_eq!(helped, alone);
    let (bereft, few) = tracked(failing(&scratch, 4), HELPED, &frames);
    assert!(few <= 2 * 3, "helper workers that failed computed {few}");
    assert_eq!(bereft, alone);
}

/// If the sampling changes while helper workers compute frames of the old one, their results are dropped.
#[test]
#[ignore = "needs the set-up of `cargo xtask test browser`"]
fn frames_of_an_older_sampling_are_dropped() {
    let scratch = TemporaryFolder::new("hands-dropped");
    let clip = Clip { width: 320, height: 200, frames: 30 };
    let frames = clip.write(scratch.path());
    let page = Page::open_unready("hands-dropped", observed(&scratch), Graphics::None, HELPED);
    page.wait_until_ready();
    observe(&page);
    page.open_frames(&frames);
    wait("a helper worker at work", Duration::from_secs(120), || (helped(&page) > 1).then_some(()));
    // The same frames are requested with another framing while the earlier requests are running.
    page.window.click("input[type=checkbox][name=centre]");
    page.window.click("#resample");
    page.wait_for_frames(3);
    page.window.click("input[type=checkbox][name=centre]");
    page.window.click("#resample");
    page.wait_for_rest();
    assert_eq!(page.done(), frames.len());
    let again: Value = serde_json::from_slice(&page.save("#export-json")).unwrap();
    let (alone, _none) = tracked(observed(&scratch), ALONE, &frames);
    assert_eq!(again, alone[1]);
    page.assert_quiet_console();
}

/// The numbers of the package are the same, bit for bit.
#[test]
#[ignore = "needs the set-up of `cargo xtask test browser`"]
fn helper_workers_do_not_change_the_packages_tracks() {
    let page = Page::open_unready("package-hands", site(), Graphics::None, "icons/icon.svg");
    let script = "return (async () => {
        const { load } = await import(`${location.origin}/headlamp.js`);
        const h = await load({ pack: `${location.origin}/packs/default/`, device: 'cpu' });
        const frames = Array.from({ length: 16 }, (_, frame) => {
            const canvas = new OffscreenCanvas(320, 200);
            const pen = canvas.getContext('2d');
            pen.fillStyle = '#4f7f56';
            pen.fillRect(0, 0, 320, 200);
            pen.fillStyle = '#c0392b';
            pen.fillRect(20 + 12 * frame, 60, 80, 80);
            return canvas.transferToImageBitmap();
        });
        const numbers = async (hands) => {
            const { frames: found } = await h.track(frames, { hands });
            return found.map(({ tracks, attention }) => [...tracks, ...attention].map((row) => [...row]));
        };
        const [alone, helped] = [await numbers(false), await numbers(true)];
        h.close();
        return [alone.length, alone.flat(2).length, JSON.stringify(alone) === JSON.stringify(helped)];
    })()";
    let found = page.window.script(script, &json!([]));
    assert_eq!((&found[0], &found[2]), (&json!(16), &json!(true)), "{found}");
    assert!(found[1].as_u64().unwrap() > 1000, "{found}");
}
