//! Reads and writes a pack's archive on disk.

use std::fs::File;
use std::io::{Read, Write as _};
use std::path::Path;

use super::archive::{ArchivePiece, ArchiveReader, BLOCK, archive_pieces};
use super::pack_files::Pack;
use crate::checkpoint::error::CheckpointError;

impl Pack {
    /// Reads the archive at `path`.
    ///
    /// # Errors
    /// As [`Self::from_archive`]; [`CheckpointError::Io`] if the file cannot be read.
    pub fn read_archive(path: &Path) -> Result<Self, CheckpointError> {
        let file = File::open(path).map_err(|err| io("read", path, &err))?;
        let length = file.metadata().map_err(|err| io("read", path, &err))?.len();
        Self::from_archive(&path.display().to_string(), length, file)
    }

    /// Returns whether the file at `path` begins like an archive. The file may still be damaged.
    pub fn is_archive(path: &Path) -> bool {
        let mut block = [0; BLOCK];
        let read = File::open(path).and_then(|mut file| file.read_exact(&mut block));
        read.is_ok() && matches!(ArchiveReader::new("").header(&block), Ok(Some(_manifest)))
    }

    /// Reads an archive of `length` bytes. `name` is the archive's name, for messages.
    ///
    /// # Errors
    /// The error names the archive that is cut off, or the file that does not belong into a pack or does not match the
    /// manifest. No memory is allocated for bytes that the archive does not have.
    pub fn from_archive(name: &str, length: u64, source: impl Read) -> Result<Self, CheckpointError> {
        let mut source = Source { name, left: length, reader: source };
        let mut archive = ArchiveReader::new(name);
        loop {
            let mut block = [0; BLOCK];
            block.copy_from_slice(&source.take(BLOCK as u64, &archive)?);
            let Some(entry) = archive.header(&block)? else { return archive.finish() };
            let padding = entry.padding() as u64;
            let bytes = source.take(entry.bytes, &archive)?;
            source.take(padding, &archive)?;
            archive.push(entry, bytes)?;
        }
    }

    /// Writes the pack's archive at `path`. The file has a temporary name until it is complete.
    ///
    /// # Errors
    /// [`CheckpointError::Io`] names the file that cannot be written.
    pub fn write_archive(&self, path: &Path) -> Result<(), CheckpointError> {
        let unfinished = path.with_added_extension("unfinished");
        let wrong = |err: std::io::Error| io("write", &unfinished, &err);
        let mut file = File::create(&unfinished).map_err(wrong)?;
        for piece in archive_pieces(&self.manifest)? {
            match piece {
                ArchivePiece::Bytes(bytes) => file.write_all(&bytes),
                ArchivePiece::File(listed) => file.write_all(self.bytes(&listed.path).unwrap_or_default()),
            }
            .map_err(wrong)?;
        }
        std::fs::rename(&unfinished, path).map_err(|err| io("write", path, &err))
    }
}

/// The bytes of an archive that are not read yet.
struct Source<'a, R> {
    name: &'a str,
    left: u64,
    reader: R,
}

impl<R: Read> Source<'_, R> {
    /// Reads the next `count` bytes.
    fn take(&mut self, count: u64, archive: &ArchiveReader) -> Result<Vec<u8>, CheckpointError> {
        if count > self.left {
            return Err(archive.cut_off());
        }
        self.left -= count;
        let no_room = || CheckpointError::Memory { bytes: count };
        let mut bytes = Vec::new();
        bytes.try_reserve_exact(usize::try_from(count).map_err(|_large| no_room())?).map_err(|_full| no_room())?;
        let read = self.reader.by_ref().take(count).read_to_end(&mut bytes);
        match read.map_err(|err| io("read", Path::new(self.name), &err))? {
            read if read as u64 == count => Ok(bytes),
            _shorter => Err(archive.cut_off()),
        }
    }
}

fn io(doing: &'static str, path: &Path, err: &std::io::Error) -> CheckpointError {
    CheckpointError::Io { doing, path: path.display().to_string(), reason: err.to_string() }
}
