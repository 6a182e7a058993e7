//! Reading the kinds of files that several commands take: text pools and head statistics.

use std::path::Path;

use super::error::CliError;
use super::terminal_progress::TerminalProgress;
use crate::session::Session;
use crate::session::pool_texts::PoolTexts;
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

/// Reads a text pool: a text in each line, with or without a TAB and the text's property.
///
/// # Errors
/// [`CliError::Io`]; [`CliError::Checkpoint`] if the file holds no text, or a line makes no sense.
pub fn pool(path: &Path) -> Result<PoolTexts, CliError> {
    let file = std::fs::read_to_string(path).map_err(CliError::io("read", path))?;
    Ok(PoolTexts::parse(&file).map_err(|err| err.of_file(&path.display().to_string()))?)
}

/// Embeds the texts of a text pool with the open model, and uses them in place of the pack's pool.
///
/// # Errors
/// [`CliError::Session`] if the model has no text tower, or a text is too long for it.
pub fn use_pool(session: &mut Session, texts: PoolTexts) -> Result<(), CliError> {
    let progress = TerminalProgress::bar(texts.len(), "texts");
    let pool = pollster::block_on(session.embed_pool(texts, |done| progress.reached(done)))?;
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
