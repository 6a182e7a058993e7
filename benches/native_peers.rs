//! Compares the native library with onnxruntime on the CPU, with the same weights: `cargo xtask bench native`. On a GPU,
//! compares it with PyTorch and with onnxruntime's WebGPU provider, if the machine's own Python has them.
//!
//! Each contestant is a process with its own threads and memory. It answers one question at a time with the seconds that
//! the work took. This program asks the contestants in turn. headlamp's own contestants also run this program.

use std::io::{BufRead as _, BufReader, Write as _};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::time::{Duration, Instant};

use burn::tensor::Device;
use headlamp::ablate::Ablation;
use headlamp::checkpoint::Pack;
use headlamp::geometry::Framing;
use headlamp::media;
use headlamp::model::Backend;
use headlamp::protocol::DevicePreference;
use headlamp::session::{Session, device};
use xtask::places;

/// Rounds after the warm-up round.
const ROUNDS: usize = 11;
/// After its work, the threads of a contestant keep a core busy for a while. Without this pause, they would slow down
/// the next contestant.
const PAUSE: Duration = Duration::from_millis(50);
/// The question to headlamp, and the question to its peers. Peers have no decomposition, so they run the encoder alone.
const QUESTIONS: [(&str, &str); 3] = [("encoder", "encoder"), ("decomposed", "encoder"), ("texts", "texts")];
/// Threads, label, backend.
const OWN: [(usize, &str, &str); 3] = [
    (1, "headlamp, burn-flex", "flex"),
    (1, "headlamp, the page's kernels", "kernels"),
    (2, "headlamp, burn-flex: the tool", "flex"),
];
/// Stands for the GPU in place of a number of threads.
const GPU: usize = 0;
const OWN_ON_GPU: [(usize, &str, &str); 1] = [(GPU, "headlamp, the shaders", "shaders")];
/// Threads, label, suffix of the model files.
const PEERS: [(usize, &str, &str); 4] = [
    (1, "onnxruntime, f32", ".onnx"),
    (1, "onnxruntime, int8", ".int8.onnx"),
    (2, "onnxruntime, f32", ".onnx"),
    (2, "onnxruntime, int8", ".int8.onnx"),
];

fn main() {
    let mut arguments = std::env::args().skip_while(|argument| argument != "answer").skip(1);
    match arguments.next().as_deref() {
        Some("flex") => answer(Device::flex().into()),
        Some("shaders") => answer(gpu().unwrap_or_else(|| panic!("there is no GPU"))),
        Some(_kernels) => answer(Backend::Kernels),
        None => compare(),
    }
}

/// Returns the GPU, if the machine has a real one.
fn gpu() -> Option<Backend> {
    let chosen = pollster::block_on(device::choose(DevicePreference::Auto)).ok()?;
    (chosen.summary.kind == "GPU").then_some(chosen.backend)
}

fn compare() {
    let has_gpu = gpu().is_some();
    let own = OWN.into_iter().chain(if has_gpu { OWN_ON_GPU.to_vec() } else { Vec::new() });
    let own = own.map(|(threads, label, backend)| Contestant::own(threads, label, backend));
    let bench = std::env::var_os("HEADLAMP_BENCH").map(PathBuf::from);
    let peers = PEERS.into_iter().filter_map(|(threads, label, suffix)| {
        bench.as_ref().map(|bench| Contestant::peer(threads, label, bench, suffix))
    });
    let on_gpu = has_gpu.then(|| Contestant::peers_on_gpu(bench.as_deref())).into_iter().flatten();
    let mut contestants: Vec<Contestant> = own.chain(peers).chain(on_gpu).collect();
    for round in 0..=ROUNDS {
        for contestant in &mut contestants {
            for question in 0..QUESTIONS.len() {
                std::thread::sleep(PAUSE);
                let seconds = contestant.ask(question);
                if round > 0 {
                    contestant.times[question].push(seconds);
                }
            }
        }
    }
    println!("(medians of {ROUNDS} rounds, all contestants in turn; the default pack, 224 px)");
    for threads in [1, 2, GPU] {
        let of_threads: Vec<&Contestant> =
            contestants.iter().filter(|contestant| contestant.threads == threads).collect();
        if !of_threads.is_empty() {
            print(threads, &of_threads);
        }
    }
    if bench.is_none() {
        println!("\n(onnxruntime takes part in `cargo xtask bench native`)");
    }
}

/// Prints the table of one device. The time of a peer is followed by the ratios of headlamp's times to it, in the order
/// of the rows.
fn print(threads: usize, contestants: &[&Contestant]) {
    let on = match threads {
        GPU => "GPU".to_owned(),
        1 => "1 thread".to_owned(),
        more => format!("{more} threads"),
    };
    println!("\n| {on} | encoder | encoder + decomposition | 10 texts | peak memory |");
    println!("|---|---:|---:|---:|---:|");
    for contestant in contestants {
        let cells = [0, 1, 2].map(|question| {
            let time = contestant.median(question);
            let own = contestants.iter().filter(|_contestant| contestant.is_peer).filter(|own| !own.is_peer);
            let ratios: Vec<String> = own.map(|own| format!("{:.2}x", own.median(question) / time)).collect();
            let ratios = if ratios.is_empty() { String::new() } else { format!(" ({})", ratios.join(", ")) };
            format!("{:.1} ms{ratios}", time * 1e3)
        });
        println!("| {} | {} | {} |", contestant.label, cells.join(" | "), contestant.memory());
    }
}

/// A process that answers questions.
struct Contestant {
    label: &'static str,
    threads: usize,
    is_peer: bool,
    process: Child,
    questions: ChildStdin,
    answers: BufReader<ChildStdout>,
    /// Seconds of each round, by question.
    times: [Vec<f64>; 3],
}

impl Contestant {
    fn own(threads: usize, label: &'static str, backend: &str) -> Self {
        let mut command = Command::new(std::env::current_exe().unwrap_or_default());
        command.args(["answer", backend]).env("RAYON_NUM_THREADS", threads.to_string());
        Self::start(threads, label, false, command)
    }

    fn peer(threads: usize, label: &'static str, bench: &Path, suffix: &str) -> Self {
        let python = if cfg!(windows) { "venv/Scripts/python.exe" } else { "venv/bin/python" };
        let mut command = Command::new(bench.join(python));
        command.arg(places::checkout().join("benches/native_peer.py")).arg(bench.join("onnx"));
        command.args([suffix, &threads.to_string()]);
        Self::start(threads, label, true, command)
    }

    /// Starts the peers on the GPU that the machine's own Python has: PyTorch, eager and as a CUDA graph, and onnxruntime
    /// on WebGPU.
    fn peers_on_gpu(bench: Option<&Path>) -> Vec<Self> {
        const TORCH: &str = "import sys, torch; sys.exit(not torch.cuda.is_available())";
        const WEBGPU: &str = "import sys, onnxruntime as ort; \
                              sys.exit('WebGpuExecutionProvider' not in ort.get_available_providers())";
        let has = |test: &str| {
            let status = Command::new("python3").args(["-c", test]).stderr(Stdio::null()).status();
            status.is_ok_and(|status| status.success())
        };
        let start = |label, script: &str, arguments: &[&str]| {
            let mut command = Command::new("python3");
            command.arg(places::checkout().join("benches").join(script)).args(arguments);
            Self::start(GPU, label, true, command)
        };
        let mut peers = Vec::new();
        if has(TORCH) {
            peers.push(start("PyTorch on CUDA, f32", "torch_peer.py", &["eager"]));
            peers.push(start("PyTorch on CUDA, f32, as a CUDA graph", "torch_peer.py", &["graph"]));
        }
        if let Some(bench) = bench
            && has(WEBGPU)
        {
            let models = bench.join("onnx");
            let arguments = [&models.to_string_lossy(), ".onnx", "1", "WebGpuExecutionProvider"];
            peers.push(start("onnxruntime, f32, WebGPU", "native_peer.py", &arguments));
        }
        peers
    }

    fn start(threads: usize, label: &'static str, is_peer: bool, mut command: Command) -> Self {
        let started = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn();
        let mut process = started.unwrap_or_else(|err| panic!("{label} does not start: {err}"));
        let (Some(questions), Some(answers)) = (process.stdin.take(), process.stdout.take()) else {
            unreachable!("both are piped")
        };
        let answers = BufReader::new(answers);
        Self { label, threads, is_peer, process, questions, answers, times: Default::default() }
    }

    /// Asks a question, and returns the seconds that the work took.
    fn ask(&mut self, question: usize) -> f64 {
        let (own, of_peer) = QUESTIONS[question];
        let asked = writeln!(self.questions, "{}", if self.is_peer { of_peer } else { own });
        let mut line = String::new();
        let heard = asked.and_then(|()| self.answers.read_line(&mut line));
        let seconds = heard.ok().and_then(|_length| line.trim().parse().ok());
        seconds.unwrap_or_else(|| panic!("{} does not answer: {line:?}", self.label))
    }

    fn median(&self, question: usize) -> f64 {
        let mut times = self.times[question].clone();
        times.sort_by(f64::total_cmp);
        times[times.len() / 2]
    }

    /// Returns the peak memory of the process; a dash if the system does not report it.
    fn memory(&self) -> String {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.process.id())).unwrap_or_default();
        let peak = status.lines().find_map(|line| line.strip_prefix("VmHWM:")?.trim().strip_suffix(" kB"));
        let peak = peak.and_then(|kilobytes| kilobytes.parse::<u64>().ok());
        peak.map_or_else(|| "–".to_owned(), |kilobytes| format!("{} MB", kilobytes * 1024 / 1_000_000))
    }
}

impl Drop for Contestant {
    fn drop(&mut self) {
        let _ended = self.process.kill();
        let _waited = self.process.wait();
    }
}

/// Answers the questions on stdin, one per line.
fn answer(backend: Backend) {
    let pack =
        Pack::read(&places::packs().join("default")).unwrap_or_else(|err| panic!("the default pack: {err}"));
    let mut session = Session::open(pack, backend).unwrap_or_else(|err| panic!("the default pack: {err}"));
    let sample = std::fs::read(places::checkout().join("www/samples/coffee.png")).unwrap_or_default();
    let photo = pollster::block_on(media::decode("coffee.png", &sample)).unwrap_or_else(|err| panic!("{err}"));
    let mut asked = 0;
    let mut phrases = || {
        asked += 1;
        (0..10).map(|index| format!("a photo number {asked} {index}")).collect::<Vec<String>>()
    };
    let attributed = phrases();
    let units = pollster::block_on(session.embed(&attributed, false)).unwrap_or_else(|err| panic!("{err}"));
    for question in std::io::stdin().lines().map_while(Result::ok) {
        let new = phrases();
        let start = Instant::now();
        if question == "texts" {
            assert!(pollster::block_on(session.embed(&new, false)).is_ok());
        } else {
            let traced = pollster::block_on(session.trace(&photo, Framing::CentreCrop));
            let traced = traced.unwrap_or_else(|err| panic!("{err}"));
            if question == "decomposed" {
                assert!(session.attribute(&traced, &attributed, &units, &Ablation::default()).is_ok());
            }
        }
        println!("{}", start.elapsed().as_secs_f64());
    }
}
