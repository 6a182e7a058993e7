//! Runs `headlamp`, and says what it left.

use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::sync::OnceLock;

use serde_json::Value;

/// `headlamp`, ready to be given arguments. The default pack is one that is not there.
pub fn headlamp() -> Command {
    let mut command = Command::new(program());
    command.env("HEADLAMP_PACK", temporary().join("no-pack"));
    command
}

/// The program of this build. Cargo sets the variable for the tests that it runs.
fn program() -> PathBuf {
    std::env::var_os("CARGO_BIN_EXE_headlamp").expect("`cargo test` runs the tests of the tool").into()
}

/// `headlamp` and its first arguments, on the tiny pack and the CPU.
pub fn on_pack(arguments: &[&str]) -> Command {
    let mut command = headlamp();
    command.args(arguments).arg("--pack").arg(pack()).args(["--device", "cpu"]);
    command
}

/// What a command that succeeds prints.
pub fn said(command: &mut Command) -> String {
    let Output { status, stdout, stderr } = command.output().unwrap();
    let stderr = String::from_utf8(stderr).unwrap();
    assert!(status.success(), "{command:?} failed: {stderr}");
    String::from_utf8(stdout).unwrap()
}

/// The one line of JSON that a command prints with `--json`.
pub fn json(command: &mut Command) -> Value {
    let said = said(command.arg("--json"));
    assert_eq!(said.lines().count(), 1, "{said}");
    serde_json::from_str(&said).unwrap()
}

/// What a command that fails says: one line on stderr, and nothing on stdout.
pub fn refusal(command: &mut Command, status: i32) -> String {
    let output = command.output().unwrap();
    let stderr = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(status), "{command:?}: {stderr}");
    assert_eq!(String::from_utf8(output.stdout).unwrap(), "", "{command:?}");
    assert_eq!(stderr.lines().count(), 1, "{command:?}: {stderr}");
    stderr.strip_prefix("headlamp: ").unwrap_or_else(|| panic!("{command:?}: {stderr}")).trim_end().to_owned()
}

/// The tiny pack, made once.
pub fn pack() -> &'static Path {
    static PACK: OnceLock<PathBuf> = OnceLock::new();
    PACK.get_or_init(|| {
        let pack = folder("pack").join("tiny");
        said(headlamp().args(["pack", "random", "--seed", "7", "--out"]).arg(&pack));
        pack
    })
}

/// A sample photo.
pub fn photo(name: &str) -> PathBuf {
    let photo = xtask::places::checkout().join("www/samples").join(name);
    assert!(photo.is_file(), "{} is missing", photo.display());
    photo
}

/// A new, empty folder.
pub fn folder(name: &str) -> PathBuf {
    let folder = temporary().join(name);
    let _none = std::fs::remove_dir_all(&folder);
    std::fs::create_dir_all(&folder).unwrap();
    folder
}

/// A new folder with some sample photos.
pub fn gallery(name: &str, photos: &[&str]) -> PathBuf {
    let folder = folder(name);
    for name in photos {
        std::fs::copy(photo(name), folder.join(name)).unwrap();
    }
    folder
}

/// A file that is called a picture and is none.
pub fn spoiled(path: &Path) {
    std::fs::write(path, "not a picture").unwrap();
}

/// This run's own place. Those of earlier runs are cleared away.
fn temporary() -> &'static Path {
    static PLACE: OnceLock<PathBuf> = OnceLock::new();
    PLACE.get_or_init(|| {
        // Beside cargo's other files of the tests: `target/debug/headlamp` gives `target/tmp/cli`.
        let runs = program().ancestors().nth(2).unwrap().join("tmp/cli");
        for run in std::fs::read_dir(&runs).into_iter().flatten().flatten() {
            let changed = run.metadata().and_then(|data| data.modified()).ok();
            if changed.and_then(|changed| changed.elapsed().ok()).is_some_and(|age| age.as_secs() > 3600) {
                let _another_was_first = std::fs::remove_dir_all(run.path());
            }
        }
        runs.join(std::process::id().to_string())
    })
}

/// A list of numbers.
pub fn numbers(value: &Value) -> Vec<f64> {
    let list = value.as_array().unwrap_or_else(|| panic!("no list: {value}"));
    list.iter().map(|number| number.as_f64().unwrap_or_else(|| panic!("no number: {number}"))).collect()
}

/// The names of an object's members.
pub fn members(value: &Value) -> Vec<&str> {
    let mut members: Vec<&str> = value.as_object().unwrap().keys().map(String::as_str).collect();
    members.sort_unstable();
    members
}
