//! Reads a file's [`TensorIndex`] step by step, for every format that headlamp reads.

use std::ops::Range;

use super::safetensors_header::{LARGEST_HEADER, index_of_header};
use super::tensor_index::TensorIndex;
use super::torch::{TorchIndexReader, TorchIndexStep};
use crate::checkpoint::error::CheckpointError;

/// Reads the index of a file. The caller brings the bytes that [`wanted`](Self::wanted) names.
pub struct IndexReader {
    file: String,
    bytes: u64,
    stage: Stage,
}

/// The result of one step of an [`IndexReader`].
pub enum IndexStep {
    /// The reader needs more bytes: see [`IndexReader::wanted`].
    Unfinished(IndexReader),
    Finished(TensorIndex),
}

enum Stage {
    /// The first bytes, which show the file's format.
    Magic,
    /// A safetensors header of this many bytes.
    Header(u64),
    Torch(TorchIndexReader),
}

impl IndexReader {
    /// Starts to read the index of a file of `bytes` bytes. Error messages call it `file`.
    pub fn new(file: impl Into<String>, bytes: u64) -> Self {
        Self { file: file.into(), bytes, stage: Stage::Magic }
    }

    /// Returns the range of bytes that the reader needs next.
    pub fn wanted(&self) -> Range<u64> {
        match &self.stage {
            Stage::Magic => 0..self.bytes.min(9),
            Stage::Header(length) => 8..8 + length,
            Stage::Torch(reader) => reader.wanted(self.bytes),
        }
    }

    /// Takes the bytes of the [`wanted`](Self::wanted) range.
    ///
    /// # Errors
    /// [`CheckpointError::Malformed`] if headlamp does not read the file's format, or the file is damaged;
    /// [`CheckpointError::Size`] if the file was cut off.
    pub fn push(self, bytes: &[u8]) -> Result<IndexStep, CheckpointError> {
        let Self { file, bytes: length, stage } = self;
        let stage = match stage {
            Stage::Magic => stage_after_magic(&file, length, bytes)?,
            Stage::Header(_) => return Ok(IndexStep::Finished(index_of_header(file, length, bytes)?)),
            Stage::Torch(reader) => match reader.push(&file, length, bytes)? {
                TorchIndexStep::Unfinished(reader) => Stage::Torch(reader),
                TorchIndexStep::Finished(index) => return Ok(IndexStep::Finished(index)),
            },
        };
        Ok(IndexStep::Unfinished(Self { file, bytes: length, stage }))
    }
}

/// Recognises the file's format from its first bytes.
fn stage_after_magic(file: &str, length: u64, first: &[u8]) -> Result<Stage, CheckpointError> {
    let wrong = |reason: &str| {
        let (file, reason) = (file.to_owned(), reason.to_owned());
        Err(CheckpointError::Malformed { file, kind: "model", reason })
    };
    let Some((eight, after)) = first.split_first_chunk::<8>() else { return wrong("it is almost empty") };
    let header = u64::from_le_bytes(*eight);
    let is_safetensors = header <= LARGEST_HEADER && after.first() == Some(&b'{');
    match eight {
        // This test comes first: a header's length may begin with the same bytes as a pickle or a web page.
        _ if is_safetensors => {}
        // The first entry of a zip archive, and a pickle's protocol.
        [b'P', b'K', 3, 4, ..] => return Ok(Stage::Torch(TorchIndexReader::of_archive(length))),
        [0x80, 2..=5, ..] => return Ok(Stage::Torch(TorchIndexReader::of_legacy(length))),
        b"version " => return wrong("it is a Git LFS pointer, not the weights: `git lfs pull` fetches them"),
        _ => {}
    }
    if !is_safetensors && first.trim_ascii_start().starts_with(b"<") {
        return wrong("it is a web page, not the weights");
    }
    if header > LARGEST_HEADER {
        return wrong("it is neither a safetensors file nor a PyTorch file");
    }
    if 8 + header > length {
        let file = file.to_owned();
        return Err(CheckpointError::Size { file, expected: 8 + header, found: length });
    }
    Ok(Stage::Header(header))
}
