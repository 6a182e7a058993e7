//! The view of videos: frames are processed, tracks survive seeking, stopping and continuing, masks follow a
//! point, and a press on the chart seeks.

use std::path::{Path, PathBuf};
use std::time::Duration;

use serde_json::{Value, json};
use test_support::TemporaryFolder;
use xtask::places;

use crate::driver::{Graphics, wait};
use crate::page::{Page, TINY};

pub const PATIENCE: Duration = Duration::from_secs(240);

/// A disc moves right over a still, patterned ground.
pub struct Clip {
    pub width: u32,
    pub height: u32,
    pub frames: usize,
}

impl Clip {
    /// Returns the disc's centre as fractions of the frame's sides, and its radius as a fraction of the height.
    fn disc(&self, frame: usize) -> (f64, f64, f64) {
        let share = frame as f64 / (self.frames - 1).max(1) as f64;
        (0.25 + 0.5 * share, 0.45 + 0.1 * share, 0.22)
    }

    fn is_disc(&self, frame: usize, x: f64, y: f64) -> bool {
        let (cx, cy, radius) = self.disc(frame);
        let aspect = f64::from(self.width) / f64::from(self.height);
        ((x - cx) * aspect).hypot(y - cy) < radius
    }

    fn picture(&self, frame: usize) -> image::RgbImage {
        image::RgbImage::from_fn(self.width, self.height, |x, y| {
            let (u, v) =
                ((f64::from(x) + 0.5) / f64::from(self.width), (f64::from(y) + 0.5) / f64::from(self.height));
            if self.is_disc(frame, u, v) {
                let stripe = if (v * 24.0).sin() > 0.0 { 40 } else { 0 };
                return image::Rgb([225, 60 + stripe, 30]);
            }
            let wave = ((u * 9.0).sin() + (v * 7.0 + u * 3.0).cos()) * 22.0;
            image::Rgb([(90.0 + wave) as u8, (120.0 + wave) as u8, (100.0 - wave) as u8])
        })
    }

    /// Writes the frames as numbered pictures.
    pub fn write(&self, folder: &Path) -> Vec<PathBuf> {
        (0..self.frames)
            .map(|frame| {
                let file = folder.join(format!("frame{frame}.png"));
                self.picture(frame).save(&file).unwrap();
                file
            })
            .collect()
    }
}

impl Page {
    pub fn open_frames(&self, files: &[PathBuf]) {
        self.window.click("fieldset:has(input[name=mode]) label:nth-of-type(2)");
        self.window.choose_files("input[type=file][name=frames]", files);
    }

    pub fn open_video(&self, file: &Path) {
        self.window.click("fieldset:has(input[name=mode]) label:nth-of-type(2)");
        self.window.choose_file("input[type=file][name=video]", file);
    }

    pub fn player(&self, name: &str) -> String {
        let script = "return document.querySelector('#player')?.dataset[arguments[0]] ?? ''";
        self.window.script(script, &json!([name])).as_str().unwrap_or_default().to_owned()
    }

    pub fn done(&self) -> usize {
        self.player("frames").parse().unwrap_or(0)
    }

    pub fn wait_for_frames(&self, count: usize) {
        wait(&format!("{count} frames"), PATIENCE, || {
            assert_ne!(self.phase(), "failed", "{}", self.message());
            (self.done() >= count).then_some(())
        });
    }

    /// Waits until all frames are done and no request is running.
    pub fn wait_for_rest(&self) {
        wait("the video's frames to be done", PATIENCE, || {
            (self.player("work") == "idle" && self.phase() == "ready" && self.done() > 0).then_some(())
        });
    }

    pub fn seek(&self, time: f64) {
        let script = "const scrubber = document.querySelector('#scrubber');
            scrubber.value = arguments[0];
            scrubber.dispatchEvent(new Event('input', { bubbles: true }));";
        self.window.script(script, &json!([time]));
    }

    /// Presses on the frame, at fractions of its width and height.
    pub fn point(&self, x: f64, y: f64) {
        let script = "const marks = document.querySelector('.marks'), around = marks.getBoundingClientRect();
            const at = { clientX: around.left + around.width * arguments[0],
                clientY: around.top + around.height * arguments[1], bubbles: true, pointerId: 1 };
            marks.dispatchEvent(new PointerEvent('pointerdown', at));
            marks.dispatchEvent(new PointerEvent('pointerup', at));";
        self.window.script(script, &json!([x, y]));
    }

    /// Returns kind, frame and pixels of the overlay: one letter for each pixel, by its colour.
    pub fn overlay(&self) -> Value {
        let script = "const canvas = document.querySelector('#video-overlay');
            const { width, height } = canvas;
            const rgba = canvas.getContext('2d').getImageData(0, 0, width, height).data;
            let ink = '';
            for (let i = 0; i < rgba.length; i += 4) ink += rgba[i + 3] ? '#' : '.';
            return { kind: canvas.dataset.layerKind, frame: canvas.dataset.frame, width, height, ink };";
        self.window.script(script, &json!([]))
    }

    pub fn overlay_of(&self, kind: &str, frame: usize) -> Value {
        wait(&format!("the {kind} of frame {frame}"), PATIENCE, || {
            let found = self.overlay();
            (found["kind"] == kind && found["frame"] == frame.to_string().as_str()).then_some(found)
        })
    }
}

/// Returns the intersection over union of the painted pixels and a shape, over the overlay's pixels.
fn overlap(overlay: &Value, is_in: impl Fn(f64, f64) -> bool) -> f64 {
    let (width, height) = (overlay["width"].as_u64().unwrap(), overlay["height"].as_u64().unwrap());
    let ink = overlay["ink"].as_str().unwrap().as_bytes();
    let (mut both, mut either) = (0.0, 0.0);
    for at in 0..width * height {
        let (x, y) = ((at % width) as f64 + 0.5, (at / width) as f64 + 0.5);
        let (painted, wanted) = (ink[at as usize] == b'#', is_in(x / width as f64, y / height as f64));
        both += f64::from(u8::from(painted && wanted));
        either += f64::from(u8::from(painted || wanted));
    }
    both / f64::max(either, 1.0)
}

#[test]
#[ignore = "needs the set-up of `cargo xtask test browser`"]
fn tracks_survive_seek_and_pause_and_are_repeatable() {
    let scratch = TemporaryFolder::new("video-tracks");
    let clip = Clip { width: 160, height: 96, frames: 12 };
    let page = Page::open("video-tracks", Graphics::None, TINY);
    page.open_frames(&clip.write(scratch.path()));
    page.wait_for_frames(1);
    page.seek(0.0);
    let first = page.overlay_of("tracks", 0);
    assert!(first["ink"].as_str().unwrap().contains('#'), "the first frame has no tracks");
    page.wait_for_rest();
    assert_eq!(page.done(), 12);
    page.seek(0.55);
    let there = page.overlay_of("tracks", 5);
    assert_ne!(there["ink"], first["ink"], "another frame has the same tracks");
    page.seek(0.0);
    assert_eq!(page.overlay_of("tracks", 0)["ink"], first["ink"], "the same frame has other tracks");

    // Starts again and stops half-way: finished frames stay, and continuing finishes the rest.
    page.window.click("input[type=checkbox][name=centre]");
    page.window.click("#resample");
    page.wait_for_frames(2);
    page.window.script("document.querySelector('#pause-looking')?.click()", &json!([]));
    wait("the pause", PATIENCE, || (page.player("work") != "running" && page.phase() == "ready").then_some(()));
    let kept = page.done();
    assert!(kept >= 2, "{kept} frames stay");
    if kept < 12 {
        page.window.click("#look");
        page.wait_for_rest();
    }
    assert_eq!(page.done(), 12);
    page.window.click("input[type=checkbox][name=centre]");
    page.window.click("#resample");
    page.wait_for_rest();
    page.seek(0.0);
    assert_eq!(page.overlay_of("tracks", 0)["ink"], first["ink"], "a second run gave other tracks");
    page.assert_quiet_console();
}

#[test]
#[ignore = "needs the set-up of `cargo xtask test browser`"]
fn phrases_are_charted_and_a_press_on_the_chart_seeks() {
    let scratch = TemporaryFolder::new("video-chart");
    let clip = Clip { width: 160, height: 96, frames: 6 };
    let page = Page::open("video-chart", Graphics::None, TINY);
    page.set_phrases(&["a photo of a cat", "a photo of a dog"]);
    page.open_frames(&clip.write(scratch.path()));
    page.wait_for_rest();
    let lines = page.window.script(
        "return [...document.querySelectorAll('#chart polyline')].map((line) => line.points.numberOfItems)",
        &json!([]),
    );
    assert_eq!(lines, json!([6, 6]), "the chart must have a point for each phrase and frame");
    page.seek(0.0);
    // The middle of the chart is the middle of the video.
    page.window.click("#chart");
    wait("the seek", PATIENCE, || {
        let time: f64 = page.player("time").parse().unwrap();
        (time - 0.3).abs().lt(&0.02).then_some(())
    });
    page.window.click("input[type=checkbox][name=split]");
    wait("a line per head", PATIENCE, || {
        let names = page.window.script(
            "return [...document.querySelectorAll('.legend-lines li')].map((line) => line.dataset.line)",
            &json!([]),
        );
        let names = names.as_array()?;
        (names.len() == 5 && names.iter().all(|name| name.as_str().unwrap().starts_with("Layer"))).then_some(())
    });
    page.assert_quiet_console();
}

#[test]
#[ignore = "needs the set-up of `cargo xtask test browser`"]
fn a_bad_video_is_reported_and_nothing_is_lost() {
    let scratch = TemporaryFolder::new("video-bad");
    let clip = Clip { width: 160, height: 96, frames: 3 };
    let page = Page::open("video-bad", Graphics::None, TINY);
    page.open_frames(&clip.write(scratch.path()));
    page.wait_for_rest();
    page.seek(0.0);
    let before = page.overlay_of("tracks", 0);
    let file = scratch.path().join("holiday.mp4");
    std::fs::write(&file, "Dear diary, this is no video.\n").unwrap();
    page.window.choose_file("input[type=file][name=video]", &file);
    let message = page.wait_for_message();
    assert!(message.contains("holiday.mp4"), "the message does not name the file: {message:?}");
    assert!(message.split_whitespace().count() > 4 && !message.contains("Err("), "{message:?}");
    page.wait_for_rest();
    assert_eq!(page.done(), 3);
    assert_eq!(page.overlay_of("tracks", 0)["ink"], before["ink"]);
    page.seek(0.15);
    page.overlay_of("tracks", 1);
}

/// The masks that the page propagates from a point, compared with the disc itself.
#[test]
#[ignore = "needs the set-up of `cargo xtask test browser`"]
fn a_mask_follows_the_selected_disc_and_is_saved() {
    let scratch = TemporaryFolder::new("video-masks");
    let clip = Clip { width: 320, height: 200, frames: 8 };
    let page = Page::open("video-masks", Graphics::None, "?device=cpu");
    page.open_frames(&clip.write(scratch.path()));
    page.wait_for_rest();
    page.seek(0.0);
    page.window.script(
        "const side = document.querySelector('select[name=short-side]');
        side.value = '336';
        side.dispatchEvent(new Event('change', { bubbles: true }));",
        &json!([]),
    );
    page.window.click("fieldset:has(input[name=tool]) label:nth-of-type(2)");
    let (x, y, _) = clip.disc(0);
    page.point(x, y);
    let first = page.overlay_of("propagation", 0);
    page.window.click("#propagate-on");
    wait("all masks", PATIENCE, || {
        let script = "const { masks, running } = document.querySelector('.propagation').dataset;
            return running === 'false' && +masks";
        (page.window.script(script, &json!([])) == clip.frames).then_some(())
    });
    let (mut followed, mut copied) = (0.0, 0.0);
    for frame in 1..clip.frames {
        page.seek(frame as f64 / 10.0 + 0.02);
        let mask = page.overlay_of("propagation", frame);
        let is_disc = |x: f64, y: f64| clip.is_disc(frame, x, y);
        followed += overlap(&mask, is_disc) / (clip.frames - 1) as f64;
        copied += overlap(&first, is_disc) / (clip.frames - 1) as f64;
    }
    println!("mean J: followed {followed:.3}, the first mask copied {copied:.3}");
    assert!(followed >= copied + 0.2, "mean J {followed}, and {copied} for the first mask copied");
    assert!(followed >= 0.8, "mean J {followed}");

    let saved = page.save("#export-json");
    let document: Value = serde_json::from_slice(&saved).unwrap();
    assert_eq!(document["frames"].as_array().unwrap().len(), clip.frames);
    let mask = &document["frames"][0]["masks"][0];
    assert_eq!(mask["segmentation"]["size"], json!([200, 320]));
    let disc = std::f64::consts::PI * (0.22 * 200.0_f64).powi(2);
    let area = mask["area"].as_f64().unwrap();
    assert!((0.5..1.6).contains(&(area / disc)), "the mask has {area} pixels, the disc {disc}");
    let zip = page.save("#export-masks");
    assert_eq!(&zip[..4], b"PK\x03\x04");

    // After starting over, no saved file contains earlier masks.
    page.window.click(".propagation .quiet-button");
    page.seek(0.0);
    page.point(x, y);
    page.overlay_of("propagation", 0);
    page.settle();
    let document: Value = serde_json::from_slice(&page.save("#export-json")).unwrap();
    assert_eq!(document["frames"].as_array().unwrap().len(), 1);
    page.assert_quiet_console();
}

/// A video of two minutes (`tests/reference/video.py`), sampled at two frames a second.
#[test]
#[ignore = "needs the set-up of `cargo xtask test browser`"]
fn a_video_of_two_minutes_stays_in_bounded_memory() {
    // The bound covers the stored data of frames (512 MB), the worker, the page and the browser itself.
    const BOUND: u64 = 900 << 20;
    let file = places::checkout().join("tests/reference/fixtures/video/two_minutes.webm");
    let page = Page::open("video-memory", Graphics::None, TINY);
    page.open_video(&file);
    wait("the plan", PATIENCE, || (page.player("sampled") == "240").then_some(()));
    assert_eq!(page.done(), 0, "so many frames must wait for the user's consent");
    page.window.click("#look");
    page.wait_for_rest();
    assert_eq!(page.done(), 240);
    // Seeks back and forth once more: the visible frame is decoded again.
    for time in [119.0, 60.0, 0.0] {
        page.seek(time);
        page.overlay_of("tracks", (time * 2.0) as usize);
    }
    let peak = page.window.renderer_peak();
    println!("the page's process held {} MB at most", peak >> 20);
    assert!(peak < BOUND, "{} MB", peak >> 20);
    page.assert_quiet_console();
}

/// A newcomer clicks once, and then presses on a frame.
#[test]
#[ignore = "needs the set-up of `cargo xtask test browser`"]
fn one_click_shows_the_objects_of_the_sample_clip() {
    let page = Page::open("video-sample", Graphics::None, "?device=cpu");
    page.window.click("fieldset:has(input[name=mode]) label:nth-of-type(2)");
    page.window.click("#sample-clip");
    page.wait_for_rest();
    assert_eq!(page.player("sampled"), "11", "five seconds at two frames a second give eleven frames");
    assert_eq!(page.done(), 11);
    let heading = page.window.script("return document.querySelector('#player .name').textContent", &json!([]));
    assert!(
        heading.as_str().unwrap().contains("VP9 in WebM"),
        "the heading does not show that the worker decodes: {heading}"
    );
    page.seek(1.0);
    let shown = page.overlay_of("tracks", 2);
    assert!(shown["ink"].as_str().unwrap().contains('#'));
    let labels = page.window.script(
        "return [...document.querySelectorAll('.object-list li')].map((object) => object.dataset.labels)",
        &json!([]),
    );
    let labels = labels.as_array().unwrap();
    println!("{labels:?}");
    assert_eq!(labels.len(), 3, "there must be an object for each of three heads");
    assert!(
        labels.iter().all(|label| label.as_str().is_some_and(|label| !label.is_empty())),
        "an object has no label"
    );
    // The clip plays at its own rate, and the overlay follows.
    page.seek(0.0);
    page.window.click("#play");
    page.overlay_of("tracks", 3);
    page.window.click("#play");
    // The visible frame opens as a photo.
    page.window.click("#take-apart");
    wait("the frame as a photo", PATIENCE, || page.photo().starts_with("bunny.webm at").then_some(()));
    page.assert_quiet_console();
}
