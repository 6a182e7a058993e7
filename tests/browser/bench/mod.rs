//! headlamp compared with onnxruntime-web in one browser, how long the page takes until it is usable, and how its
//! cost grows: `cargo xtask bench`. The printed tables are in docs/BENCHMARKS.md.

mod growth;
mod helper_workers;
mod redraw;

use std::time::Duration;

use serde_json::{Map, Value, json};
use xtask::places;
use xtask::site::Site;

use crate::driver::{Graphics, Window, wait};
use crate::page::{folder, site};

/// Rounds after the warm-up round. On the software adapter a round takes minutes, so there are fewer rounds.
const ROUNDS: usize = 7;
const SOFTWARE_ROUNDS: usize = 3;
const SOFTWARE_PATIENCE: Duration = Duration::from_secs(3600);
/// Fresh browsers for the measurement of the start.
const STARTS: usize = 3;

/// onnxruntime-web in one configuration.
struct Peer {
    label: &'static str,
    provider: &'static str,
    threads: usize,
    /// The ending of the file of weights.
    suffix: &'static str,
}

const PEERS: [Peer; 4] = [
    Peer { label: "onnxruntime-web, f32, 1 thread", provider: "wasm", threads: 1, suffix: ".onnx" },
    Peer { label: "onnxruntime-web, int8, 1 thread", provider: "wasm", threads: 1, suffix: ".int8.onnx" },
    Peer { label: "onnxruntime-web, f32, 2 threads", provider: "wasm", threads: 2, suffix: ".onnx" },
    Peer { label: "onnxruntime-web, int8, 2 threads", provider: "wasm", threads: 2, suffix: ".int8.onnx" },
];

/// WebGPU has no kernels for the integers of `quantize_dynamic`.
const GPU_PEER: Peer =
    Peer { label: "onnxruntime-web, f32, WebGPU", provider: "webgpu", threads: 1, suffix: ".onnx" };

impl Peer {
    fn engine(&self) -> Value {
        json!([self.provider, self.threads, self.suffix])
    }
}

/// When the page shows its first precomputed scores, and the first scores that it computed itself, in
/// milliseconds. The page opens a sample on its own.
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

/// Returns the default pack and, if `cargo xtask bench` installed them, the other engine and its models.
fn bench_site() -> Site {
    let other = folder("HEADLAMP_BENCH");
    site()
        .mount("dist", folder("HEADLAMP_DIST"))
        .mount("bench", places::checkout().join("benches/browser"))
        .mount("onnx", other.join("onnx"))
        .mount("ort", other.join("node_modules/onnxruntime-web/dist"))
        .isolated()
}

fn open_bench(address: &str, graphics: Graphics) -> Window {
    let window = Window::open("bench", graphics);
    window.go(&format!("{address}bench/index.html"));
    wait("the page", Duration::from_secs(30), || {
        (window.script("return Boolean(window.bench)", &json!([])) == true).then_some(())
    });
    window
}

/// Calls a function of `benches/browser/*.js` and returns its answer.
fn ask(window: &Window, name: &str, options: &Value) -> Value {
    window.script("return window.bench[arguments[0]](arguments[1])", &json!([name, options]))
}

#[test]
#[ignore = "needs the set-up of `cargo xtask bench`"]
fn bench_cpu() {
    let serving = bench_site().serve(0).unwrap();
    for peers in [&PEERS[..2], &PEERS[2..]] {
        let window = open_bench(&serving.url(), Graphics::None);
        Contest::open(&window, peers, "cpu", 8).run(ROUNDS).print();
    }
}

#[test]
#[ignore = "needs the set-up of `cargo xtask bench`"]
fn bench_webgpu() {
    let serving = bench_site().serve(0).unwrap();
    let (window, adapter) = open_on_gpu(&serving.url());
    window.allow_scripts(SOFTWARE_PATIENCE);
    let is_software = window.graphics == Graphics::SoftwareWebGpu;
    let (frames, rounds) = if is_software { (1, SOFTWARE_ROUNDS) } else { (8, ROUNDS) };
    let contest = Contest::open(&window, &[GPU_PEER], "gpu", frames);
    assert_eq!(contest.device["kind"], "GPU", "{}", contest.device);
    println!("\nWebGPU on {adapter}:");
    contest.run(rounds).print();
}

/// Opens the page of the benchmarks on the machine's GPU, or on the browser's software adapter if there is no GPU.
/// Returns the window and the adapter's name.
fn open_on_gpu(address: &str) -> (Window, String) {
    const NAME: &str = "
        const name = ({ info }) => [info.vendor, info.architecture, info.description].filter(Boolean).join(' ');
        // Without a GPU some browsers never answer.
        const nobody = new Promise((done) => setTimeout(done, 30_000, null));
        return Promise.race([navigator.gpu.requestAdapter(), nobody]).then((adapter) => adapter && name(adapter))";
    for graphics in [Graphics::WebGpu, Graphics::SoftwareWebGpu] {
        let window = open_bench(address, graphics);
        if let Some(name) = window.script(NAME, &json!([])).as_str() {
            let is_software = name.to_lowercase().contains("swiftshader");
            if graphics == Graphics::SoftwareWebGpu || !is_software {
                return (window, name.to_owned());
            }
        }
    }
    panic!("the browser has no WebGPU, not even in software");
}

/// headlamp and its peers on one page.
struct Contest<'a> {
    window: &'a Window,
    /// The device of headlamp.
    device: Value,
    frames: usize,
}

/// The times of the rounds.
struct Rounds {
    /// In the order of the table, headlamp first.
    labels: Vec<String>,
    rounds: Vec<Value>,
    frames: usize,
}

impl<'a> Contest<'a> {
    fn open(window: &'a Window, peers: &[Peer], device: &str, frames: usize) -> Self {
        let onnx: Map<String, Value> = peers.iter().map(|peer| (peer.label.to_owned(), peer.engine())).collect();
        let options = json!({ "pack": "/packs/default/", "photoUrl": "/samples/coffee.png", "device": device,
            "frames": frames, "onnx": onnx });
        Self { window, device: ask(window, "contestants", &options), frames }
    }

    /// Runs `rounds` rounds after a warm-up round.
    fn run(&self, rounds: usize) -> Rounds {
        let rounds = (0..=rounds).map(|_round| ask(self.window, "round", &json!({}))).skip(1);
        let rounds: Vec<Value> = rounds.collect();
        let mut labels: Vec<String> = rounds[0].as_object().unwrap().keys().cloned().collect();
        labels.sort_by_key(|label| label != "headlamp");
        Rounds { labels, rounds, frames: self.frames }
    }
}

impl Rounds {
    /// Prints the medians, and headlamp's time divided by each peer's in the same rounds. headlamp with the
    /// decomposition is compared with the encoder alone of the peers.
    fn print(&self) {
        let frames = match self.frames {
            1 => "1 frame".to_owned(),
            count => format!("{count} frames"),
        };
        println!(
            "\n| | encoder | encoder + decomposition | 10 texts | {frames} | 10 phrases to all components |\n\
             |---|---:|---:|---:|---:|---:|"
        );
        let columns = [
            ("encoder", "encoder"),
            ("decomposed", "encoder"),
            ("text", "text"),
            ("frames", "frames"),
            ("phrases", "phrases"),
        ];
        for label in &self.labels {
            let cells = columns.map(|(of_own, of_peer)| {
                let own = self.median("headlamp", of_own);
                match self.median(label, if label == "headlamp" { of_own } else { of_peer }) {
                    Some(time) if label == "headlamp" => milliseconds(time),
                    Some(time) => format!("{} ({:.2}x)", milliseconds(time), own.unwrap_or(f64::NAN) / time),
                    None => "–".to_owned(),
                }
            });
            println!("| {label} | {} |", cells.join(" | "));
        }
        for (label, (column, reason)) in self.failures() {
            println!("({label} cannot do {column}: {reason})");
        }
    }

    fn median(&self, label: &str, column: &str) -> Option<f64> {
        let times: Vec<f64> = self.rounds.iter().filter_map(|round| round[label][column].as_f64()).collect();
        (!times.is_empty()).then(|| median(times))
    }

    /// Returns the peers that failed in the last round, with the reason.
    fn failures(&self) -> impl Iterator<Item = (&String, (&String, &str))> {
        let last = self.rounds.last().and_then(Value::as_object).into_iter().flatten();
        last.flat_map(|(label, times)| {
            let failed = times.as_object().into_iter().flatten();
            failed.filter_map(move |(column, time)| Some((label, (column, time.as_str()?))))
        })
    }
}

/// Each engine alone in fresh browsers: the time until it is usable, its download, and its memory.
#[test]
#[ignore = "needs the set-up of `cargo xtask bench`"]
fn bench_start_engines() {
    let serving = bench_site().serve(0).unwrap();
    println!("\n| engine, alone on the page | open | first embedding | files | compressed | memory at most |");
    println!("|---|---:|---:|---:|---:|---:|");
    let engines = std::iter::once(("headlamp", Value::Null, "cpu", Graphics::None))
        .chain(PEERS.iter().map(|peer| (peer.label, peer.engine(), "cpu", Graphics::None)))
        .chain([
            ("headlamp, WebGPU", Value::Null, "gpu", Graphics::SoftwareWebGpu),
            (GPU_PEER.label, GPU_PEER.engine(), "gpu", Graphics::SoftwareWebGpu),
        ]);
    for (label, engine, device, graphics) in engines {
        let is_software = graphics == Graphics::SoftwareWebGpu;
        let (starts, runs) = if is_software { (1, 0) } else { (STARTS, 3) };
        let options = json!({ "pack": "/packs/default/", "photoUrl": "/samples/coffee.png", "device": device,
            "engine": engine, "runs": runs });
        let (mut ready, mut first, mut last) = (Vec::new(), Vec::new(), None);
        for _start in 0..starts {
            let window = open_bench(&serving.url(), graphics);
            window.allow_scripts(SOFTWARE_PATIENCE);
            let found = ask(&window, "alone", &options);
            ready.push(found["ready"].as_f64().unwrap());
            first.push(found["first"].as_f64().unwrap());
            let memory = memory(&window);
            last = Some((ask(&window, "downloads", &found["files"]), memory));
        }
        let (downloads, memory) = last.unwrap();
        let size = |name: &str| downloads[name].as_f64().unwrap() / 1e6;
        println!(
            "| {label} | {:.2} s | {:.2} s | {:.1} MB | {:.1} MB | {memory} |",
            median(ready),
            median(first),
            size("plain"),
            size("compressed"),
        );
    }
}

/// The first visit of a fresh browser, and later visits.
#[test]
#[ignore = "needs the set-up of `cargo xtask bench`"]
fn bench_start_page() {
    let serving = site().serve(0).unwrap();
    let window = Window::open("bench-start-up", Graphics::None);
    window.chrome("Page.addScriptToEvaluateOnNewDocument", &json!({ "source": MARKS }));
    println!("\n| visit | first paint | results computed beforehand | first result of its own |");
    println!("|---|---:|---:|---:|");
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
        // Gives the page time to fill its cache.
        std::thread::sleep(Duration::from_secs(4));
    }
}

/// Returns the peak memory of the page's process and, if the GPU process takes part, of that process.
fn memory(window: &Window) -> String {
    let megabytes = |bytes: u64| bytes / 1_000_000;
    let (page, gpu) = (megabytes(window.renderer_peak()), megabytes(window.gpu_peak()));
    match window.graphics {
        Graphics::None => format!("{page} MB"),
        Graphics::SoftwareWebGpu | Graphics::WebGpu => format!("{page} + {gpu} MB"),
    }
}

fn median(mut times: Vec<f64>) -> f64 {
    times.sort_by(f64::total_cmp);
    times[times.len() / 2]
}

/// Appends a number's ratio to the first number, except for the first itself.
fn grown(said: String, number: f64, first: f64) -> String {
    if number == first { said } else { format!("{said} ({:.1}x)", number / first) }
}

/// Formats seconds as milliseconds with three digits.
fn milliseconds(seconds: f64) -> String {
    let digits = if seconds < 9.95e-3 { 1 } else { 0 };
    format!("{:.digits$} ms", seconds * 1e3)
}
