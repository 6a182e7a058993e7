//! A gallery: many pictures of one model, kept so that a later visit goes on where this one stops.
//!
//! Three files that only grow: a line for each picture, its imprint (all of one size) and its thumbnail; and the
//! statistics over all, written anew now and then, in two files by turns, so that one of them is always whole.
//! Pictures after the last written statistics are looked at again, so that all files always agree, whenever the
//! browser was closed.

use serde::{Deserialize, Serialize};

use super::Session;
use crate::decompose::{Decomposition, Readout};
use crate::protocol::GalleryEntry;
use crate::retrieve::{Imprint, Property, ranked};
use crate::statistics::Statistics;

/// The statistics are written after so many pictures: at most these are looked at again.
const COMMIT: usize = 16;

/// The names of a gallery's files.
pub const FILES: [&str; 5] =
    ["pictures.jsonl", "imprints.f16", "thumbnails", "statistics.safetensors", "statistics-too.safetensors"];

/// A file of a gallery: one that the browser keeps, or one in memory.
pub trait GalleryFile {
    fn len(&self) -> u64;

    /// The bytes from `at` on; all that there are, where those are fewer than asked for.
    fn read(&self, at: u64, count: usize) -> Vec<u8>;

    /// Adds bytes at the end, all or none.
    ///
    /// # Errors
    /// [`NoRoom`]
    fn append(&mut self, bytes: &[u8]) -> Result<(), NoRoom>;

    /// Cuts the file off.
    fn truncate(&mut self, len: u64);
}

/// There is no room for a picture in the browser's storage.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "the browser has no room left for more of the gallery: what is there stays; remove what you do not need below, or make room on the disk, then go on"
)]
pub struct NoRoom;

/// A file in memory.
impl GalleryFile for Vec<u8> {
    fn len(&self) -> u64 {
        self.len() as u64
    }

    fn read(&self, at: u64, count: usize) -> Vec<u8> {
        let start = usize::try_from(at).unwrap_or(usize::MAX).min(self.len());
        self[start..start.saturating_add(count).min(self.len())].to_vec()
    }

    fn append(&mut self, bytes: &[u8]) -> Result<(), NoRoom> {
        self.try_reserve(bytes.len()).map_err(|_full| NoRoom)?;
        self.extend_from_slice(bytes);
        Ok(())
    }

    fn truncate(&mut self, len: u64) {
        self.truncate(usize::try_from(len).unwrap_or(usize::MAX));
    }
}

/// A line of the list of pictures.
#[derive(Serialize, Deserialize)]
struct Line {
    #[serde(flatten)]
    entry: GalleryEntry,
    /// Where its thumbnail ends.
    thumbnail_end: u64,
}

/// An open gallery.
pub struct Gallery<F> {
    lines: Vec<Line>,
    list: F,
    imprints: F,
    thumbnails: F,
    kept_statistics: [F; 2],
    /// Which of them is the older one, or not whole: the next to be written.
    older: usize,
    statistics: Statistics,
}

impl<F: GalleryFile> Gallery<F> {
    /// Opens the gallery in `files` (in the order of [`FILES`]), for the session's model. What does not belong
    /// together is cut off.
    pub fn open([list, imprints, thumbnails, even, odd]: [F; 5], session: &Session) -> Self {
        let mut lines: Vec<Line> = String::from_utf8_lossy(&list.read(0, usize::MAX))
            .lines()
            .map_while(|line| serde_json::from_str(line).ok())
            .collect();
        let whole = usize::try_from(imprints.len() / imprint_len(&session.model().readout)).unwrap_or(usize::MAX);
        let seen = |statistics: &Statistics| usize::try_from(statistics.images()).unwrap_or(usize::MAX);
        let has_all = |statistics: &Statistics| {
            let counted = seen(statistics);
            lines.len().min(whole) >= counted
                && counted.checked_sub(1).is_none_or(|last| lines[last].thumbnail_end <= thumbnails.len())
        };
        let kept_statistics = [even, odd];
        let read = kept_statistics.each_ref().map(|file| session.read_statistics(&file.read(0, usize::MAX)).ok());
        let usable = read.into_iter().enumerate().filter_map(|(place, read)| Some((place, read.filter(has_all)?)));
        let (newest, statistics) =
            usable.max_by_key(|(_, read)| read.images()).unwrap_or_else(|| (1, session.new_statistics()));
        lines.truncate(seen(&statistics));
        let older = 1 - newest;
        let mut gallery = Self { lines, list, imprints, thumbnails, kept_statistics, older, statistics };
        gallery.trim(&session.model().readout);
        gallery
    }

    /// Cuts off what is beyond the last picture.
    fn trim(&mut self, readout: &Readout) {
        let list: usize = self.lines.iter().map(|line| written(line).len()).sum();
        self.list.truncate(list as u64);
        self.imprints.truncate(self.lines.len() as u64 * imprint_len(readout));
        self.thumbnails.truncate(self.lines.last().map_or(0, |line| line.thumbnail_end));
    }

    pub fn entries(&self) -> impl ExactSizeIterator<Item = &GalleryEntry> {
        self.lines.iter().map(|line| &line.entry)
    }

    /// Statistics over all of the gallery's pictures.
    pub fn statistics(&self) -> &Statistics {
        &self.statistics
    }

    /// Takes a picture in.
    ///
    /// # Errors
    /// [`NoRoom`]: the gallery is as it was.
    pub fn add(
        &mut self,
        entry: GalleryEntry,
        image: &Decomposition<'_>,
        readout: &Readout,
        thumbnail: &[u8],
    ) -> Result<(), NoRoom> {
        let line = Line { entry, thumbnail_end: self.thumbnails.len() + thumbnail.len() as u64 };
        let imprint = Imprint::of(image, readout).to_bytes();
        let appended = self
            .thumbnails
            .append(thumbnail)
            .and_then(|()| self.imprints.append(&imprint))
            .and_then(|()| self.list.append(&written(&line)));
        if let Err(full) = appended {
            self.trim(readout);
            return Err(full);
        }
        self.lines.push(line);
        self.statistics.push(image);
        if self.lines.len().is_multiple_of(COMMIT) {
            // The picture is in. Whoever wants the gallery to be kept is told that it could not be.
            let _no_room = self.commit();
        }
        Ok(())
    }

    /// Writes the statistics, so that all pictures up to now count at the next visit.
    ///
    /// # Errors
    /// [`NoRoom`]: a later visit looks at the last pictures again.
    pub fn commit(&mut self) -> Result<(), NoRoom> {
        let bytes = self.statistics.to_bytes().unwrap_or_default();
        let file = &mut self.kept_statistics[self.older];
        file.truncate(0);
        file.append(&bytes)?;
        self.older = 1 - self.older;
        Ok(())
    }

    /// The imprint of a picture; none where there is no such picture.
    pub fn imprint(&self, index: usize, readout: &Readout) -> Option<Imprint> {
        let len = imprint_len(readout);
        let bytes = self.imprints.read(index as u64 * len, len as usize);
        self.lines.get(index).and_then(|_line| Imprint::from_bytes(&bytes, readout).ok())
    }

    /// A picture's thumbnail, as it was added; empty where there is no such picture.
    pub fn thumbnail(&self, index: usize) -> Vec<u8> {
        let end = |index: usize| self.lines.get(index).map_or(0, |line| line.thumbnail_end);
        let start = if index == 0 { 0 } else { end(index - 1) };
        self.thumbnails.read(start, end(index).saturating_sub(start) as usize)
    }

    /// The `most` pictures most like `query`, with their cosines.
    pub fn like(&self, query: &Imprint, property: &Property, readout: &Readout, most: usize) -> Vec<(usize, f64)> {
        self.best(most, property.similarities(readout, query, self.imprints(readout)))
    }

    /// The `most` pictures that score highest for a text, with what the property adds to the score.
    pub fn scoring(&self, text: &[f32], property: &Property, readout: &Readout, most: usize) -> Vec<(usize, f64)> {
        self.best(most, property.scores(readout, text, self.imprints(readout)))
    }

    fn best(&self, most: usize, scores: Vec<f64>) -> Vec<(usize, f64)> {
        ranked(&scores, most).into_iter().map(|index| (index, scores[index])).collect()
    }

    /// Every picture's imprint, in their order.
    pub fn imprints(&self, readout: &Readout) -> impl Iterator<Item = Imprint> {
        (0..self.lines.len()).filter_map(|index| self.imprint(index, readout))
    }

    /// Forgets everything.
    pub fn clear(&mut self, session: &Session) {
        self.lines.clear();
        self.statistics = session.new_statistics();
        self.kept_statistics.iter_mut().for_each(|file| file.truncate(0));
        self.trim(&session.model().readout);
    }
}

fn imprint_len(readout: &Readout) -> u64 {
    2 * Imprint::numbers(readout) as u64
}

fn written(line: &Line) -> Vec<u8> {
    // Names and numbers always serialise.
    let mut bytes = serde_json::to_vec(line).unwrap_or_default();
    bytes.push(b'\n');
    bytes
}
