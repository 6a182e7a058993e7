//! A buffered look into a file at any place.

use std::io::{self, Read, Seek, SeekFrom};

/// Bytes read at a time: small enough that skipping over large samples reads little, large enough that a walk
/// over small ones reads rarely.
const PAGE: u64 = 256 << 10;

/// A file and the part of it that was read last.
pub(super) struct Window<R> {
    reader: R,
    length: u64,
    start: u64,
    page: Vec<u8>,
}

impl<R: Read + Seek> Window<R> {
    pub fn new(mut reader: R) -> io::Result<Self> {
        let length = reader.seek(SeekFrom::End(0))?;
        Ok(Self { reader, length, start: 0, page: Vec::new() })
    }

    /// The file's length in bytes.
    pub fn length(&self) -> u64 {
        self.length
    }

    /// Up to `most` bytes from `position`: fewer at the file's end.
    pub fn at(&mut self, position: u64, most: u64) -> io::Result<&[u8]> {
        let end = position.saturating_add(most).min(self.length);
        let position = position.min(end);
        if position < self.start || end > self.start + self.page.len() as u64 {
            let further = end.max(position + PAGE).min(self.length) - position;
            // No more than the file has, which lies on a disk.
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

    /// The bytes of a whole element, none where the file ends before it does or it is larger than `limit`.
    pub fn whole(&mut self, position: u64, length: u64, limit: u64) -> io::Result<Option<Vec<u8>>> {
        let is_there = position.checked_add(length).is_some_and(|end| end <= self.length);
        if length > limit || !is_there {
            return Ok(None);
        }
        Ok(Some(self.at(position, length)?.to_vec()))
    }
}
