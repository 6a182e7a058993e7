//! Picture files: found, and worked through on every core.

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

/// Results of one thread that wait to be taken.
const AHEAD: usize = 2;

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

/// The folders right in `folder`, by name.
///
/// # Errors
/// [`CliError::Io`].
pub fn folders(folder: &Path) -> Result<Vec<PathBuf>, CliError> {
    let mut folders = entries(folder)?;
    folders.retain(|path| path.is_dir());
    Ok(folders)
}

/// A picture's path in `folder`, the same on every system.
pub fn name_in(folder: &Path, path: &Path) -> String {
    let inner = path.strip_prefix(folder).unwrap_or(path);
    let parts: Vec<_> = inner.components().map(|part| part.as_os_str().to_string_lossy()).collect();
    parts.join("/")
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

/// [`read`]; a file that breaks its decoder is an error and nothing worse.
///
/// # Errors
/// As [`read`], and [`CliError::Decoder`].
pub fn read_guarded(path: &Path) -> Result<Photo, CliError> {
    let read = std::panic::catch_unwind(AssertUnwindSafe(|| read(path)));
    read.unwrap_or_else(|_panic| Err(CliError::Decoder(path.to_owned())))
}

/// Reads each of `paths` and does `work` on it, on so many threads; `take` gets the results here, in order.
/// `work` also hears how many seconds reading took.
///
/// # Errors
/// The first that `take` returns. [`CliError::Io`] where the system has no threads to spare.
pub fn each<R: Send>(
    paths: &[PathBuf],
    threads: usize,
    work: impl Fn(&Path, &Photo, f64) -> Result<R, CliError> + Sync,
    mut take: impl FnMut(&Path, Result<R, CliError>) -> Result<(), CliError>,
) -> Result<(), CliError> {
    let of_one = |path: &PathBuf| {
        let start = Instant::now();
        let photo = read_guarded(path)?;
        work(path, &photo, start.elapsed().as_secs_f64())
    };
    side_by_side(paths, threads, of_one, |path, result| take(path, result))
}

/// Does `work` on each of `items`, on so many threads; `take` gets the results here, in order.
///
/// A model's own operations are too small to keep several cores busy, pictures side by side are not.
///
/// # Errors
/// As [`each`].
pub fn side_by_side<T: Sync, R: Send>(
    items: &[T],
    threads: usize,
    work: impl Fn(&T) -> Result<R, CliError> + Sync,
    mut take: impl FnMut(&T, Result<R, CliError>) -> Result<(), CliError>,
) -> Result<(), CliError> {
    let work = &work;
    let threads = threads.clamp(1, items.len().max(1));
    std::thread::scope(|scope| {
        // Thread i does every i-th item and waits with those that nobody has taken yet, so that results
        // come in order and do not pile up.
        let mut queues = Vec::with_capacity(threads);
        for first in 0..threads {
            let (sender, queue) = mpsc::sync_channel(AHEAD);
            let all = move || {
                items.iter().skip(first).step_by(threads).try_for_each(|item| sender.send(work(item)).ok())
            };
            let spawned = std::thread::Builder::new().name("pictures".into()).spawn_scoped(scope, all);
            spawned.map_err(CliError::io("start a thread for", Path::new("pictures")))?;
            queues.push(queue);
        }
        for (item, queue) in items.iter().zip(queues.iter().cycle()) {
            // A thread that broke off fails the whole scope.
            let Ok(result) = queue.recv() else { break };
            take(item, result)?;
        }
        Ok(())
    })
}
