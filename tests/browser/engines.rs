//! The model on the GPU compared with the CPU, on WebGPU's software adapter and a tiny pack of random weights.

use std::sync::mpsc::channel;
use std::time::Duration;

use serde_json::json;
use xtask::places;

use crate::driver::Graphics;
use crate::page::{Attribution, Labels, Mask, Page, TINY, packs, site};

const PHRASES: [&str; 4] = ["a photo of a cat", "a rocket on its launch pad", "red", "many small round things"];
/// The largest allowed difference, relative to the largest figure. The CPU's kernels round to integers of 16 bits;
/// the GPU computes in f32. Figures of random weights are all far from zero. The largest difference measured is
/// 1.4e-3.
const ROUNDING: f64 = 4e-3;
const SAMPLES: [&str; 2] = ["astronaut", "china"];

/// The results of one backend for a photo.
struct Outputs {
    attributions: Vec<Attribution>,
    labels: Labels,
    mask: Mask,
}

#[test]
#[ignore = "needs the set-up of `cargo xtask test browser`"]
fn the_gpu_engine_agrees_with_the_cpu_engine() {
    let page = Page::open("engines", Graphics::SoftwareWebGpu, "?device=cpu&pack=packs/tiny/");
    assert_eq!(page.field("device"), "CPU");
    let on_cpu = outputs(&page);
    page.load("?device=gpu&pack=packs/tiny/");
    page.wait_until_ready();
    assert_eq!(page.field("device"), "GPU");
    let on_gpu = outputs(&page);
    for ((name, cpu), gpu) in SAMPLES.iter().zip(&on_cpu).zip(&on_gpu) {
        for (phrase, (cpu, gpu)) in PHRASES.iter().zip(cpu.attributions.iter().zip(&gpu.attributions)) {
            let error = relative_error(cpu, gpu);
            println!("{name}, {phrase:?}: relative error {error:.2e}");
            assert!(error < ROUNDING, "{name}, {phrase:?}: relative error {error}\n{cpu:?}\n{gpu:?}");
        }
        for ((cpu_text, cpu_share), (gpu_text, gpu_share)) in cpu.labels.iter().zip(&gpu.labels) {
            assert_eq!(cpu_text, gpu_text, "{name}: labels");
            assert!(
                (cpu_share - gpu_share).abs() < ROUNDING * cpu_share,
                "{name}: {cpu_text} {cpu_share} {gpu_share}"
            );
        }
        let differing = cpu.mask.foreground.iter().zip(&gpu.mask.foreground).filter(|(a, b)| a != b).count();
        assert_eq!(cpu.mask.foreground.len(), gpu.mask.foreground.len());
        // Rounding may only matter where the soft map passes the threshold.
        assert!(differing * 500 <= cpu.mask.foreground.len(), "{name}: the masks differ in {differing} pixels");
    }
    page.assert_quiet_console();
}

#[test]
#[ignore = "needs the set-up of `cargo xtask test browser`"]
fn the_panel_explains_why_the_cpu_is_used() {
    let auto = "?pack=packs/tiny/";
    let reasons = [
        (Graphics::SoftwareWebGpu, auto, "the only GPU is a software GPU, which is slower than the CPU"),
        (Graphics::None, auto, "this machine offers no GPU for computing"),
        (Graphics::None, TINY, "you chose it"),
    ];
    for (graphics, query, why) in reasons {
        let page = Page::open("why-this-device", graphics, query);
        assert_eq!((page.field("device").as_str(), page.field("why").as_str()), ("CPU", why));
        page.assert_quiet_console();
    }
}

#[test]
#[ignore = "needs the set-up of `cargo xtask test browser`"]
fn one_gpu_serves_one_model_after_another() {
    let (asked, heard) = channel();
    let listener = move |url: &str| {
        if url.starts_with("/packs/other/weights") {
            asked.send(()).unwrap();
        }
    };
    let site = site().mount("packs/other", packs().join("tiny")).observed_by(listener);
    let page = Page::open_unready("second-model", site, Graphics::SoftwareWebGpu, "?device=gpu&pack=packs/tiny/");
    page.wait_until_ready();
    page.choose_sample("china");
    let before = page.attribution();
    let back = "history.pushState(null, '', '?device=gpu&pack=packs/other/');
        dispatchEvent(new PopStateEvent('popstate'));";
    page.window.script(back, &json!([]));
    heard.recv_timeout(Duration::from_secs(60)).expect("the other model was not downloaded");
    page.settle();
    page.choose_sample("china");
    assert_eq!((page.field("device").as_str(), page.message().as_str()), ("GPU", ""));
    assert_eq!(page.attribution().heads, before.heads, "the same weights on the same GPU gave other figures");
}

#[test]
#[ignore = "needs the set-up of `cargo xtask test browser`"]
fn gpu_errors_of_shaders_and_memory_are_reported() {
    for (script, says) in [
        ("refusing_shaders.js", "no GPU can be used here (it rejected a shader or an allocation"),
        ("refusing_memory.js", "the GPU refused the model"),
    ] {
        let page = open_with("refusing-gpu", script);
        let message = page.wait_for_message();
        assert!(message.to_lowercase().contains(&says.to_lowercase()), "{script}: {message}");
        assert!(message.ends_with("choose the CPU."), "{script}: {message}");
        page.load("?device=cpu&pack=/packs/tiny/");
        page.wait_until_ready();
    }
}

#[test]
#[ignore = "needs the set-up of `cargo xtask test browser`"]
fn a_browser_that_never_answers_about_gpus_has_none() {
    let page = open_with("silent-gpu", "silent.js");
    page.load("?pack=/packs/tiny/");
    page.wait_until_ready();
    assert_eq!(page.field("why"), "this machine offers no GPU for computing");
}

/// Opens the page with the tiny pack. `script` of `tests/browser/gpu` intercepts the calls to the GPU.
fn open_with(test: &'static str, script: &str) -> Page {
    let site = site().mount("gpu", places::checkout().join("tests/browser/gpu"));
    let page = Page::open_unready(test, site, Graphics::SoftwareWebGpu, "?device=cpu&pack=packs/none/");
    let start = format!(
        "new BroadcastChannel('gpu-calls').onmessage = ({{ data }}) => window.gpuCalls = data;
        window.Worker = class extends Worker {{
            constructor(_loader, options) {{ super('/gpu/{script}', options); }}
        }};"
    );
    page.window.chrome("Page.addScriptToEvaluateOnNewDocument", &json!({ "source": start }));
    // The packs are not in the folder of the script, where the worker would look for them.
    page.load("?device=gpu&pack=/packs/tiny/");
    page
}

#[test]
#[ignore = "needs the set-up of `cargo xtask test browser`"]
fn a_photo_of_the_same_size_uses_the_recorded_run() {
    let page = open_with("recorded", "counting.js");
    page.wait_until_ready();
    page.settle();
    let calls = || {
        let calls = page.window.script("return window.gpuCalls", &json!([]));
        ["bindGroups", "dispatches", "reads"].map(|name| calls[name].as_u64().unwrap())
    };
    let of_photo = |name: &str| {
        let before = calls();
        page.choose_sample(name);
        let after = calls();
        [0, 1, 2].map(|kind| after[kind] - before[kind])
    };
    // The first photo has no recorded run. The second photo records one.
    let photos = ["china", "astronaut", "coffee", "china"].map(of_photo);
    println!("bind groups, dispatches and reads of each photo: {photos:?}");
    let [[_, dispatches, _], _, third, fourth] = photos;
    for photo in [third, fourth] {
        assert_eq!(
            photo,
            [0, dispatches, 1],
            "a recorded run must bind nothing, dispatch everything, and read once"
        );
    }
    assert!(dispatches > 10, "too few dispatches for a transformer");
    page.assert_quiet_console();
}

#[test]
#[ignore = "needs the set-up of `cargo xtask test browser`"]
fn one_click_explains_the_whole_photo() {
    let page = Page::open("whole-photo", Graphics::None, "?device=cpu&pack=packs/tiny/");
    page.set_phrases(&PHRASES);
    page.choose_sample("china");
    let cropped = page.mask();
    let (left, right) = page.crop_frame();
    let outside = |mask: &Mask| {
        let columns = mask.foreground.iter().enumerate().map(|(pixel, on)| (pixel % mask.width, *on));
        let place = |column: usize| (column as f64 + 0.5) / mask.width as f64;
        columns.filter(|(column, on)| *on && !(left..right).contains(&place(*column))).count()
    };
    assert!(left > 0.1 && right < 0.9, "the crop must not reach the photo's margins: {left} to {right}");
    assert_eq!(outside(&cropped), 0, "the segmentation of the centre crop reaches outside it");
    let score = page.attribution().score(PHRASES[0]);
    page.window.click("button#whole-photo");
    crate::driver::wait("the whole photo's figures", std::time::Duration::from_secs(120), || {
        let pressed = "return document.querySelector('#whole-photo').getAttribute('aria-pressed') === 'true'";
        let pressed = page.window.script(pressed, &serde_json::json!([])) == true;
        (pressed && page.attribution().score(PHRASES[0]) != score).then_some(())
    });
    page.settle();
    assert!(page.residual() < 1e-4, "sum check: {}", page.residual());
    assert!(outside(&page.mask()) > 0, "the segmentation of the whole photo must reach the margins");
    page.assert_quiet_console();
}

fn outputs(page: &Page) -> Vec<Outputs> {
    page.set_phrases(&PHRASES);
    let outputs = SAMPLES.iter().map(|name| {
        page.choose_sample(name);
        let attributions = PHRASES.iter().map(|phrase| {
            page.choose_phrase(phrase);
            let found = page.attribution();
            let (sum, score) = (found.sum(), found.score(phrase));
            assert!((sum - score).abs() < 1e-4, "the components of {phrase:?} sum to {sum}, its score is {score}");
            assert!(page.residual() < 1e-4, "sum check: {}", page.residual());
            found
        });
        let attributions: Vec<_> = attributions.collect();
        let mask = page.mask();
        let last = attributions[0].heads.len() - 1;
        Outputs { labels: page.choose_head(last, 0), attributions, mask }
    });
    outputs.collect()
}

/// Returns the largest difference between two lists of figures of one kind, relative to the largest figure.
fn relative_error(cpu: &Attribution, gpu: &Attribution) -> f64 {
    let kinds = |of: &Attribution| -> [Vec<f64>; 5] {
        [
            of.phrases.iter().map(|(_, score, _)| *score).collect(),
            of.phrases.iter().map(|(.., probability)| *probability).collect(),
            of.heads.concat(),
            of.mlps.clone(),
            vec![of.embedding],
        ]
    };
    let errors = kinds(cpu).into_iter().zip(kinds(gpu)).map(|(cpu, gpu)| {
        assert_eq!(cpu.len(), gpu.len());
        let largest = cpu.iter().fold(0.0_f64, |most, value| most.max(value.abs()));
        assert!(largest > 0.0, "all figures are zero, so the comparison proves nothing");
        cpu.iter().zip(&gpu).map(|(a, b)| (a - b).abs()).max_by(f64::total_cmp).unwrap_or(0.0) / largest
    });
    errors.max_by(f64::total_cmp).unwrap_or(0.0)
}
