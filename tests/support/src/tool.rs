//! Runs `headlamp` and reads its output.

use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::sync::OnceLock;

use serde_json::Value;

/// Returns the command `headlamp` without arguments. Its default pack does not exist.
pub fn headlamp() -> Command {
    let mut command = Command::new(program());
    command.env("HEADLAMP_PACK", temporary().join("no-pack"));
    command
}

/// Returns the program of this build. Cargo sets the variable for the tests that it runs.
fn program() -> PathBuf {
    std::env::var_os("CARGO_BIN_EXE_headlamp").expect("`cargo test` runs the tests of the tool").into()
}

/// Returns the command `headlamp` with its first arguments, the tiny pack and the CPU.
pub fn on_pack(arguments: &[&str]) -> Command {
    let mut command = headlamp();
    command.args(arguments).arg("--pack").arg(pack()).args(["--device", "cpu"]);
    command
}

/// Runs a command that must succeed, and returns its output.
pub fn output_of(command: &mut Command) -> String {
    let Output { status, stdout, stderr } = command.output().unwrap();
    let stderr = String::from_utf8(stderr).unwrap();
    assert!(status.success(), "{command:?} failed: {stderr}");
    String::from_utf8(stdout).unwrap()
}

/// Runs a command with `--json`, and returns its one line of JSON.
pub fn json(command: &mut Command) -> Value {
    let said = output_of(command.arg("--json"));
    assert_eq!(said.lines().count(), 1, "{said}");
    serde_json::from_str(&said).unwrap()
}

/// Runs a command that must fail, and returns its error: one line on stderr, and nothing on stdout.
pub fn error_of(command: &mut Command, status: i32) -> String {
    let output = command.output().unwrap();
    let stderr = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(status), "{command:?}: {stderr}");
    assert_eq!(String::from_utf8(output.stdout).unwrap(), "", "{command:?}");
    assert_eq!(stderr.lines().count(), 1, "{command:?}: {stderr}");
    stderr.strip_prefix("headlamp: ").unwrap_or_else(|| panic!("{command:?}: {stderr}")).trim_end().to_owned()
}

/// Returns the tiny pack, which is made once.
pub fn pack() -> &'static Path {
    static PACK: OnceLock<PathBuf> = OnceLock::new();
    PACK.get_or_init(|| {
        let pack = folder("pack").join("tiny");
        output_of(headlamp().args(["pack", "random", "--seed", "7", "--out"]).arg(&pack));
        pack
    })
}

/// Returns the path of a sample photo.
pub fn photo(name: &str) -> PathBuf {
    let photo = xtask::places::checkout().join("www/samples").join(name);
    assert!(photo.is_file(), "{} is missing", photo.display());
    photo
}

/// Makes a new, empty folder.
pub fn folder(name: &str) -> PathBuf {
    let folder = temporary().join(name);
    let _none = std::fs::remove_dir_all(&folder);
    std::fs::create_dir_all(&folder).unwrap();
    folder
}

/// Makes a new folder with some sample photos.
pub fn gallery(name: &str, photos: &[&str]) -> PathBuf {
    let folder = folder(name);
    for name in photos {
        std::fs::copy(photo(name), folder.join(name)).unwrap();
    }
    folder
}

/// Writes a file that has the name of a picture but is none.
pub fn write_unreadable(path: &Path) {
    std::fs::write(path, "not a picture").unwrap();
}

/// Returns the folder of this test run. Removes the folders of runs that ended over an hour ago.
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

/// Reads a list of numbers.
pub fn numbers(value: &Value) -> Vec<f64> {
    let list = value.as_array().unwrap_or_else(|| panic!("no list: {value}"));
    list.iter().map(|number| number.as_f64().unwrap_or_else(|| panic!("no number: {number}"))).collect()
}

/// Returns the names of an object's members, sorted.
pub fn members(value: &Value) -> Vec<&str> {
    let mut members: Vec<&str> = value.as_object().unwrap().keys().map(String::as_str).collect();
    members.sort_unstable();
    members
}
