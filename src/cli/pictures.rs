//! Finding and reading picture files.

use std::collections::HashSet;
use std::panic::AssertUnwindSafe;
use std::path::{Path, PathBuf};

use super::error::CliError;
use crate::geometry::Size;
use crate::media::{self, Photo};

/// The extensions of picture files. AVIF and HEIC cannot be decoded here, but they are listed, so that such files
/// are reported and not silently left out.
const EXTENSIONS: [&str; 18] = [
    "avif", "bmp", "gif", "heic", "heif", "jfif", "jpeg", "jpg", "pbm", "pgm", "png", "pnm", "ppm", "qoi", "tga",
    "tif", "tiff", "webp",
];

/// Lists the pictures directly in `folder`, sorted by name.
///
/// # Errors
/// [`CliError::Io`]; [`CliError::NoPictures`].
pub fn in_folder(folder: &Path) -> Result<Vec<PathBuf>, CliError> {
    let mut pictures = entries(folder)?;
    pictures.retain(|path| is_picture(path) && path.is_file());
    if pictures.is_empty() {
        return Err(CliError::NoPictures(folder.to_owned()));
    }
    Ok(pictures)
}

/// Lists the pictures in `folder` and in all folders below it, sorted by path. Links are followed.
///
/// # Errors
/// [`CliError::Io`]; [`CliError::NoPictures`].
pub fn in_all_folders(folder: &Path) -> Result<Vec<PathBuf>, CliError> {
    let mut pictures = Vec::new();
    let mut visited = HashSet::new();
    let mut folders = vec![folder.to_owned()];
    while let Some(folder) = folders.pop() {
        let real_path = folder.canonicalize().map_err(CliError::io("read", &folder))?;
        // A link may lead back to a folder above.
        if !visited.insert(real_path) {
            continue;
        }
        for path in entries(&folder)? {
            if path.is_dir() {
                folders.push(path);
            } else if is_picture(&path) {
                pictures.push(path);
            }
        }
    }
    if pictures.is_empty() {
        return Err(CliError::NoPictures(folder.to_owned()));
    }
    pictures.sort();
    Ok(pictures)
}

/// Lists the folders directly in `folder`, sorted by name.
///
/// # Errors
/// [`CliError::Io`].
pub fn folders(folder: &Path) -> Result<Vec<PathBuf>, CliError> {
    let mut folders = entries(folder)?;
    folders.retain(|path| path.is_dir());
    Ok(folders)
}

/// Returns the path of a picture relative to `folder`, with `/` on every system.
pub fn name_in(folder: &Path, path: &Path) -> String {
    let relative = path.strip_prefix(folder).unwrap_or(path);
    let parts: Vec<_> = relative.components().map(|part| part.as_os_str().to_string_lossy()).collect();
    parts.join("/")
}

/// Lists the entries of `folder` sorted by name, without hidden ones.
fn entries(folder: &Path) -> Result<Vec<PathBuf>, CliError> {
    let entries = std::fs::read_dir(folder).map_err(CliError::io("read", folder))?;
    let mut paths = entries
        .map(|entry| Ok(entry?.path()))
        .collect::<Result<Vec<_>, std::io::Error>>()
        .map_err(CliError::io("read", folder))?;
    paths.retain(|path| path.file_name().is_some_and(|name| !name.as_encoded_bytes().starts_with(b".")));
    paths.sort();
    Ok(paths)
}

fn is_picture(path: &Path) -> bool {
    let extension = path.extension().map(|extension| extension.to_string_lossy().to_ascii_lowercase());
    extension.is_some_and(|extension| EXTENSIONS.contains(&extension.as_str()))
}

/// Reads and decodes one picture.
///
/// # Errors
/// [`CliError::Io`] or [`CliError::Media`].
pub fn read(path: &Path) -> Result<Photo, CliError> {
    let bytes = std::fs::read(path).map_err(CliError::io("read", path))?;
    Ok(pollster::block_on(media::decode(&path.to_string_lossy(), &bytes))?)
}

/// Reads and decodes one picture; a panic of the decoder becomes an error.
///
/// # Errors
/// As [`read`], and [`CliError::DecoderPanic`].
pub fn read_guarded(path: &Path) -> Result<Photo, CliError> {
    guarded(path, || read(path))
}

/// Reads a mask of any picture format: its size, and whether each pixel is foreground, rows first; a panic of the
/// decoder becomes an error.
///
/// # Errors
/// As [`read_guarded`].
pub fn read_foreground(path: &Path) -> Result<(Size, Vec<bool>), CliError> {
    let bytes = std::fs::read(path).map_err(CliError::io("read", path))?;
    guarded(path, || Ok(media::decode_foreground(&path.to_string_lossy(), &bytes)?))
}

fn guarded<T>(path: &Path, read: impl FnOnce() -> Result<T, CliError>) -> Result<T, CliError> {
    let read = std::panic::catch_unwind(AssertUnwindSafe(read));
    read.unwrap_or_else(|_panic| Err(CliError::DecoderPanic(path.to_owned())))
}
