//! Picture files: found, and decoded ahead of the model.

use std::collections::HashSet;
use std::panic::AssertUnwindSafe;
use std::path::{Path, PathBuf};
use std::sync::mpsc;
use std::time::Instant;

use super::CliError;
use crate::media::{self, Photo};

/// What picture files are called. Those that cannot be decoded here (AVIF, HEIC) are among them, so that they are
/// reported and not passed over.
const EXTENSIONS: [&str; 18] = [
    "avif", "bmp", "gif", "heic", "heif", "jfif", "jpeg", "jpg", "pbm", "pgm", "png", "pnm", "ppm", "qoi", "tga",
    "tif", "tiff", "webp",
];

/// Decoded pictures that wait for the model.
const AHEAD: usize = 2;

/// A picture file, read.
pub struct Picture {
    pub path: PathBuf,
    pub photo: Result<Photo, CliError>,
    /// Spent on reading and decoding.
    pub seconds: f64,
}

/// The pictures right in `folder`, by name.
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

/// The pictures in `folder` and all folders in it, by path. Links are followed.
///
/// # Errors
/// [`CliError::Io`]; [`CliError::NoPictures`].
pub fn beneath(folder: &Path) -> Result<Vec<PathBuf>, CliError> {
    let mut pictures = Vec::new();
    let mut seen = HashSet::new();
    let mut folders = vec![folder.to_owned()];
    while let Some(folder) = folders.pop() {
        let place = folder.canonicalize().map_err(CliError::io("read", &folder))?;
        // A link may lead back up.
        if !seen.insert(place) {
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

/// What lies in `folder`, by name; hidden entries are left out.
fn entries(folder: &Path) -> Result<Vec<PathBuf>, CliError> {
    let found = std::fs::read_dir(folder).map_err(CliError::io("read", folder))?;
    let mut paths = found
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

/// Reads `paths` in order on a thread of its own, a little ahead of whoever takes them.
///
/// # Errors
/// [`CliError::Io`] where the system has no thread to spare.
pub fn read_ahead(paths: Vec<PathBuf>) -> Result<impl Iterator<Item = Picture>, CliError> {
    let (sender, receiver) = mpsc::sync_channel(AHEAD);
    let reader = move || {
        for path in paths {
            let start = Instant::now();
            // A file that breaks its decoder must cost no other picture.
            let read = std::panic::catch_unwind(AssertUnwindSafe(|| read(&path)));
            let photo = read.unwrap_or_else(|_panic| Err(CliError::Decoder(path.clone())));
            let picture = Picture { path, photo, seconds: start.elapsed().as_secs_f64() };
            if sender.send(picture).is_err() {
                return;
            }
        }
    };
    let spawned = std::thread::Builder::new().name("reader".into()).spawn(reader);
    spawned.map_err(CliError::io("start a thread for", Path::new("reading pictures")))?;
    Ok(receiver.into_iter())
}
