//! The elements of a Matroska file: their identifiers, sizes and numbers.

use std::io::{Read, Seek};

use crate::media::video::file_window::FileWindow;

// The identifiers of the elements that are read, with the length marker as in the file.
pub(in crate::media::video) const EBML: u32 = 0x1A45_DFA3;
pub(super) const SEGMENT: u32 = 0x1853_8067;
pub(super) const CLUSTER: u32 = 0x1F43_B675;
pub(super) const INFO: u32 = 0x1549_A966;
pub(super) const TRACKS: u32 = 0x1654_AE6B;

/// An element of the file.
#[derive(Clone, Copy)]
pub(super) struct Element {
    pub id: u32,
    /// The position of its content.
    pub start: u64,
    /// The number of bytes of its content; `None` if the file does not say.
    pub size: Option<u64>,
}

impl Element {
    /// Reads the element at `position`. Returns `None` at the file's end, or if the bytes are not an element.
    ///
    /// # Errors
    /// If the file cannot be read.
    pub fn at<R: Read + Seek>(window: &mut FileWindow<R>, position: u64) -> std::io::Result<Option<Self>> {
        Ok(Self::parse(window.at(position, 12)?).map(|(id, size, header)| {
            let start = position + header as u64;
            Self { id, start, size }
        }))
    }

    /// Parses an identifier and a size; also returns the number of bytes of both.
    fn parse(bytes: &[u8]) -> Option<(u32, Option<u64>, usize)> {
        let length = bytes.first()?.leading_zeros() as usize + 1;
        if length > 4 {
            return None;
        }
        let id = bytes.get(..length)?.iter().fold(0, |id, &byte| id << 8 | u32::from(byte));
        let (size, more) = variable(&bytes[length..])?;
        Some((id, size, length + more))
    }

    /// Returns the element's end, which is at most `end`.
    pub fn end(&self, end: u64) -> u64 {
        self.size.map_or(end, |size| self.start.saturating_add(size).min(end))
    }
}

/// Parses a number of variable length; also returns its number of bytes. The number is `None` if all its bits are
/// set, which means "unknown".
pub(super) fn variable(bytes: &[u8]) -> Option<(Option<u64>, usize)> {
    let first = *bytes.first()?;
    let length = first.leading_zeros() as usize + 1;
    if length > 8 {
        return None;
    }
    let marked = bytes.get(..length)?.iter().fold(0, |number, &byte| number << 8 | u64::from(byte));
    let mask = (1_u64 << (7 * length)) - 1;
    let number = marked & mask;
    Some(((number != mask).then_some(number), length))
}
