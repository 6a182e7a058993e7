//! Work on many pictures, several at the same time.
//!
//! The operations of a model are too small to keep several cores busy. Several pictures at a time are enough work.

use std::path::{Path, PathBuf};
use std::sync::mpsc;
use std::time::Instant;

use serde::Serialize;

use super::error::CliError;
use super::pictures;
use super::terminal_progress::TerminalProgress;
use crate::media::Photo;

/// Finished results that a thread may hold back until they are taken.
const FINISHED_AHEAD: usize = 2;

/// A picture that could not be read.
#[derive(Serialize)]
pub struct SkippedPicture {
    pub image: String,
    pub error: String,
}

/// Runs `work` on each item, on `threads` threads. `take` receives the results on this thread, in order.
///
/// # Errors
/// The first error that `take` returns; [`CliError::Io`] if the system cannot start a thread.
pub fn in_order<T: Sync, R: Send>(
    items: &[T],
    threads: usize,
    work: impl Fn(&T) -> Result<R, CliError> + Sync,
    mut take: impl FnMut(&T, Result<R, CliError>) -> Result<(), CliError>,
) -> Result<(), CliError> {
    let work = &work;
    let threads = threads.clamp(1, items.len().max(1));
    std::thread::scope(|scope| {
        // With n threads, thread i works on the items i, i + n, i + 2n, ... and waits while FINISHED_AHEAD of its
        // results are not taken. So the results come in order, and few are in memory.
        let mut queues = Vec::with_capacity(threads);
        for first in 0..threads {
            let (sender, queue) = mpsc::sync_channel(FINISHED_AHEAD);
            let all = move || {
                items.iter().skip(first).step_by(threads).try_for_each(|item| sender.send(work(item)).ok())
            };
            let spawned = std::thread::Builder::new().name("pictures".into()).spawn_scoped(scope, all);
            spawned.map_err(CliError::io("start a thread for", Path::new("pictures")))?;
            queues.push(queue);
        }
        for (item, queue) in items.iter().zip(queues.iter().cycle()) {
            // A closed queue means that its thread panicked. The scope then panics too.
            let Ok(result) = queue.recv() else { break };
            take(item, result)?;
        }
        Ok(())
    })
}

/// Reads each picture and runs `work` on it, as [`in_order`] does. `work` also receives the seconds that reading took.
///
/// # Errors
/// As [`in_order`].
pub fn on_pictures<R: Send>(
    paths: &[PathBuf],
    threads: usize,
    work: impl Fn(&Path, &Photo, f64) -> Result<R, CliError> + Sync,
    mut take: impl FnMut(&Path, Result<R, CliError>) -> Result<(), CliError>,
) -> Result<(), CliError> {
    let on_picture = |path: &PathBuf| {
        let start = Instant::now();
        let photo = pictures::read_guarded(path)?;
        work(path, &photo, start.elapsed().as_secs_f64())
    };
    in_order(paths, threads, on_picture, |path, result| take(path, result))
}

/// Runs `work` on each item, as [`in_order`] does, and counts the items in `progress`. An item whose picture cannot be
/// read is reported on stderr, by the name that `name` gives, and returned.
///
/// # Errors
/// The first error that no single picture caused.
pub fn skipping_unreadable<T: Sync, R: Send>(
    items: &[T],
    threads: usize,
    progress: &TerminalProgress,
    name: impl Fn(&T) -> String,
    work: impl Fn(&T) -> Result<R, CliError> + Sync,
    mut take: impl FnMut(&T, R) -> Result<(), CliError>,
) -> Result<Vec<SkippedPicture>, CliError> {
    let mut skipped = Vec::new();
    in_order(items, threads, work, |item, result| {
        progress.step();
        match result {
            Ok(result) => take(item, result),
            Err(error) if error.is_of_picture() => {
                progress.complain(&format!("skipped: {error}"));
                skipped.push(SkippedPicture { image: name(item), error: error.to_string() });
                Ok(())
            }
            Err(error) => Err(error),
        }
    })?;
    Ok(skipped)
}

/// Reads each picture and runs `work` on it, as [`skipping_unreadable`] does, under a progress bar.
///
/// # Errors
/// As [`skipping_unreadable`]; [`CliError::NoPictureReadable`] if all pictures were skipped.
pub fn on_readable_pictures<R: Send>(
    paths: &[PathBuf],
    threads: usize,
    work: impl Fn(&Photo) -> Result<R, CliError> + Sync,
    mut take: impl FnMut(&Path, R) -> Result<(), CliError>,
) -> Result<Vec<SkippedPicture>, CliError> {
    let progress = TerminalProgress::bar(paths.len(), "pictures");
    let skipped = skipping_unreadable(
        paths,
        threads,
        &progress,
        |path| path.display().to_string(),
        |path| work(&pictures::read_guarded(path)?),
        |path, result| take(path, result),
    )?;
    if skipped.len() == paths.len() && !paths.is_empty() {
        return Err(CliError::NoPictureReadable(paths.len()));
    }
    Ok(skipped)
}
