//! headlamp's page, with functions for the tests.

use std::path::PathBuf;
use std::time::Duration;

use base64::Engine as _;
use serde_json::{Value, json};
use xtask::site::{Serving, Site};

use crate::driver::{Graphics, Window, wait};

/// No single step takes longer than this, not even on a software GPU.
pub const PATIENCE: Duration = Duration::from_secs(300);

/// The tiny pack on the CPU, for tests of the page rather than of the model.
pub const TINY: &str = "?device=cpu&pack=packs/tiny/";

/// Returns a folder that `cargo xtask test browser` names.
pub fn folder(variable: &str) -> PathBuf {
    let named = std::env::var_os(variable);
    named.unwrap_or_else(|| panic!("${variable} is not set: run `cargo xtask test browser`")).into()
}

/// Returns the folder of the packs that xtask built.
pub fn packs() -> PathBuf {
    folder("HEADLAMP_PACKS")
}

/// Returns the built page with its packs.
pub fn site() -> Site {
    let packs = packs();
    Site::new(folder("HEADLAMP_DIST"))
        .mount("packs/default", packs.join("default"))
        .mount("packs/tiny", packs.join("tiny"))
}

/// The page, open in a browser.
pub struct Page {
    pub window: Window,
    /// The server; `None` after `lose_network`.
    serving: Option<Serving>,
    address: String,
}

/// Every figure that the page shows for the current photo and the chosen phrase.
#[derive(Clone, Debug)]
pub struct Attribution {
    /// Phrase, score, probability; in the page's order.
    pub phrases: Vec<(String, f64, f64)>,
    /// `[layer][head]`
    pub heads: Vec<Vec<f64>>,
    pub mlps: Vec<f64>,
    pub embedding: f64,
}

impl Attribution {
    pub fn score(&self, phrase: &str) -> f64 {
        let found = self.phrases.iter().find(|(text, ..)| text == phrase);
        found.unwrap_or_else(|| panic!("the page has no {phrase:?}: {:?}", self.phrases)).1
    }

    /// Returns the phrase with the highest score.
    pub fn top(&self) -> &str {
        &self.phrases.iter().max_by(|a, b| a.1.total_cmp(&b.1)).expect("there are phrases").0
    }

    /// Returns the sum of all components.
    pub fn sum(&self) -> f64 {
        self.heads.iter().flatten().sum::<f64>() + self.mlps.iter().sum::<f64>() + self.embedding
    }
}

/// The segmentation on the overlay, at the preview's size.
pub struct Mask {
    pub width: usize,
    pub height: usize,
    /// In row-major order.
    pub foreground: Vec<bool>,
}

/// A head's labels: text, and the share of variance that the labels up to this one explain.
pub type Labels = Vec<(String, f64)>;

impl Page {
    /// Opens the page with `query` ("?device=cpu"), and does not wait.
    pub fn open_unready(test: &'static str, site: Site, graphics: Graphics, query: &str) -> Self {
        let serving = site.serve(0).unwrap();
        let address = serving.url();
        let page = Self { window: Window::open(test, graphics), serving: Some(serving), address };
        page.load(query);
        page
    }

    /// Returns the page at the address of another server. The page is not loaded yet.
    pub fn at(address: String, window: Window) -> Self {
        Self { window, serving: None, address }
    }

    /// Opens the page and waits until it is ready.
    pub fn open(test: &'static str, graphics: Graphics, query: &str) -> Self {
        let page = Self::open_unready(test, site(), graphics, query);
        page.wait_until_ready();
        page
    }

    /// Loads the page with another query.
    pub fn load(&self, query: &str) {
        self.window.go(&format!("{}{query}", self.address));
    }

    /// Stops the server: from now on nothing answers at the page's address.
    pub fn lose_network(&mut self) {
        self.serving = None;
    }

    pub fn wait_until_ready(&self) {
        wait("the page to be ready", PATIENCE, || match self.phase().as_str() {
            "failed" => panic!("the page failed: {}", self.message()),
            "ready" => Some(()),
            _ => None,
        });
    }

    pub fn phase(&self) -> String {
        self.text_of("return document.body.dataset.phase ?? ''")
    }

    /// Returns the message of the current failure; empty if there is none.
    pub fn message(&self) -> String {
        self.text_of("return document.querySelector('#message')?.textContent.trim() ?? ''")
    }

    pub fn wait_for_message(&self) -> String {
        wait("a message", PATIENCE, || Some(self.message()).filter(|message| !message.is_empty()))
    }

    /// Returns the name of the photo that the figures belong to.
    pub fn photo(&self) -> String {
        self.text_of("return document.querySelector('#scores')?.dataset.photo ?? ''")
    }

    /// Replaces the phrases by pasting `phrases` into the list, one per line.
    pub fn set_phrases(&self, phrases: &[&str]) {
        let script = "const input = document.querySelector('form#add-phrase input[name=phrase]');
            for (const row of document.querySelectorAll('li.phrase')) row.querySelector('.remove')?.click();
            const data = new DataTransfer();
            data.setData('text/plain', arguments[0]);
            input.focus();
            input.dispatchEvent(new ClipboardEvent('paste', { clipboardData: data, bubbles: true, cancelable: true }));";
        self.window.script(script, &json!([phrases.join("\n")]));
        wait("the pasted phrases", Duration::from_secs(10), || {
            let rows = "return [...document.querySelectorAll('li.phrase')].map((row) => row.dataset.phrase)";
            let rows = self.window.script(rows, &json!([]));
            let has = |phrase: &&str| rows.as_array().is_some_and(|rows| rows.iter().any(|row| row == phrase));
            phrases.iter().all(has).then_some(())
        });
        self.settle();
    }

    /// Clicks a sample and waits for its figures and segmentation.
    pub fn choose_sample(&self, name: &str) {
        let before = self.stamps();
        self.window.click(&format!("button.sample[data-sample={name}]"));
        wait(&format!("figures for {name}"), PATIENCE, || {
            assert_ne!(self.phase(), "failed", "{}", self.message());
            (self.photo().starts_with(name) && self.stamps().0 > before.0).then_some(())
        });
        self.settle();
    }

    /// Chooses one of the phrases, and waits for its figures and segmentation.
    pub fn choose_phrase(&self, phrase: &str) {
        let is_chosen = "return [...document.querySelectorAll('li.phrase')]
            .find((row) => row.dataset.phrase === arguments[0])?.getAttribute('aria-current') === 'true'";
        let is_chosen = || self.window.script(is_chosen, &json!([phrase])) == true;
        if !is_chosen() {
            let before = self.stamps();
            self.window.click(&format!("li.phrase[data-phrase={phrase:?}]"));
            wait(&format!("the choice of {phrase:?}"), PATIENCE, || {
                (is_chosen() && self.stamps().1 > before.1).then_some(())
            });
        }
        self.settle();
    }

    /// Waits until the worker is idle and nothing on the page has changed for a while.
    pub fn settle(&self) {
        let mut last = (self.stamps(), std::time::Instant::now());
        wait("the page to stop changing", PATIENCE, || {
            let now = self.stamps();
            if now != last.0 || self.phase() != "ready" {
                last = (now, std::time::Instant::now());
            }
            (last.1.elapsed() > Duration::from_millis(600)).then_some(())
        });
    }

    /// Returns how many attributions and segmentations the page has shown.
    fn stamps(&self) -> (u64, u64) {
        let script =
            "return ['#scores', '#overlay'].map((at) => +(document.querySelector(at)?.dataset.stamp ?? 0))";
        let stamps = self.window.script(script, &json!([]));
        (stamps[0].as_u64().unwrap_or(0), stamps[1].as_u64().unwrap_or(0))
    }

    pub fn attribution(&self) -> Attribution {
        let script = "const all = (selector) => [...document.querySelectorAll(selector)].map((at) => at.dataset);
            return {
                phrases: all('li.phrase').map((row) => [row.phrase, +row.score, +row.probability]),
                heads: all('button.head').map((head) => [+head.layer, +head.head, +head.contribution]),
                mlps: all('[data-mlp][data-contribution]').map((mlp) => [+mlp.mlp, +mlp.contribution]),
                embedding: all('[data-embedding-contribution]').map((at) => +at.embeddingContribution),
            };";
        let found = self.window.script(script, &json!([]));
        // JSON has no NaN: NaN arrives as null.
        let number = |value: &Value| value.as_f64().unwrap_or_else(|| panic!("not a number in {found}"));
        let list = |name: &str| found[name].as_array().cloned().unwrap_or_default();
        let phrase = |row: &Value| (row[0].as_str().unwrap().to_owned(), number(&row[1]), number(&row[2]));
        let mut heads: Vec<Vec<f64>> = Vec::new();
        for cell in list("heads") {
            let (layer, head) = (number(&cell[0]) as usize, number(&cell[1]) as usize);
            heads.resize_with(heads.len().max(layer + 1), Vec::new);
            assert_eq!(heads[layer].len(), head, "heads are not in order or appear twice");
            heads[layer].push(number(&cell[2]));
        }
        let mlps = list("mlps");
        for (layer, mlp) in mlps.iter().enumerate() {
            assert_eq!(number(&mlp[0]) as usize, layer, "MLPs are not in order or appear twice");
        }
        let embedding = list("embedding");
        assert_eq!(embedding.len(), 1, "there must be one figure for the embedding");
        Attribution {
            phrases: list("phrases").iter().map(phrase).collect(),
            heads,
            mlps: mlps.iter().map(|mlp| number(&mlp[1])).collect(),
            embedding: number(&embedding[0]),
        }
    }

    /// Returns a field of the model panel.
    pub fn field(&self, name: &str) -> String {
        let script = "return document.querySelector(`#model-panel [data-field=${arguments[0]}]`)?.dataset.value";
        let value = self.window.script(script, &json!([name]));
        value.as_str().unwrap_or_else(|| panic!("the model panel has no {name}")).to_owned()
    }

    /// Returns the sum check of the current photo.
    pub fn residual(&self) -> f64 {
        self.field("residual").parse().unwrap()
    }

    pub fn mask(&self) -> Mask {
        let script = "const overlay = document.querySelector('canvas#overlay');
            const { width, height } = overlay;
            const rgba = overlay.getContext('2d').getImageData(0, 0, width, height).data;
            let bits = '';
            for (let i = 3; i < rgba.length; i += 4) bits += rgba[i] > 0 ? '1' : '0';
            const photo = document.querySelector('canvas#photo');
            return { width, height, bits, kind: overlay.dataset.layerKind, photo: [photo.width, photo.height] };";
        let found = self.window.script(script, &json!([]));
        assert_eq!(found["kind"], "segmentation", "the overlay does not show the segmentation");
        assert_eq!(
            found["photo"],
            json!([found["width"], found["height"]]),
            "the overlay and the photo differ in size"
        );
        let size = |name: &str| found[name].as_u64().unwrap() as usize;
        let foreground = found["bits"].as_str().unwrap().bytes().map(|bit| bit == b'1').collect();
        Mask { width: size("width"), height: size("height"), foreground }
    }

    /// Returns the left and right edge of the crop frame, as fractions of the photo's width.
    pub fn crop_frame(&self) -> (f64, f64) {
        let script = "const { left, width } = document.querySelector('#crop-frame').style;
            return [parseFloat(left), parseFloat(width)];";
        let found = self.window.script(script, &json!([]));
        let share =
            |index: usize| found[index].as_f64().unwrap_or_else(|| panic!("no crop frame: {found}")) / 100.0;
        (share(0), share(0) + share(1))
    }

    /// Clicks a head and waits for its panel.
    pub fn choose_head(&self, layer: usize, head: usize) -> Labels {
        self.window.click(&format!("button.head[data-layer='{layer}'][data-head='{head}']"));
        let panel = format!("#head-panel[data-layer='{layer}'][data-head='{head}']");
        wait(&format!("the labels of head {layer}.{head}"), PATIENCE, || {
            assert_ne!(self.phase(), "failed", "{}", self.message());
            let script = "return [...document.querySelectorAll(arguments[0] + ' ol.labels > li')]
                .map((label) => [label.dataset.text, +label.dataset.explained])";
            let labels = self.window.script(script, &json!([panel]));
            let labels = labels.as_array().filter(|labels| !labels.is_empty())?;
            let label = |label: &Value| (label[0].as_str().unwrap().to_owned(), label[1].as_f64().unwrap());
            Some(labels.iter().map(label).collect())
        })
    }

    /// Returns how many different colours the head's map has.
    pub fn head_map_colours(&self) -> u64 {
        let script = "const map = document.querySelector('canvas.head-map');
            const rgba = map.getContext('2d').getImageData(0, 0, map.width, map.height).data;
            return new Set(new Uint32Array(rgba.buffer)).size;";
        wait("the head's map", PATIENCE, || self.window.script(script, &json!([])).as_u64().filter(|n| *n > 1))
    }

    /// Returns the file that a button saves.
    pub fn save(&self, button: &str) -> Vec<u8> {
        let script = "const make = URL.createObjectURL;
            return new Promise((done) => {
                URL.createObjectURL = (blob) => {
                    URL.createObjectURL = make;
                    const reader = new FileReader();
                    reader.onload = () => done(reader.result.split(',')[1]);
                    reader.readAsDataURL(blob);
                    return make.call(URL, blob);
                };
                document.querySelector(arguments[0]).click();
            });";
        let saved = self.window.script(script, &json!([button]));
        base64::engine::general_purpose::STANDARD.decode(saved.as_str().unwrap()).unwrap()
    }

    /// Asserts that the console has no error. A missing icon does not count.
    pub fn assert_quiet_console(&self) {
        let errors = self.window.console_errors();
        let errors: Vec<_> = errors.iter().filter(|line| !line.contains("favicon.ico")).collect();
        assert!(errors.is_empty(), "the console has errors: {errors:#?}");
    }

    fn text_of(&self, script: &str) -> String {
        self.window.script(script, &json!([])).as_str().unwrap_or_default().to_owned()
    }
}
