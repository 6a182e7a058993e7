//! A pack in one file: an uncompressed tar archive. The manifest comes first, then the files that the manifest lists.
//!
//! Ordinary tools list and unpack such an archive. The reader here takes one header or one file at a time, from any
//! source. It accepts only plain files that the manifest lists, each once and with the listed size, so no archive can
//! write outside a pack. The crate `tar` reads and writes the headers.

use std::collections::BTreeMap;

use tar::{EntryType, Header};

use super::file_names::MANIFEST;
use super::manifest::{LARGEST_MANIFEST, Manifest, PackFile};
use super::pack_files::Pack;
use crate::checkpoint::error::CheckpointError;

/// The ending of an archive's name.
pub const ARCHIVE_ENDING: &str = ".headlamp.tar";

/// The size of a header, in bytes. Files in an archive begin at multiples of this size.
pub const BLOCK: usize = 512;

/// The number of empty blocks at the end of an archive.
const END_BLOCKS: usize = 2;

/// A file in an archive: its bytes follow the header.
#[derive(Debug, PartialEq, Eq)]
pub struct ArchiveEntry {
    pub name: String,
    pub bytes: u64,
}

impl ArchiveEntry {
    /// Returns the number of bytes between the end of the file and the next header.
    pub fn padding(&self) -> usize {
        padding(self.bytes)
    }
}

/// Reads an archive in the order of its files.
pub struct ArchiveReader {
    /// The archive's own name, for messages.
    archive: String,
    manifest: Option<Manifest>,
    files: BTreeMap<String, Vec<u8>>,
}

impl ArchiveReader {
    /// Begins an archive. `archive` is its name, for messages.
    pub fn new(archive: impl Into<String>) -> Self {
        Self { archive: archive.into(), manifest: None, files: BTreeMap::new() }
    }

    /// Returns the manifest, after it was pushed.
    pub fn manifest(&self) -> Option<&Manifest> {
        self.manifest.as_ref()
    }

    /// Reads a header. Returns the file that follows, or `None` at the end of the archive.
    ///
    /// # Errors
    /// [`CheckpointError::Malformed`] or [`CheckpointError::Size`] names the file that does not belong into a pack.
    pub fn header(&self, block: &[u8; BLOCK]) -> Result<Option<ArchiveEntry>, CheckpointError> {
        if block.iter().all(|byte| *byte == 0) {
            return Ok(None);
        }
        let header = Header::from_byte_slice(block);
        if !has_right_checksum(header) {
            return Err(self.malformed("the checksum of a header is wrong"));
        }
        let name = String::from_utf8_lossy(&header.path_bytes()).into_owned();
        if !header.entry_type().is_file() {
            return Err(self.malformed(format!("{name:?} in it is not a plain file")));
        }
        let bytes = header.entry_size();
        let bytes = bytes.map_err(|_err| self.malformed(format!("{name:?} in it has no readable size")))?;
        let most = self.allowed_size(&name)?;
        let is_manifest = self.manifest.is_none();
        if bytes > most || (bytes != most && !is_manifest) {
            return Err(CheckpointError::Size { file: name, expected: most, found: bytes });
        }
        Ok(Some(ArchiveEntry { name, bytes }))
    }

    /// Returns the size of the next file, or the largest size of the manifest.
    fn allowed_size(&self, name: &str) -> Result<u64, CheckpointError> {
        let Some(manifest) = &self.manifest else {
            if name == MANIFEST {
                return Ok(LARGEST_MANIFEST);
            }
            return Err(self.malformed(format!("its first file is {name:?} instead of {MANIFEST}")));
        };
        if name == MANIFEST || self.files.contains_key(name) {
            return Err(self.malformed(format!("it holds {name} twice")));
        }
        let listed = manifest.file(name).map(|file| file.bytes);
        listed.ok_or_else(|| self.malformed(format!("it holds {name:?}, which {MANIFEST} does not list")))
    }

    /// Takes the bytes of a file.
    ///
    /// # Errors
    /// As [`Manifest::parse`] for the manifest.
    pub fn push(&mut self, entry: ArchiveEntry, bytes: Vec<u8>) -> Result<(), CheckpointError> {
        match self.manifest {
            None => self.manifest = Some(Manifest::parse(&bytes)?),
            Some(_) => {
                self.files.insert(entry.name, bytes);
            }
        }
        Ok(())
    }

    /// Returns the pack, and verifies every file.
    ///
    /// # Errors
    /// As [`Pack::new`]; [`CheckpointError::MissingFile`] if there is no manifest.
    pub fn finish(self) -> Result<Pack, CheckpointError> {
        Pack::new(self.manifest.ok_or_else(|| CheckpointError::MissingFile(MANIFEST.to_owned()))?, self.files)
    }

    /// Returns the error for an archive that ends before its last block.
    pub fn cut_off(&self) -> CheckpointError {
        self.malformed("it is cut off")
    }

    fn malformed(&self, reason: impl Into<String>) -> CheckpointError {
        CheckpointError::Malformed { file: self.archive.clone(), kind: "pack", reason: reason.into() }
    }
}

fn has_right_checksum(header: &Header) -> bool {
    let mut again = header.clone();
    again.set_cksum();
    matches!((header.cksum(), again.cksum()), (Ok(stored), Ok(computed)) if stored == computed)
}

fn padding(bytes: u64) -> usize {
    // The remainder is below the size of a block.
    (bytes.wrapping_neg() % BLOCK as u64) as usize
}

/// A piece of an archive that is being written.
pub enum ArchivePiece<'a> {
    /// A header, the manifest or padding.
    Bytes(Vec<u8>),
    /// The bytes of a file of the pack.
    File(&'a PackFile),
}

/// Returns the pieces of a pack's archive, in their order. The same pack gives the same bytes.
///
/// # Errors
/// [`CheckpointError::Io`] if a header cannot hold a file's name.
pub fn archive_pieces(manifest: &Manifest) -> Result<Vec<ArchivePiece<'_>>, CheckpointError> {
    let json = serde_json::to_vec_pretty(manifest).map_err(|err| unwritten(MANIFEST, &err.into()))?;
    let size = json.len() as u64;
    let mut first = header(MANIFEST, size)?;
    first.extend(json);
    let mut pieces = Vec::new();
    // The bytes between two files: padding and the next header.
    let mut between = first;
    let mut before = size;
    for file in &manifest.files {
        between.resize(between.len() + padding(before), 0);
        between.extend(header(&file.path, file.bytes)?);
        pieces.push(ArchivePiece::Bytes(std::mem::take(&mut between)));
        pieces.push(ArchivePiece::File(file));
        before = file.bytes;
    }
    between.resize(between.len() + padding(before) + END_BLOCKS * BLOCK, 0);
    pieces.push(ArchivePiece::Bytes(between));
    Ok(pieces)
}

/// Returns the header of a file. It has no date and no owner, so that equal packs give equal archives.
fn header(name: &str, bytes: u64) -> Result<Vec<u8>, CheckpointError> {
    let mut header = Header::new_ustar();
    header.set_path(name).map_err(|err| unwritten(name, &err))?;
    header.set_entry_type(EntryType::Regular);
    header.set_mode(0o644);
    header.set_uid(0);
    header.set_gid(0);
    header.set_mtime(0);
    header.set_size(bytes);
    header.set_cksum();
    Ok(header.as_bytes().to_vec())
}

fn unwritten(path: &str, reason: &std::io::Error) -> CheckpointError {
    CheckpointError::Io { doing: "write", path: path.to_owned(), reason: reason.to_string() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_begin_at_whole_blocks() {
        for (bytes, expected) in [(0, 0), (1, 511), (511, 1), (512, 0), (513, 511), (8 << 30, 0)] {
            assert_eq!(padding(bytes), expected, "{bytes} bytes");
        }
    }

    #[test]
    fn a_written_header_reads_back() {
        let block: [u8; BLOCK] = header(MANIFEST, 1234).unwrap().try_into().unwrap();
        let entry = ArchiveReader::new("a.headlamp.tar").header(&block).unwrap();
        assert_eq!(entry, Some(ArchiveEntry { name: MANIFEST.to_owned(), bytes: 1234 }));
        for changed in 0..BLOCK {
            let mut block = block;
            block[changed] ^= 1;
            assert!(ArchiveReader::new("a").header(&block).is_err(), "byte {changed} may change");
        }
    }
}
