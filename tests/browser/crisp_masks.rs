//! Masks that follow the edges of the photo: the choice between them and the masks as the model sees them, the files,
//! and a photo of 12 megapixels.

use std::time::Duration;

use serde_json::{Value, json};
use test_support::TemporaryFolder;

use crate::driver::{Graphics, wait};
use crate::page::{Mask, Page, TINY};
use crate::video::Clip;

const PATIENCE: Duration = Duration::from_secs(240);

/// The choice in the photo view and in the video view.
const PHOTO_CHOICE: &str = "input[name=as-model-sees]";
const VIDEO_CHOICE: &str = "input[name=video-as-model-sees]";

impl Page {
    /// Saves the mask; returns its size and its foreground.
    fn saved_mask(&self) -> Mask {
        let png = image::load_from_memory(&self.save("#save-mask")).unwrap().into_luma8();
        let foreground = png.pixels().map(|pixel| pixel.0[0] > 0).collect();
        Mask { width: png.width() as usize, height: png.height() as usize, foreground }
    }

    fn query(&self) -> String {
        let query = self.window.script("return location.search", &json!([]));
        query.as_str().unwrap_or_default().to_owned()
    }
}

fn differing(one: &[bool], other: &[bool]) -> usize {
    assert_eq!(one.len(), other.len());
    one.iter().zip(other).filter(|(one, other)| one != other).count()
}

#[test]
#[ignore = "needs the set-up of `cargo xtask test browser`"]
fn the_mask_as_the_model_sees_it_is_one_press_away() {
    let page = Page::open("crisp-choice", Graphics::None, TINY);
    page.choose_sample("chelsea");
    let (crisp, scores) = (page.mask(), page.attribution());
    let stamp = "return document.querySelector('#overlay').dataset.stamp";
    let before = page.window.script(stamp, &json!([]));
    page.window.click(PHOTO_CHOICE);
    wait("the address", PATIENCE, || page.query().contains("unrefined=1").then_some(()));
    let raw = page.mask();
    assert!(differing(&crisp.foreground, &raw.foreground) > 0, "both masks are the same");
    assert_eq!(page.window.script(stamp, &json!([])), before, "the choice asked for another segmentation");
    page.settle();
    assert_eq!(page.attribution().heads, scores.heads, "the choice changed the scores");
    page.window.click(PHOTO_CHOICE);
    wait("the address", PATIENCE, || (!page.query().contains("unrefined=")).then_some(()));
    assert_eq!(differing(&crisp.foreground, &page.mask().foreground), 0);
    page.assert_quiet_console();
}

#[test]
#[ignore = "needs the set-up of `cargo xtask test browser`"]
fn the_saved_mask_is_the_mask_on_screen() {
    let page = Page::open("crisp-saved", Graphics::None, TINY);
    // This photo is shown at its own size.
    page.choose_sample("chelsea");
    // With random weights, some phrases are nowhere.
    let phrases = page.attribution().phrases;
    let has_mask = |phrase: &&String| {
        page.choose_phrase(phrase);
        page.mask().foreground.contains(&true)
    };
    phrases.iter().map(|(phrase, ..)| phrase).find(has_mask).expect("a phrase that is somewhere");
    for is_raw in [false, true] {
        if is_raw {
            page.window.click(PHOTO_CHOICE);
        }
        let (shown, saved) = (page.mask(), page.saved_mask());
        assert_eq!((shown.width, shown.height), (saved.width, saved.height));
        let apart = differing(&shown.foreground, &saved.foreground);
        assert!(apart * 2000 <= shown.foreground.len(), "{apart} pixels differ, raw: {is_raw}");
        assert!(shown.foreground.contains(&true), "no foreground, raw: {is_raw}");
        // The JSON has the mask on screen too.
        let found: Value = serde_json::from_slice(&page.save("#save-json")).unwrap();
        let segmentation = &found["segmentation"];
        assert_eq!(segmentation["is_as_model_sees"], is_raw);
        let share = shown.foreground.iter().filter(|is_in| **is_in).count() as f64;
        let crop = &segmentation["crop_in_photo"];
        let side = |name: &str| crop[name].as_f64().unwrap();
        let share = share / (side("width") * side("height"));
        let written = segmentation["foreground"].as_f64().unwrap();
        assert!((share - written).abs() < 0.01, "{share} on screen, {written} in the file");
    }
    page.assert_quiet_console();
}

#[test]
#[ignore = "needs the set-up of `cargo xtask test browser`"]
fn a_photo_of_twelve_megapixels_stays_responsive() {
    let scratch = TemporaryFolder::new("crisp-large");
    let file = scratch.path().join("large.jpg");
    let pixel = |x: u32, y: u32| {
        let is_disc = (f64::from(x) - 2000.0).hypot(f64::from(y) - 1500.0) < 800.0;
        let wave = ((f64::from(x) / 90.0).sin() * 20.0 + (f64::from(y) / 70.0).cos() * 20.0) as i32;
        let mixed = |value: i32| (value + wave).clamp(0, 255) as u8;
        if is_disc { image::Rgb([mixed(210), mixed(90), 30]) } else { image::Rgb([mixed(80), 110, mixed(150)]) }
    };
    image::RgbImage::from_fn(4000, 3000, pixel).save(&file).unwrap();
    let page = Page::open("crisp-large", Graphics::None, TINY);
    let before = page.stamps();
    page.window.choose_file("input[type=file][name=photo]", &file);
    wait("the photo", PATIENCE, || {
        assert_ne!(page.phase(), "failed", "{}", page.message());
        (page.photo() == "large.jpg" && page.stamps().0 > before.0).then_some(())
    });
    page.settle();
    let shown = page.mask();
    assert_eq!((shown.width, shown.height), (1400, 1050));
    // The time until the page has drawn another threshold, and the other mask.
    let script = "const times = [];
        const timed = async (act) => {
            const start = performance.now();
            act();
            await new Promise(requestAnimationFrame);
            times.push(performance.now() - start);
        };
        const threshold = document.querySelector('input[name=threshold]');
        return (async () => {
            for (const value of [0.3, 0.5, 0.7, 0.4]) await timed(() => {
                threshold.value = value;
                threshold.dispatchEvent(new Event('input', { bubbles: true }));
            });
            const choice = document.querySelector('input[name=as-model-sees]');
            for (const _ of [1, 2]) await timed(() => choice.click());
            return times;
        })();";
    let times = page.window.script(script, &json!([]));
    println!("threshold, threshold, threshold, threshold, raw, crisp: {times} ms");
    for time in times.as_array().unwrap() {
        assert!(time.as_f64().unwrap() < 1000.0, "{times} ms");
    }
    let saved = page.saved_mask();
    assert_eq!((saved.width, saved.height), (4000, 3000));
    // The pixels of the photo at the centres of the preview's pixels have nearly the same mask: the same filter, applied to
    // the photo's own colours.
    let shown = page.mask();
    let at = |x: usize, y: usize| {
        let of = |place: usize, from: usize, to: usize| (2 * place + 1) * to / (2 * from);
        saved.foreground[of(y, 1050, 3000) * 4000 + of(x, 1400, 4000)]
    };
    let apart =
        (0..shown.foreground.len()).filter(|place| at(place % 1400, place / 1400) != shown.foreground[*place]);
    let share = apart.count() as f64 / shown.foreground.len() as f64;
    println!("{:.3} % of the preview's pixels differ from the saved mask", share * 100.0);
    assert!(share < 0.01, "{share}");
    page.assert_quiet_console();
}

#[test]
#[ignore = "needs the set-up of `cargo xtask test browser`"]
fn masks_of_videos_are_crisp_and_saved_as_shown() {
    let scratch = TemporaryFolder::new("crisp-video");
    let clip = Clip { width: 160, height: 96, frames: 3 };
    let page = Page::open("crisp-video", Graphics::None, TINY);
    page.open_frames(&clip.write(scratch.path()));
    page.wait_for_rest();
    page.seek(0.0);
    let crisp = page.overlay_of("tracks", 0);
    let shares = |crisp: &Value| {
        let ink = crisp["ink"].as_str().unwrap();
        let (width, height) = (crisp["width"].as_f64().unwrap(), crisp["height"].as_f64().unwrap());
        ink.bytes().filter(|pixel| *pixel == b'#').count() as f64 / (width * height)
    };
    // The union of all objects, on screen and in the pictures that are saved.
    let saved = |page: &Page| {
        let mut zip = zip::ZipArchive::new(std::io::Cursor::new(page.save("#export-masks"))).unwrap();
        let mut png = Vec::new();
        std::io::Read::read_to_end(&mut zip.by_name("00000.png").unwrap(), &mut png).unwrap();
        let labels = image::load_from_memory(&png).unwrap().into_luma8().into_raw();
        labels.iter().filter(|label| **label > 0).count() as f64 / labels.len() as f64
    };
    let (shown, written) = (shares(&crisp), saved(&page));
    assert!((shown - written).abs() < 0.02, "{shown} of the frame on screen, {written} in the file");
    page.window.click(VIDEO_CHOICE);
    // Photo and video have the same choice.
    wait("the address", PATIENCE, || page.query().contains("unrefined=1").then_some(()));
    let raw = page.overlay_of("tracks", 0);
    assert_ne!(raw["ink"], crisp["ink"], "both masks are the same");
    let (shown, written) = (shares(&raw), saved(&page));
    assert!((shown - written).abs() < 0.02, "{shown} of the frame on screen, {written} in the file, raw");
    page.window.click(VIDEO_CHOICE);
    assert_eq!(page.overlay_of("tracks", 0)["ink"], crisp["ink"]);
    page.assert_quiet_console();
}
