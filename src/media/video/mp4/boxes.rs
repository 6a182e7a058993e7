//! The boxes of an MP4 file.

use std::io::Cursor;

use re_mp4::ReadBox;

/// A box in memory.
#[derive(Clone, Copy)]
pub(super) struct Mp4Box<'a> {
    pub kind: [u8; 4],
    /// The header and the body.
    whole: &'a [u8],
    /// The bytes after the header.
    pub body: &'a [u8],
}

/// Iterates over the boxes in `bytes`. It stops before the first box that does not fit.
pub(super) fn boxes(mut bytes: &[u8]) -> impl Iterator<Item = Mp4Box<'_>> {
    std::iter::from_fn(move || {
        let (kind, header, size) = header_of(bytes, bytes.len() as u64)?;
        let (whole, rest) = bytes.split_at_checked(usize::try_from(size).ok()?)?;
        bytes = rest;
        Some(Mp4Box { kind, whole, body: &whole[header..] })
    })
}

/// Returns a box's kind, the size of its header, and its whole size, in bytes. `rest` bytes are left from the start
/// of the box. `None` if there is no whole header.
pub(super) fn header_of(bytes: &[u8], rest: u64) -> Option<([u8; 4], usize, u64)> {
    let (size, after) = bytes.split_first_chunk::<4>()?;
    let (kind, after) = after.split_first_chunk::<4>()?;
    let (header, size) = match u32::from_be_bytes(*size) {
        0 => (8, rest),
        1 => (16, u64::from_be_bytes(*after.first_chunk::<8>()?)),
        size => (8, u64::from(size)),
    };
    (size >= header as u64).then_some((*kind, header, size))
}

impl<'a> Mp4Box<'a> {
    /// Returns the first box of this kind inside.
    pub fn child(&self, kind: &[u8; 4]) -> Option<Mp4Box<'a>> {
        boxes(self.body).find(|inner| inner.kind == *kind)
    }

    /// Returns the box at the end of a path of kinds.
    pub fn descendant(&self, path: &[&[u8; 4]]) -> Option<Mp4Box<'a>> {
        path.iter().try_fold(*self, |inside, kind| inside.child(kind))
    }

    /// Parses the box with `re_mp4`. Returns `None` if the box is too short for its contents.
    pub fn read<T>(&self) -> Option<T>
    where
        T: for<'r> ReadBox<&'r mut Cursor<&'a [u8]>>,
    {
        let mut cursor = Cursor::new(self.whole);
        cursor.set_position((self.whole.len() - self.body.len()) as u64);
        // `re_mp4` assumes that every header has eight bytes.
        T::read_box(&mut cursor, self.body.len() as u64 + 8).ok()
    }

    /// Parses the first box of this kind inside.
    pub fn read_child<T>(&self, kind: &[u8; 4]) -> Option<T>
    where
        T: for<'r> ReadBox<&'r mut Cursor<&'a [u8]>>,
    {
        self.child(kind)?.read()
    }
}
