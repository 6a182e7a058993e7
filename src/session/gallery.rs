//! A gallery: the results of one model for many pictures, stored so that a later visit can continue.
//!
//! For each picture, a line of text, the picture's codes and a thumbnail are appended to three files. The codes of
//! every picture have the same size. The statistics over all pictures are rewritten from time to time, in two files in
//! turn, so that one of them is always complete. When a gallery is opened, pictures after the last written statistics are dropped and must be added
//! again. Therefore all files agree, no matter when the browser was closed.

use serde::{Deserialize, Serialize};

use super::Session;
use crate::decompose::{Decomposition, Readout};
use crate::protocol::GalleryEntry;
use crate::retrieve::{PictureCodes, Property, ranked};
use crate::statistics::Statistics;

/// The statistics are written after this many pictures. After a crash, at most this many pictures must be added again.
const COMMIT: usize = 16;

/// The names of a gallery's files.
pub const FILES: [&str; 5] =
    ["pictures.jsonl", "imprints.f16", "thumbnails", "statistics.safetensors", "statistics-too.safetensors"];

/// A file of a gallery, in the browser's storage or in memory.
pub trait GalleryFile {
    /// Returns the size in bytes.
    fn len(&self) -> u64;

    /// Reads `count` bytes from the position `at`, or fewer at the end of the file.
    fn read(&self, at: u64, count: usize) -> Vec<u8>;

    /// Appends all bytes, or none.
    ///
    /// # Errors
    /// [`NoRoom`]
    fn append(&mut self, bytes: &[u8]) -> Result<(), NoRoom>;

    /// Shortens the file to `len` bytes.
    fn truncate(&mut self, len: u64);
}

/// The browser's storage is full.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "the browser's storage is full: the gallery so far is safe; remove stored data below or free disk space, then continue"
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
struct PictureLine {
    #[serde(flatten)]
    entry: GalleryEntry,
    /// The end of the picture's thumbnail in the thumbnails' file, in bytes.
    thumbnail_end: u64,
}

/// An open gallery.
pub struct Gallery<F> {
    lines: Vec<PictureLine>,
    list: F,
    codes: F,
    thumbnails: F,
    kept_statistics: [F; 2],
    /// The index of the older or incomplete statistics file. This file is written next.
    older: usize,
    statistics: Statistics,
}

impl<F: GalleryFile> Gallery<F> {
    /// Opens the gallery in `files` (in the order of [`FILES`]), for the session's model. Data beyond the last complete
    /// statistics is cut off.
    pub fn open([list, codes, thumbnails, even, odd]: [F; 5], session: &Session) -> Self {
        let mut lines: Vec<PictureLine> = String::from_utf8_lossy(&list.read(0, usize::MAX))
            .lines()
            .map_while(|line| serde_json::from_str(line).ok())
            .collect();
        let whole = usize::try_from(codes.len() / codes_len(&session.model().readout)).unwrap_or(usize::MAX);
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
        let mut gallery = Self { lines, list, codes, thumbnails, kept_statistics, older, statistics };
        gallery.trim(&session.model().readout);
        gallery
    }

    /// Shortens all files to the last picture.
    fn trim(&mut self, readout: &Readout) {
        let list: usize = self.lines.iter().map(|line| written(line).len()).sum();
        self.list.truncate(list as u64);
        self.codes.truncate(self.lines.len() as u64 * codes_len(readout));
        self.thumbnails.truncate(self.lines.last().map_or(0, |line| line.thumbnail_end));
    }

    /// Returns the entries of all pictures.
    pub fn entries(&self) -> impl ExactSizeIterator<Item = &GalleryEntry> {
        self.lines.iter().map(|line| &line.entry)
    }

    /// Returns the statistics over all pictures.
    pub fn statistics(&self) -> &Statistics {
        &self.statistics
    }

    /// Adds a picture.
    ///
    /// # Errors
    /// [`NoRoom`]: the gallery is unchanged.
    pub fn add(
        &mut self,
        entry: GalleryEntry,
        image: &Decomposition<'_>,
        readout: &Readout,
        thumbnail: &[u8],
    ) -> Result<(), NoRoom> {
        let line = PictureLine { entry, thumbnail_end: self.thumbnails.len() + thumbnail.len() as u64 };
        let codes = PictureCodes::of(image, readout).to_bytes();
        let appended = self
            .thumbnails
            .append(thumbnail)
            .and_then(|()| self.codes.append(&codes))
            .and_then(|()| self.list.append(&written(&line)));
        if let Err(full) = appended {
            self.trim(readout);
            return Err(full);
        }
        self.lines.push(line);
        self.statistics.push(image);
        if self.lines.len().is_multiple_of(COMMIT) {
            // The picture is added in any case. An explicit commit reports the failure.
            let _no_room = self.commit();
        }
        Ok(())
    }

    /// Writes the statistics, so that the next visit finds all pictures up to now.
    ///
    /// # Errors
    /// [`NoRoom`]: a later visit must add the last pictures again.
    pub fn commit(&mut self) -> Result<(), NoRoom> {
        let bytes = self.statistics.to_bytes().unwrap_or_default();
        let file = &mut self.kept_statistics[self.older];
        file.truncate(0);
        file.append(&bytes)?;
        self.older = 1 - self.older;
        Ok(())
    }

    /// Returns the codes of a picture, if the picture exists.
    pub fn codes(&self, index: usize, readout: &Readout) -> Option<PictureCodes> {
        let len = codes_len(readout);
        let bytes = self.codes.read(index as u64 * len, len as usize);
        self.lines.get(index).and_then(|_line| PictureCodes::from_bytes(&bytes, readout).ok())
    }

    /// Returns the thumbnail's file of a picture; empty if there is no such picture.
    pub fn thumbnail(&self, index: usize) -> Vec<u8> {
        let end = |index: usize| self.lines.get(index).map_or(0, |line| line.thumbnail_end);
        let start = if index == 0 { 0 } else { end(index - 1) };
        self.thumbnails.read(start, end(index).saturating_sub(start) as usize)
    }

    /// Returns the `most` pictures that are most similar to `query`, with their cosines (docs/PAPERS.md, 1.13).
    pub fn like(
        &self,
        query: &PictureCodes,
        property: &Property,
        readout: &Readout,
        most: usize,
    ) -> Vec<(usize, f64)> {
        self.best(most, property.similarities(readout, query, self.all_codes(readout)))
    }

    /// Returns the `most` pictures that score highest for a text, with the property's contribution to each score.
    pub fn scoring(&self, text: &[f32], property: &Property, readout: &Readout, most: usize) -> Vec<(usize, f64)> {
        self.best(most, property.scores(readout, text, self.all_codes(readout)))
    }

    /// Returns the `most` pictures in which the property differs most from its mean over the gallery, with the lengths
    /// of the differences (docs/PAPERS.md, 1.13).
    pub fn outlying(&self, property: &Property, readout: &Readout, most: usize) -> Vec<(usize, f64)> {
        let mean = property.mean(readout, &self.statistics);
        self.best(most, property.distances(readout, &mean, self.all_codes(readout)))
    }

    fn best(&self, most: usize, scores: Vec<f64>) -> Vec<(usize, f64)> {
        ranked(&scores, most).into_iter().map(|index| (index, scores[index])).collect()
    }

    /// Returns the codes of all pictures, in order.
    pub fn all_codes(&self, readout: &Readout) -> impl Iterator<Item = PictureCodes> {
        (0..self.lines.len()).filter_map(|index| self.codes(index, readout))
    }

    /// Removes all pictures.
    pub fn clear(&mut self, session: &Session) {
        self.lines.clear();
        self.statistics = session.new_statistics();
        self.kept_statistics.iter_mut().for_each(|file| file.truncate(0));
        self.trim(&session.model().readout);
    }
}

/// Returns the size of the codes of a picture in bytes.
fn codes_len(readout: &Readout) -> u64 {
    2 * PictureCodes::numbers(readout) as u64
}

/// Returns the bytes of a line in the file.
fn written(line: &PictureLine) -> Vec<u8> {
    // Serialising names and numbers does not fail.
    let mut bytes = serde_json::to_vec(line).unwrap_or_default();
    bytes.push(b'\n');
    bytes
}
