//! The small data sets, the expected results, and the commands that evaluate them.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;

use test_support::tool::{members, numbers, on_pack};

/// Returns the path of a data set in `tests/reference/fixtures/eval`.
pub fn data(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/reference/fixtures/eval").join(name)
}

/// Returns the results of the reference.
pub fn expected(eval: &str) -> Value {
    let text = std::fs::read_to_string(data("expected.json")).unwrap();
    serde_json::from_str::<Value>(&text).unwrap()[eval].clone()
}

/// Returns `headlamp eval EVAL --data DATA` on the tiny pack.
pub fn eval(eval: &str, data: &Path) -> Command {
    let mut command = on_pack(&["eval", eval]);
    command.arg("--data").arg(data);
    command
}

/// Asserts that the answer has the members of every evaluation, and `own`.
pub fn assert_members(answer: &Value, own: &[&str]) {
    let common = [
        "data",
        "device",
        "eval",
        "images",
        "pack",
        "resumed",
        "seconds",
        "skipped",
        "statistics_images",
        "weights",
    ];
    let mut expected: Vec<&str> = common.into_iter().chain(own.iter().copied()).collect();
    expected.sort_unstable();
    assert_eq!(members(answer), expected);
}

/// Returns one member of each row.
pub fn column(rows: &Value, name: &str) -> Vec<f64> {
    numbers(&rows.as_array().unwrap().iter().map(|row| row[name].clone()).collect())
}

/// Asserts that two lists of numbers differ by rounding at most.
#[track_caller]
pub fn assert_close(found: &[f64], expected: &[f64], tolerance: f64) {
    assert_eq!(found.len(), expected.len(), "{found:?}");
    let off = found.iter().zip(expected).map(|(a, b)| (a - b).abs()).max_by(f64::total_cmp).unwrap_or(0.0);
    assert!(off <= tolerance, "apart by {off}: {found:?} {expected:?}");
}

/// Returns the file of records that an evaluation left in `out`.
pub fn records_file(out: &Path, eval: &str) -> PathBuf {
    let files = std::fs::read_dir(out).unwrap().map(|entry| entry.unwrap().path());
    let is_wanted = |path: &PathBuf| {
        let name = path.file_name().unwrap().to_str().unwrap();
        // A hash of twelve digits is between the name and the extension.
        name.strip_prefix(eval)
            .is_some_and(|rest| rest.len() == "-0123456789ab.jsonl".len() && rest.ends_with(".jsonl"))
    };
    let mut files: Vec<PathBuf> = files.filter(is_wanted).collect();
    assert_eq!(files.len(), 1, "{files:?}");
    files.remove(0)
}

/// Returns an evaluation's records, by picture.
pub fn records(out: &Path, eval: &str) -> BTreeMap<String, Value> {
    let text = std::fs::read_to_string(records_file(out, eval)).unwrap();
    let lines = text.lines().skip(1).map(|line| serde_json::from_str::<Value>(line).unwrap());
    lines.map(|line| (line["picture"].as_str().unwrap().to_owned(), line)).collect()
}
