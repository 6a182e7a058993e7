//! Reads any part of a file on the user's disk.

use std::io::{self, Read, Seek, SeekFrom};

use js_sys::{ArrayBuffer, Uint8Array};
use web_sys::{Blob, FileReaderSync};

/// Reads parts of a blob synchronously. Only a worker may do this.
pub(super) struct BlobReader {
    blob: Blob,
    reader: FileReaderSync,
    position: u64,
}

impl BlobReader {
    /// Opens a blob for reading.
    ///
    /// # Errors
    /// If the browser has no synchronous reader.
    pub fn new(blob: Blob) -> io::Result<Self> {
        let reader = FileReaderSync::new().map_err(|_err| io::ErrorKind::Unsupported)?;
        Ok(Self { blob, reader, position: 0 })
    }

    fn length(&self) -> u64 {
        self.blob.size() as u64
    }

    /// Returns the bytes from `start` to `end`. They stay in JavaScript's memory.
    ///
    /// # Errors
    /// If the file was moved or changed.
    pub fn part(&self, start: u64, end: u64) -> io::Result<ArrayBuffer> {
        let failed = |_err| io::Error::from(io::ErrorKind::Other);
        let part = self.blob.slice_with_f64_and_f64(start as f64, end as f64).map_err(failed)?;
        self.reader.read_as_array_buffer(&part).map_err(failed)
    }
}

impl Read for BlobReader {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let end = self.position.saturating_add(buffer.len() as u64).min(self.length());
        if end <= self.position {
            return Ok(0);
        }
        let part = self.part(self.position, end)?;
        let bytes = Uint8Array::new(&part);
        let read = bytes.length() as usize;
        bytes.copy_to(&mut buffer[..read]);
        self.position += read as u64;
        Ok(read)
    }
}

impl Seek for BlobReader {
    fn seek(&mut self, to: SeekFrom) -> io::Result<u64> {
        let target = match to {
            SeekFrom::Start(position) => Some(position),
            SeekFrom::End(offset) => self.length().checked_add_signed(offset),
            SeekFrom::Current(offset) => self.position.checked_add_signed(offset),
        };
        self.position = target.ok_or(io::ErrorKind::InvalidInput)?;
        Ok(self.position)
    }
}
