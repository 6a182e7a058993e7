//! Where answers, complaints and files go.

use std::fmt::Display;
use std::io::Write as _;
use std::path::{Path, PathBuf};

use serde::Serialize;

use super::CliError;

/// Writes text and a line end to stdout, now.
///
/// # Errors
/// [`CliError::Stdout`], a broken pipe among others.
pub fn print(text: &str) -> Result<(), CliError> {
    let mut stdout = std::io::stdout().lock();
    writeln!(stdout, "{text}").and_then(|()| stdout.flush()).map_err(CliError::Stdout)
}

/// `value` as one line of JSON.
///
/// # Errors
/// [`CliError::Stdout`], should it not be expressible.
pub fn json(value: &impl Serialize) -> Result<String, CliError> {
    serde_json::to_string(value).map_err(|err| CliError::Stdout(err.into()))
}

/// Writes `value` to stdout as one line of JSON.
///
/// # Errors
/// [`CliError::Stdout`].
pub fn print_json(value: &impl Serialize) -> Result<(), CliError> {
    print(&json(value)?)
}

/// Says what is wrong in one line on stderr.
pub fn complain(what: &dyn Display) {
    let one_line = what.to_string().split_whitespace().collect::<Vec<_>>().join(" ");
    // Where stderr is gone, nobody is left to tell.
    let _gone = writeln!(std::io::stderr(), "headlamp: {one_line}");
}

/// Refuses a place where something lies already, or that has no folder, before the work for it begins.
///
/// # Errors
/// [`CliError::Exists`] or [`CliError::Io`].
pub fn is_free(path: &Path) -> Result<(), CliError> {
    if path.exists() {
        return Err(CliError::Exists(path.to_owned()));
    }
    has_folder(path)
}

/// Refuses a place whose folder is missing.
///
/// # Errors
/// [`CliError::Io`].
pub fn has_folder(path: &Path) -> Result<(), CliError> {
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let found = std::fs::metadata(folder).map_err(CliError::io("write into", folder))?;
    if found.is_dir() {
        return Ok(());
    }
    Err(CliError::io("write into", folder)(std::io::ErrorKind::NotADirectory.into()))
}

/// Writes a file whole: under another name first, so that none is ever left half written.
///
/// # Errors
/// [`CliError::Io`].
pub fn write(path: &Path, bytes: &[u8]) -> Result<(), CliError> {
    let unfinished = beside(path, ".unfinished");
    std::fs::write(&unfinished, bytes).map_err(CliError::io("write", &unfinished))?;
    std::fs::rename(&unfinished, path).map_err(CliError::io("write", path))
}

/// `path` with `suffix` after its whole name.
pub fn beside(path: &Path, suffix: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(suffix);
    name.into()
}

/// A number of things: "1 picture", "2 pictures".
pub fn count(number: u64, thing: &str) -> String {
    let plural = if number == 1 { "" } else { "s" };
    format!("{number} {thing}{plural}")
}

/// A number of bytes as people read it.
pub fn bytes(count: u64) -> String {
    match count {
        0..1_000 => format!("{count} B"),
        1_000..1_000_000 => format!("{:.1} kB", count as f64 / 1e3),
        1_000_000..1_000_000_000 => format!("{:.1} MB", count as f64 / 1e6),
        _ => format!("{:.1} GB", count as f64 / 1e9),
    }
}
