//! Reading the kinds of files that several commands take: text pools and head statistics.

use std::path::Path;

use super::error::CliError;
use super::terminal_progress::TerminalProgress;
use crate::session::{Session, pool_lines};
use crate::statistics::Statistics;

/// Reads a file.
///
/// # Errors
/// [`CliError::Io`].
pub fn read(path: &Path) -> Result<Vec<u8>, CliError> {
    std::fs::read(path).map_err(CliError::io("read", path))
}

/// Reads a text file; bytes that are not UTF-8 become replacement characters.
///
/// # Errors
/// [`CliError::Io`].
pub fn read_lossy(path: &Path) -> Result<String, CliError> {
    Ok(String::from_utf8_lossy(&read(path)?).into_owned())
}

/// Reads the lines of a text pool.
///
/// # Errors
/// [`CliError::Io`]; [`CliError::Checkpoint`] if the file holds no text.
pub fn pool(path: &Path) -> Result<Vec<String>, CliError> {
    let text = std::fs::read_to_string(path).map_err(CliError::io("read", path))?;
    Ok(pool_lines(&path.display().to_string(), &text)?)
}

/// Embeds the lines of a text pool with the open model, and uses them in place of the pack's pool.
///
/// # Errors
/// [`CliError::Session`] if the model has no text tower, or a line is too long for it.
pub fn use_pool(session: &mut Session, lines: Vec<String>) -> Result<(), CliError> {
    let progress = TerminalProgress::bar(lines.len(), "texts");
    let pool = pollster::block_on(session.embed_pool(lines, |done| progress.reached(done)))?;
    session.use_pool(Some(pool));
    Ok(())
}

/// Parses head statistics from `bytes`, the contents of the file at `path`, for the open model.
///
/// # Errors
/// [`CliError::Statistics`] if the file holds no statistics, or those of another model.
pub fn statistics(session: &Session, path: &Path, bytes: &[u8]) -> Result<Statistics, CliError> {
    session.read_statistics(bytes).map_err(|source| CliError::Statistics { path: path.to_owned(), source })
}

/// Reads head statistics, and uses them in place of the pack's statistics.
///
/// # Errors
/// [`CliError::Io`], and as [`statistics`].
pub fn use_statistics(session: &mut Session, path: &Path) -> Result<(), CliError> {
    let statistics = statistics(session, path, &read(path)?)?;
    session.use_statistics(Some(statistics));
    Ok(())
}
