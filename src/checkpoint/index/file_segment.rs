//! A segment: a range of the file that is read in one piece, and the container's bytes around its payload.

use std::ops::Range;

use crate::checkpoint::byte_fields::{u16_at, u32_at};

/// The signature at the start of a zip entry's local header.
const LOCAL_HEADER: u32 = 0x0403_4b50;

/// A range of bytes of the file that is read in one piece.
#[derive(Clone, Debug)]
pub struct FileSegment {
    pub range: Range<u64>,
    /// The container's own bytes around the payload.
    pub(super) framing: Framing,
}

/// The bytes that a container puts around a segment's payload.
#[derive(Clone, Debug)]
pub(super) enum Framing {
    /// None: the segment is the payload.
    Bare,
    /// A zip entry's local header before the payload, and possibly a data descriptor after it.
    ZipEntry { name: String, bytes: u64 },
    /// The number of values, in eight bytes before the payload.
    Counted { values: u64 },
}

impl Framing {
    /// Returns the payload within a segment's bytes.
    ///
    /// # Errors
    /// A reason in words, if the container's bytes around the payload do not match its directory.
    pub fn payload<'a>(&self, bytes: &'a [u8]) -> Result<&'a [u8], String> {
        match self {
            Self::Bare => Ok(bytes),
            Self::ZipEntry { name, bytes: length } => zip_entry_contents(bytes, name, *length),
            Self::Counted { values } => match bytes.split_first_chunk() {
                Some((count, payload)) if u64::from_le_bytes(*count) == *values => Ok(payload),
                _ => Err(format!("a storage of {values} values is not at its place in the file")),
            },
        }
    }
}

/// Returns the contents of the zip entry `name`, `length` bytes long. `bytes` begin with the entry's local header.
///
/// # Errors
/// A reason in words, if the local header does not match the archive's directory.
pub(super) fn zip_entry_contents<'a>(bytes: &'a [u8], name: &str, length: u64) -> Result<&'a [u8], String> {
    let damaged = || format!("{name} is not where the archive's directory says");
    let (name_len, extra_len) = u16_at(bytes, 26).zip(u16_at(bytes, 28)).ok_or_else(damaged)?;
    let start = 30 + usize::from(name_len);
    let found = bytes.get(30..start).ok_or_else(damaged)?;
    if u32_at(bytes, 0) != Some(LOCAL_HEADER) || found != name.as_bytes() {
        return Err(damaged());
    }
    let start = start + usize::from(extra_len);
    let length = usize::try_from(length).map_err(|_large| damaged())?;
    start.checked_add(length).and_then(|end| bytes.get(start..end)).ok_or_else(damaged)
}
