//! Buffered reading of a file at any position.

use std::io::{self, Read, Seek, SeekFrom};

/// The number of bytes that are read at a time. It is small enough to read little when a walk skips large samples,
/// and large enough to read rarely when a walk visits small samples.
const PAGE: u64 = 256 << 10;

/// A file and the page of it that was read last.
pub(super) struct FileWindow<R> {
    reader: R,
    length: u64,
    start: u64,
    page: Vec<u8>,
}

impl<R: Read + Seek> FileWindow<R> {
    /// Opens a window on a file.
    ///
    /// # Errors
    /// If the reader cannot seek.
    pub fn new(mut reader: R) -> io::Result<Self> {
        let length = reader.seek(SeekFrom::End(0))?;
        Ok(Self { reader, length, start: 0, page: Vec::new() })
    }

    /// Returns the file's length in bytes.
    pub fn length(&self) -> u64 {
        self.length
    }

    /// Returns up to `most` bytes from `position`; fewer at the file's end.
    ///
    /// # Errors
    /// If the file cannot be read.
    pub fn at(&mut self, position: u64, most: u64) -> io::Result<&[u8]> {
        let end = position.saturating_add(most).min(self.length);
        let position = position.min(end);
        if position < self.start || end > self.start + self.page.len() as u64 {
            let further = end.max(position + PAGE).min(self.length) - position;
            // `further` is at most the length of a file on disk, so the buffer cannot grow without bound.
            self.page.resize(further as usize, 0);
            self.start = position;
            self.reader.seek(SeekFrom::Start(position))?;
            if let Err(err) = self.reader.read_exact(&mut self.page) {
                self.page.clear();
                return Err(err);
            }
        }
        Ok(&self.page[(position - self.start) as usize..(end - self.start) as usize])
    }

    /// Returns all `length` bytes from `position`; `None` if the file ends earlier, or `length` exceeds `limit`.
    ///
    /// # Errors
    /// If the file cannot be read.
    pub fn whole(&mut self, position: u64, length: u64, limit: u64) -> io::Result<Option<Vec<u8>>> {
        let is_there = position.checked_add(length).is_some_and(|end| end <= self.length);
        if length > limit || !is_there {
            return Ok(None);
        }
        Ok(Some(self.at(position, length)?.to_vec()))
    }
}
