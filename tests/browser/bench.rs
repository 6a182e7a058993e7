//! headlamp beside onnxruntime-web in one browser, and how long the page takes to be of use: `cargo xtask bench`.
//! docs/BENCHMARKS.md has the tables that this prints.

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use xtask::places;

use crate::driver::{Graphics, Window, wait};
use crate::gallery::{Pictures, add, wait_for_count};
use crate::hands::by_hand;
use crate::page::{Page, folder, site};
use crate::scratch::Scratch;
use crate::video::Clip;

/// Rounds after the one that warms up.
const ROUNDS: usize = 7;

/// onnxruntime-web as it can be run: a label, its provider, threads, and which weights.
const PEERS: [(&str, &str, usize, &str); 4] = [
    ("onnxruntime-web, f32, 1 thread", "wasm", 1, ".onnx"),
    ("onnxruntime-web, int8, 1 thread", "wasm", 1, ".int8.onnx"),
    ("onnxruntime-web, f32, 2 threads", "wasm", 2, ".onnx"),
    ("onnxruntime-web, int8, 2 threads", "wasm", 2, ".int8.onnx"),
];

/// When the page shows its first scores, computed beforehand, and the first that it has computed itself, in milliseconds.
/// It opens a sample of its own accord.
const MARKS: &str = "
    window.marks = {};
    const look = () => {
        const shown = Number(document.querySelector('#scores')?.dataset.stamp) > 0;
        const isBeforehand = document.querySelector('#beforehand') !== null;
        if (shown && isBeforehand) marks.beforehand ??= performance.now();
        if (shown && !isBeforehand) marks.result = performance.now();
        else setTimeout(look, 2);
    };
    look();";

/// Where `cargo xtask bench` put the other engine and its models.
fn other_engine() -> PathBuf {
    folder("HEADLAMP_BENCH")
}

fn comparison_site(other: &Path) -> xtask::site::Site {
    let checkout = places::checkout();
    site()
        .mount("dist", folder("HEADLAMP_DIST"))
        .mount("bench", checkout.join("benches/browser"))
        .mount("onnx", other.join("onnx"))
        .mount("ort", other.join("node_modules/onnxruntime-web/dist"))
        .isolated()
}

fn open_comparison(address: &str) -> Window {
    let window = Window::open("bench", Graphics::None);
    window.go(&format!("{address}bench/index.html"));
    wait("the page", Duration::from_secs(30), || {
        (window.script("return Boolean(window.compare)", &json!([])) == true).then_some(())
    });
    window
}

#[test]
#[ignore = "needs what `cargo xtask bench` sets up"]
fn bench_beside_onnxruntime_web() {
    let serving = comparison_site(&other_engine()).serve(0).unwrap();
    let window = open_comparison(&serving.url());
    for peers in [&PEERS[..2], &PEERS[2..]] {
        let onnx: serde_json::Map<String, Value> = peers
            .iter()
            .map(|(label, provider, threads, suffix)| ((*label).to_owned(), json!([provider, threads, suffix])))
            .collect();
        let options = json!({ "pack": "/packs/default/", "photoUrl": "/samples/coffee.png", "device": "cpu",
            "rounds": ROUNDS, "onnx": onnx });
        let found = window.script("return window.compare.encoders(arguments[0])", &json!([options]));
        print_times(&found["results"]);
    }
    println!(
        "\nMost memory of the page's process, all engines together: {} MB",
        window.renderer_peak() / 1_000_000
    );
}

/// Medians in milliseconds, and each against headlamp's of the same rounds.
fn print_times(results: &Value) {
    let columns = ["encoder", "text", "frames", "phrases"];
    println!("\n| | encoder | 10 texts | 8 frames | 10 phrases to all components |\n|---|---|---|---|---|");
    let median = |engine: &Value, column: &str| -> Option<f64> {
        let mut times: Vec<f64> = engine[column].as_array()?.iter().filter_map(Value::as_f64).collect();
        times.sort_by(f64::total_cmp);
        times.get(times.len() / 2).copied()
    };
    let own = &results["headlamp"];
    for (name, engine) in results.as_object().into_iter().flatten() {
        let cells = columns.map(|column| match (median(engine, column), median(own, column)) {
            (Some(time), Some(_)) if name == "headlamp" => format!("{:.0} ms", time * 1e3),
            (Some(time), Some(own)) => format!("{:.0} ms ({:.2}x)", time * 1e3, own / time),
            _ => "–".to_owned(),
        });
        println!("| {name} | {} |", cells.join(" | "));
    }
}

/// The first visit of a fresh browser, and a second one.
#[test]
#[ignore = "needs what `cargo xtask bench` sets up"]
fn bench_start_up() {
    let serving = site().serve(0).unwrap();
    let window = Window::open("bench-start-up", Graphics::None);
    window.chrome("Page.addScriptToEvaluateOnNewDocument", &json!({ "source": MARKS }));
    println!(
        "\n| visit | first paint | results computed beforehand | first result of its own |\n|---|---|---|---|"
    );
    for visit in ["first", "second", "third"] {
        window.go(&format!("{}?device=cpu", serving.url()));
        let marks = wait("a result", Duration::from_secs(120), || {
            let marks = window.script(
                "const paint = performance.getEntriesByName('first-contentful-paint')[0]?.startTime;
                 return marks.result ? [paint, marks.beforehand ?? NaN, marks.result] : null",
                &json!([]),
            );
            marks.as_array().cloned()
        });
        let seconds = |index: usize| marks[index].as_f64().unwrap_or(f64::NAN) / 1e3;
        println!("| {visit} | {:.2} s | {:.2} s | {:.2} s |", seconds(0), seconds(1), seconds(2));
        // So that the page's cache is filled.
        std::thread::sleep(Duration::from_secs(4));
    }
}

/// The encoder's time against what its multiplications make one expect, and TextSpan over all heads.
#[test]
#[ignore = "needs what `cargo xtask bench` sets up"]
fn bench_growth() {
    let serving = comparison_site(&other_engine()).serve(0).unwrap();
    let window = open_comparison(&serving.url());
    let options = |short_side: usize| {
        json!([{ "pack": "/packs/default/", "photoUrl": "/samples/chelsea.png", "device": "cpu",
            "shortSide": short_side, "runs": 5 }])
    };
    let mut first = None;
    println!(
        "\n| short side | tokens | encoder | against the first | multiplications against the first | memory |"
    );
    println!("|---|---|---|---|---|---|");
    for short_side in [224, 336, 448, 518] {
        let found = window.script("return window.compare.grown(arguments[0])", &options(short_side));
        let (tokens, seconds) = (found["tokens"].as_f64().unwrap(), found["seconds"].as_f64().unwrap());
        let (first_work, first_seconds) = *first.get_or_insert((multiplications(tokens), seconds));
        println!(
            "| {short_side} px | {tokens} | {:.0} ms | {:.2} | {:.2} | {} MB |",
            seconds * 1e3,
            seconds / first_seconds,
            multiplications(tokens) / first_work,
            window.renderer_peak() / 1_000_000
        );
    }
    let seconds = window.script("return window.compare.labelled(arguments[0])", &options(224));
    println!("\nTextSpan, every head, the pack's pool, ten texts each: {:.2} s", seconds.as_f64().unwrap());
}

/// Of a ViT-S: linear layers grow with the tokens, attention with their square.
fn multiplications(tokens: f64) -> f64 {
    const WIDTH: f64 = 384.0;
    12.0 * (12.0 * WIDTH * WIDTH * tokens + 2.0 * WIDTH * tokens * tokens)
}

/// A gallery and a video of sixty each on the page itself, alone and with hands, in turns.
#[test]
#[ignore = "needs what `cargo xtask bench` sets up"]
fn bench_hands() {
    const COUNT: usize = 60;
    const TURNS: usize = 3;
    let (pictures, scratch) = (Pictures::new("bench-hands", COUNT, 480), Scratch::new("bench-hands"));
    let frames = Clip { width: 480, height: 320, frames: COUNT }.write(scratch.path());
    println!("\n| | by hands | rate | the page's memory at most |\n|---|---:|---:|---:|");
    for _turn in 0..TURNS {
        for (name, query) in [("alone", "?device=cpu&hands=0"), ("with hands", "?device=cpu")] {
            let told = |what: &str, section: &str, seconds: f64, page: &Page| {
                let (memory, rate) = (page.window.renderer_peak() / 1_000_000, COUNT as f64 / seconds);
                println!("| {what}, {name} | {} | {rate:.2} a second | {memory} MB |", by_hand(page, section));
            };
            let page = Page::open("bench-hands", Graphics::None, query);
            page.settle();
            let start = Instant::now();
            add(&page, &pictures.files());
            wait_for_count(&page, COUNT as u64);
            told("gallery", "#gallery", start.elapsed().as_secs_f64(), &page);
            drop(page);
            let page = Page::open("bench-hands", Graphics::None, query);
            page.settle();
            let start = Instant::now();
            page.open_frames(&frames);
            page.wait_for_frames(COUNT);
            told("video", "#player", start.elapsed().as_secs_f64(), &page);
        }
    }
}
