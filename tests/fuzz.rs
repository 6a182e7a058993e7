//! A short run of the fuzz targets (`tests/support/src/fuzz_targets.rs`): every file of the corpus, and the same
//! mutations of the files in every run. `fuzz/` runs the targets for longer.
#![cfg(not(target_arch = "wasm32"))]

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};

use test_support::fuzz_targets::{self, Target};

/// The number of mutations for each target, over its whole corpus.
const MUTATIONS: usize = 20_000;

/// Files that the reference scripts wrote are also seeds.
const FIXTURES: [(&str, &[&str]); 4] = [
    ("picture", &["media"]),
    ("video", &["video"]),
    ("checkpoint", &["checkpoints", "self_supervised"]),
    ("safetensors", &["checkpoints", "self_supervised"]),
];

/// Marsaglia's xorshift generator: the same numbers on every machine.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0
    }

    fn below(&mut self, limit: usize) -> usize {
        (self.next() % limit.max(1) as u64) as usize
    }
}

fn files_below(folder: &Path, found: &mut Vec<PathBuf>) {
    let mut entries: Vec<PathBuf> =
        std::fs::read_dir(folder).into_iter().flatten().flatten().map(|entry| entry.path()).collect();
    entries.sort();
    for path in entries {
        if path.is_dir() { files_below(&path, found) } else { found.push(path) }
    }
}

/// Returns the seeds of a target: the name and the bytes of each file.
fn corpus(name: &str) -> Vec<(String, Vec<u8>)> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut files = Vec::new();
    files_below(&root.join("fuzz/corpus").join(name), &mut files);
    let fixtures = FIXTURES.iter().filter(|(target, _)| *target == name).flat_map(|(_, folders)| folders.iter());
    for folder in fixtures {
        files_below(&root.join("tests/reference/fixtures").join(folder), &mut files);
    }
    files.into_iter().map(|file| (file.display().to_string(), std::fs::read(&file).unwrap())).collect()
}

/// Changes bytes as broken disks, broken connections and attackers do.
fn mutate(bytes: &mut Vec<u8>, other: &[u8], random: &mut Random) {
    for _change in 0..=random.below(4) {
        let at = random.below(bytes.len());
        match random.below(7) {
            0 => bytes.truncate(at),
            1 => bytes.iter_mut().skip(at).take(1).for_each(|byte| *byte ^= 1 << (at % 8)),
            2 => {
                let value = [0, 0x7f, 0x80, 0xff][random.below(4)];
                let count = [1, 2, 4, 8][random.below(4)];
                bytes.iter_mut().skip(at).take(count).for_each(|byte| *byte = value);
            }
            3 => {
                let end = (at + random.below(64)).min(bytes.len());
                bytes.drain(at..end);
            }
            4 => {
                let piece: Vec<u8> = bytes.iter().skip(at).take(random.below(64)).copied().collect();
                bytes.splice(at..at, piece);
            }
            5 => {
                let from = random.below(other.len());
                let piece = other.iter().skip(from).take(random.below(256)).copied();
                bytes.splice(at..at, piece.collect::<Vec<u8>>());
            }
            _ => {
                let noise: Vec<u8> = (0..random.below(16)).map(|_byte| random.next() as u8).collect();
                bytes.splice(at..at, noise);
            }
        }
    }
}

/// Runs a target. If the target panics, saves the file and names it.
fn run(target: &Target, what: &str, bytes: &[u8]) {
    if catch_unwind(AssertUnwindSafe(|| (target.read)(bytes))).is_err() {
        let kept = std::env::temp_dir().join(format!("headlamp-fuzz-{}", target.name));
        std::fs::write(&kept, bytes).unwrap();
        panic!("{}: {what} causes a panic; the bytes are saved as {}", target.name, kept.display());
    }
}

fn short_run(name: &str) {
    let target = fuzz_targets::ALL.iter().find(|target| target.name == name).unwrap();
    let corpus = corpus(name);
    assert!(!corpus.is_empty(), "{name} has no corpus");
    corpus.iter().for_each(|(file, bytes)| run(target, file, bytes));
    let mut random = Random(0x9e37_79b9_7f4a_7c15 ^ name.len() as u64);
    for number in 0..MUTATIONS {
        let (file, bytes) = &corpus[random.below(corpus.len())];
        let (_, other) = &corpus[random.below(corpus.len())];
        let mut bytes = bytes.clone();
        mutate(&mut bytes, other, &mut random);
        run(target, &format!("mutation {number} of {file}"), &bytes);
    }
}

macro_rules! short_runs {
    ($($name:ident),*) => {
        $(#[test]
        fn $name() {
            short_run(stringify!($name));
        })*

        #[test]
        fn every_target_has_a_short_run() {
            let names: Vec<&str> = fuzz_targets::ALL.iter().map(|target| target.name).collect();
            assert_eq!(names, [$(stringify!($name)),*]);
        }
    };
}

short_runs!(
    picture,
    video,
    checkpoint,
    safetensors,
    onnx,
    manifest,
    archive,
    statistics,
    message,
    address,
    labels,
    pool
);
