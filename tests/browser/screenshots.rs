//! Screenshots of every view, and the layout that they must have: as wide as the window at every width.

use std::time::Duration;

use serde_json::json;

use crate::compare;
use crate::driver::{Graphics, wait};
use crate::gallery;
use crate::head_names;
use crate::page::{Page, folder};
use crate::photos::PHRASES;

const WIDTHS: [(u32, u32); 3] = [(360, 780), (768, 1024), (1440, 1000)];
const PATIENCE: Duration = Duration::from_secs(240);

impl Page {
    /// Takes screenshots of the view at every width in both themes, with `target` at the top. `None` stands for the top
    /// of the page.
    fn picture_everywhere(&self, view: &str, target: Option<&str>) {
        for (width, height) in WIDTHS {
            let metrics =
                json!({ "width": width, "height": height, "deviceScaleFactor": 1, "mobile": width < 500 });
            self.window.chrome("Emulation.setDeviceMetricsOverride", &metrics);
            for scheme in ["light", "dark"] {
                let media = json!({ "features": [{ "name": "prefers-color-scheme", "value": scheme }] });
                self.window.chrome("Emulation.setEmulatedMedia", &media);
                let script = "const at = arguments[0] && document.querySelector(arguments[0]);
                    document.activeElement?.blur();
                    if (at) at.scrollIntoView({ block: 'start' }); else scrollTo(0, 0);
                    if (at) scrollBy(0, -12);
                    return [document.documentElement.scrollWidth, innerWidth];";
                let widths = self.window.script(script, &json!([target]));
                assert_eq!(widths, json!([width, width]), "{view} is wider than a window of {width}");
                // Waits until bars and colours have stopped moving.
                std::thread::sleep(Duration::from_millis(350));
                self.window.snapshot(&format!("{view}-{width}-{scheme}"));
            }
        }
    }

    fn wait_for(&self, what: &str, script: &str) {
        wait(what, PATIENCE, || (self.window.script(script, &json!([])) == true).then_some(()));
    }
}

#[test]
#[ignore = "needs the set-up of `cargo xtask test browser`"]
fn screens_of_the_photo_views_fit_the_window() {
    let page = Page::open("screens-photo", Graphics::None, "?device=cpu");
    page.window.click("#decline-tour");
    page.set_phrases(&PHRASES);
    page.choose_sample("coffee");
    page.choose_phrase("a photo of a cup of coffee");
    let heads = page.attribution().heads;
    let last = heads.len() - 1;
    let strongest = heads[last].iter().enumerate().max_by(|a, b| a.1.total_cmp(b.1)).unwrap().0;
    page.choose_head(last, strongest);
    page.head_map_colours();
    page.picture_everywhere("photo", None);
    page.picture_everywhere("crisp", Some(".photo-panel"));
    page.window.click("input[name=as-model-sees]");
    page.picture_everywhere("as-the-model-sees", Some(".photo-panel"));
    page.window.click("input[name=as-model-sees]");
    page.window.click("#help-button");
    page.picture_everywhere("help", None);
    page.window.press("Escape", false);
    page.window.click("label:has(> input[name=layer]):nth-of-type(2)");
    page.window.script("document.querySelector('#head-panel details').open = true", &json!([]));
    page.settle();
    page.picture_everywhere("head", Some("#head-panel"));
    page.window.click("#switch-head");
    page.settle();
    page.picture_everywhere("lab", Some("#lab"));
    page.window.click("#all-on");
    page.window.click("#pin");
    page.choose_sample("chelsea");
    page.picture_everywhere("contrast", Some(".head-grid"));
    page.window.click("#pin");
    head_names::wait_for_names(&page);
    page.picture_everywhere("grid", Some(".head-grid"));
    page.picture_everywhere("open-a-model", Some("#load-model"));
    page.picture_everywhere("kept", Some("#kept"));
    compare::open_pack_beside(&page, "packs/tiny/");
    compare::settle(&page);
    page.picture_everywhere("two-models", Some("#comparison"));
    page.window.click("#close-comparison");
    page.window.click("#help-button");
    page.window.click("#tour-again");
    page.settle();
    page.window.click("#tour-next");
    page.settle();
    page.picture_everywhere("tour", Some(".toured"));
    page.assert_quiet_console();
}

#[test]
#[ignore = "needs the set-up of `cargo xtask test browser`"]
fn screens_of_gallery_and_video_fit_the_window() {
    let page = Page::open("screens-gallery", Graphics::None, "?device=cpu");
    page.window.click("#decline-tour");
    let samples = folder("CARGO_MANIFEST_DIR").join("www/samples");
    let photos = ["astronaut.png", "chelsea.png", "china.jpg", "coffee.png", "flower.jpg", "rocket.jpg"];
    let files: Vec<_> = photos.iter().map(|name| samples.join(name)).collect();
    page.window.choose_files("#gallery input[name=gallery]", &files);
    gallery::wait_for_count(&page, 6);
    page.settle();
    page.picture_everywhere("gallery", Some("#gallery"));
    head_names::wait_for_names(&page);
    head_names::open_largest_property(&page);
    page.wait_for("the pictures", "return document.querySelectorAll('.outlying img').length === 6");
    page.picture_everywhere("what-heads-do", Some("#what-heads-do"));
    page.window.script("document.querySelector('#cues').open = true", &json!([]));
    page.picture_everywhere("cues", Some("#cues"));
    page.window.click("fieldset:has(input[name=mode]) label:nth-of-type(2)");
    page.window.click("#sample-clip");
    page.wait_for(
        "every frame",
        "const { frames, sampled } = document.querySelector('#player').dataset;
        return +sampled > 0 && frames === sampled",
    );
    page.settle();
    page.window.script(
        "const at = document.querySelector('#scrubber'); at.value = 2;
         at.dispatchEvent(new Event('input', { bubbles: true }))",
        &json!([]),
    );
    page.wait_for("the tracks", "return document.querySelector('#video-overlay').dataset.layerKind === 'tracks'");
    page.picture_everywhere("video", None);
    page.assert_quiet_console();
}
