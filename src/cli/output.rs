//! Writing answers to stdout, complaints to stderr, and result files.

use std::fmt::Display;
use std::io::Write as _;
use std::path::Path;

use clap::Args;
use serde::Serialize;

use super::error::CliError;

/// The answer of a command. It serialises to JSON for programs.
pub trait CommandAnswer: Serialize {
    /// Returns the answer as text for people.
    fn in_words(&self) -> String;
}

/// The format of a command's answer.
#[derive(Args, Clone, Copy, Debug)]
pub struct AnswerFormat {
    /// Print the answer as one line of JSON
    #[arg(long)]
    json: bool,
}

impl AnswerFormat {
    /// Prints the answer in this format.
    ///
    /// # Errors
    /// [`CliError::Stdout`].
    pub fn print(self, answer: &impl CommandAnswer) -> Result<(), CliError> {
        if self.json { print(&json(answer)?) } else { print(&answer.in_words()) }
    }
}

/// Writes `text` and a line end to stdout, and flushes.
///
/// # Errors
/// [`CliError::Stdout`]; a closed pipe is one of the causes.
pub fn print(text: &str) -> Result<(), CliError> {
    let mut stdout = std::io::stdout().lock();
    writeln!(stdout, "{text}").and_then(|()| stdout.flush()).map_err(CliError::Stdout)
}

/// Returns `value` as one line of JSON.
///
/// # Errors
/// [`CliError::Stdout`] if JSON cannot express the value.
pub fn json(value: &impl Serialize) -> Result<String, CliError> {
    serde_json::to_string(value).map_err(|err| CliError::Stdout(err.into()))
}

/// Writes `message` as one line to stderr.
pub fn complain(message: &dyn Display) {
    let one_line = message.to_string().split_whitespace().collect::<Vec<_>>().join(" ");
    // If stderr is closed, the message is lost.
    let _closed = writeln!(std::io::stderr(), "headlamp: {one_line}");
}

/// Checks that nothing lies at `path` and that its folder exists. A command calls this before its long work.
///
/// # Errors
/// [`CliError::Exists`] or [`CliError::Io`].
pub fn check_free_file(path: &Path) -> Result<(), CliError> {
    if path.exists() {
        return Err(CliError::Exists(path.to_owned()));
    }
    has_folder(path)
}

/// Checks that a pack can be written at `path`: an archive (`.tar`) needs a free place, and a folder must be new or
/// empty, because a pack must not lie among the files of another pack.
///
/// # Errors
/// [`CliError::Exists`] or [`CliError::Io`].
pub fn check_free_for_pack(path: &Path) -> Result<(), CliError> {
    let is_archive = path.extension().is_some_and(|extension| extension == "tar");
    if is_archive { check_free_file(path) } else { check_free_folder(path) }
}

fn check_free_folder(folder: &Path) -> Result<(), CliError> {
    match std::fs::read_dir(folder).map(|mut entries| entries.next().is_some()) {
        Ok(true) => Err(CliError::Exists(folder.to_owned())),
        Ok(false) => Ok(()),
        Err(err) if err.kind() == std::io::ErrorKind::NotFound => Ok(()),
        Err(err) => Err(CliError::io("write", folder)(err)),
    }
}

/// Checks that the folder of `path` exists.
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

/// Makes a folder and the folders above it.
///
/// # Errors
/// [`CliError::Io`].
pub fn make_folder(folder: &Path) -> Result<(), CliError> {
    std::fs::create_dir_all(folder).map_err(CliError::io("make", folder))
}

/// Writes a file under a temporary name and renames it, so that no half-written file is left.
///
/// # Errors
/// [`CliError::Io`].
pub fn write(path: &Path, bytes: &[u8]) -> Result<(), CliError> {
    let unfinished = path.with_added_extension("unfinished");
    std::fs::write(&unfinished, bytes).map_err(CliError::io("write", &unfinished))?;
    std::fs::rename(&unfinished, path).map_err(CliError::io("write", path))
}

/// Formats a number of things: "1 picture", "2 pictures".
pub fn count(number: u64, thing: &str) -> String {
    let plural = if number == 1 { "" } else { "s" };
    format!("{number} {thing}{plural}")
}

/// Formats the number of skipped pictures, as the continuation of a sentence; empty if no picture was skipped.
pub fn skipped(number: usize) -> String {
    if number == 0 { String::new() } else { format!(", {number} skipped") }
}

/// Formats a number of bytes: "51.2 MB".
pub fn bytes(count: u64) -> String {
    match count {
        0..1_000 => format!("{count} B"),
        1_000..1_000_000 => format!("{:.1} kB", count as f64 / 1e3),
        1_000_000..1_000_000_000 => format!("{:.1} MB", count as f64 / 1e6),
        _ => format!("{:.1} GB", count as f64 / 1e9),
    }
}
