//! Files that several commands read.

use std::path::Path;

use super::CliError;
use crate::session::{Session, pool_lines};
use crate::statistics::Statistics;

/// A file's bytes.
///
/// # Errors
/// [`CliError::Io`].
pub fn read(path: &Path) -> Result<Vec<u8>, CliError> {
    std::fs::read(path).map_err(CliError::io("read", path))
}

/// The lines of a text pool.
///
/// # Errors
/// Where the file cannot be read, or holds no text.
pub fn pool(path: &Path) -> Result<Vec<String>, CliError> {
    let text = std::fs::read_to_string(path).map_err(CliError::io("read", path))?;
    Ok(pool_lines(&path.display().to_string(), &text)?)
}

/// The statistics in `bytes`, which were read from `path`, held against the model that is open.
///
/// # Errors
/// [`CliError::Statistics`] where they are none, or another model's.
pub fn statistics(session: &Session, path: &Path, bytes: &[u8]) -> Result<Statistics, CliError> {
    session.read_statistics(bytes).map_err(|source| CliError::Statistics { path: path.to_owned(), source })
}
