//! Pictures of the page for the README, and the layout that they must show: calm at every width.

use serde_json::json;

use crate::driver::Graphics;
use crate::page::Page;
use crate::photos::PHRASES;

#[test]
#[ignore = "needs what `cargo xtask test browser` sets up"]
fn screenshots_fit_the_window_at_every_width() {
    let page = Page::open("screenshots", Graphics::None, "?device=cpu");
    page.set_phrases(&PHRASES);
    page.choose_sample("coffee");
    page.choose_phrase("a photo of a cup of coffee");
    let heads = page.attribution().heads;
    let last = heads.len() - 1;
    let strongest = heads[last].iter().enumerate().max_by(|a, b| a.1.total_cmp(b.1)).unwrap().0;
    page.choose_head(last, strongest);
    page.head_map_colours();
    for (width, height) in [(1440, 1000), (360, 780)] {
        let metrics = json!({ "width": width, "height": height, "deviceScaleFactor": 1, "mobile": width < 500 });
        page.window.chrome("Emulation.setDeviceMetricsOverride", &metrics);
        for scheme in ["light", "dark"] {
            let media = json!({ "features": [{ "name": "prefers-color-scheme", "value": scheme }] });
            page.window.chrome("Emulation.setEmulatedMedia", &media);
            page.settle();
            let widths =
                page.window.script("return [document.documentElement.scrollWidth, innerWidth]", &json!([]));
            assert_eq!(widths, json!([width, width]), "the page is as wide as a window of {width}");
            page.window.picture(&format!("screenshot-{width}-{scheme}"));
        }
    }
    page.assert_quiet_console();
}
