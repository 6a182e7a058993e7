//! Reads the tensor index of a PyTorch file, in the zip format and in the legacy format.

use std::collections::{BTreeMap, HashMap};
use std::ops::Range;

use super::pickle::{Pickle, PickleError};
use super::pickled_tensors::{self, PickledTensor};
use super::zip_directory::{self, ZipDirectory};
use crate::checkpoint::error::CheckpointError;
use crate::checkpoint::index::file_segment::{FileSegment, Framing, zip_entry_contents};
use crate::checkpoint::index::tensor_index::{TensorIndex, TensorLocation};

/// The largest pickle that is read, in bytes. A CLIP's pickle has at most 2 MB; a pickle with an optimiser's state
/// may have more.
const LARGEST_PICKLE: u64 = 64 << 20;

/// The first read of a legacy file, in bytes. If the pickles do not end within it, the next read is longer.
const FIRST_PICKLES: u64 = 256 << 10;

/// Reads the index of a PyTorch file. Each variant is the part of the file that the reader needs next.
pub(in crate::checkpoint::index) enum TorchIndexReader {
    /// This many bytes at the archive's end. They say where the directory is.
    ZipEnd(u64),
    /// The archive's directory.
    ZipDirectory(Range<u64>),
    /// The archive's entry with the pickle.
    ZipPickle(ZipDirectory, FileSegment),
    /// This many bytes at the start of a legacy file. The pickles should end within them.
    Legacy(u64),
}

/// The result of one step of a [`TorchIndexReader`].
pub(in crate::checkpoint::index) enum TorchIndexStep {
    Unfinished(TorchIndexReader),
    Finished(TensorIndex),
}

impl TorchIndexReader {
    /// Starts to read a zip archive of `length` bytes.
    pub fn of_archive(length: u64) -> Self {
        Self::ZipEnd(zip_directory::END_WITHIN.min(length))
    }

    /// Starts to read a legacy file of `length` bytes.
    pub fn of_legacy(length: u64) -> Self {
        Self::Legacy(FIRST_PICKLES.min(length))
    }

    /// Returns the range of bytes that the reader needs next, in a file of `length` bytes.
    pub fn wanted(&self, length: u64) -> Range<u64> {
        match self {
            Self::ZipEnd(bytes) => length - bytes..length,
            Self::ZipDirectory(range) => range.clone(),
            Self::ZipPickle(_, segment) => segment.range.clone(),
            Self::Legacy(bytes) => 0..*bytes,
        }
    }

    /// Takes the bytes of the [`wanted`](Self::wanted) range.
    ///
    /// # Errors
    /// [`CheckpointError::Malformed`] if the file is damaged or not PyTorch's; [`CheckpointError::Size`] if it was
    /// cut off.
    pub fn push(self, file: &str, length: u64, bytes: &[u8]) -> Result<TorchIndexStep, CheckpointError> {
        let wrong = |reason: String| CheckpointError::malformed_torch(file, &reason);
        let next = match self {
            Self::ZipEnd(_) => Self::ZipDirectory(zip_directory::directory_range(bytes, length).map_err(wrong)?),
            Self::ZipDirectory(range) => {
                let directory = ZipDirectory::parse(bytes, range.start).map_err(wrong)?;
                let pickle = directory.segment(&directory.pickle).map_err(wrong)?;
                if pickle.range.end - pickle.range.start > LARGEST_PICKLE {
                    return Err(wrong("its pickle is larger than the pickle of any model".into()));
                }
                Self::ZipPickle(directory, pickle)
            }
            Self::ZipPickle(directory, _) => {
                return Ok(TorchIndexStep::Finished(index_of_archive(file, &directory, bytes)?));
            }
            Self::Legacy(_) => match index_of_legacy(file, length, bytes)? {
                Some(index) => return Ok(TorchIndexStep::Finished(index)),
                None if bytes.len() as u64 >= length.min(LARGEST_PICKLE) => {
                    return Err(wrong("its pickles have no end".into()));
                }
                None => Self::Legacy((4 * bytes.len() as u64).min(length).min(LARGEST_PICKLE)),
            },
        };
        Ok(TorchIndexStep::Unfinished(next))
    }
}

/// Returns the index of an archive. `bytes` are the segment of the pickle's entry.
fn index_of_archive(file: &str, directory: &ZipDirectory, bytes: &[u8]) -> Result<TensorIndex, CheckpointError> {
    let wrong = |reason: String| CheckpointError::malformed_torch(file, &reason);
    let entry = directory.entry(&directory.pickle).map_err(wrong)?;
    let bytes = zip_entry_contents(bytes, &directory.pickle, entry.bytes).map_err(wrong)?;
    let pickle = Pickle::parse(bytes).map_err(|err| wrong(err.to_string()))?.0;
    let mut found = pickled_tensors::tensors(&pickle).map_err(wrong)?;
    let mut storages = HashMap::new();
    let mut segments = Vec::new();
    let mut keys: Vec<&str> = found.iter().map(|tensor| tensor.storage.key.as_str()).collect();
    keys.sort_unstable();
    keys.dedup();
    for key in keys {
        storages.insert(key.to_owned(), segments.len());
        segments.push(directory.segment(&directory.storage(key)).map_err(wrong)?);
    }
    let located = found.drain(..).map(|tensor| {
        let segment = storages[&tensor.storage.key];
        location(tensor, segment).map_err(wrong)
    });
    let tensors = located.collect::<Result<BTreeMap<_, _>, _>>()?;
    Ok(TensorIndex::new(file.to_owned(), tensors, segments, directory.torch_script))
}

/// Returns the index of a legacy file; `None` if `bytes` end before the pickles do.
///
/// The file holds four pickles (a magic number, a protocol, the system, and the state), then a pickle with the list
/// of the storages' keys, then each storage behind its number of values.
fn index_of_legacy(file: &str, length: u64, bytes: &[u8]) -> Result<Option<TensorIndex>, CheckpointError> {
    const STATE: usize = 3;
    let wrong = |reason: String| CheckpointError::malformed_torch(file, &reason);
    let mut pickles = Vec::new();
    let mut at = 0;
    for _pickle in 0..=STATE + 1 {
        match Pickle::parse(&bytes[at..]) {
            Ok((pickle, used)) => {
                at += used;
                pickles.push(pickle);
            }
            Err(PickleError::CutOff) => return Ok(None),
            Err(err) => return Err(wrong(err.to_string())),
        }
    }
    let found = pickled_tensors::tensors(&pickles[STATE]).map_err(wrong)?;
    let storages = pickled_tensors::storages(&pickles[STATE]);
    let keys = pickled_tensors::strings(&pickles[STATE + 1]).map_err(wrong)?;
    let mut places = HashMap::new();
    let mut segments = Vec::new();
    let mut start = at as u64;
    for key in keys {
        let storage = storages.get(key);
        let storage = storage.ok_or_else(|| wrong("it does not say how large one of its storages is".into()))?;
        let end = start.saturating_add(8).saturating_add(storage.bytes());
        if end > length {
            return Err(CheckpointError::Size { file: file.to_owned(), expected: end, found: length });
        }
        places.insert(key, segments.len());
        segments.push(FileSegment { range: start..end, framing: Framing::Counted { values: storage.values } });
        start = end;
    }
    let located = found.into_iter().map(|tensor| {
        let segment = places.get(tensor.storage.key.as_str()).copied();
        location(tensor, segment.ok_or_else(|| wrong("a tensor's storage is missing".into()))?).map_err(wrong)
    });
    Ok(Some(TensorIndex::new(file.to_owned(), located.collect::<Result<_, _>>()?, segments, false)))
}

/// Returns a pickled tensor's name and its location in `segment`.
///
/// # Errors
/// A reason in words, if the tensor is larger than its storage or reaches beyond it.
fn location(tensor: PickledTensor, segment: usize) -> Result<(String, TensorLocation), String> {
    let PickledTensor { name, storage, offset, shape, strides } = tensor;
    let values = shape.iter().try_fold(1_u64, |values, dim| values.checked_mul(*dim as u64));
    // Without this check, strides of zero would turn a small storage into a huge tensor.
    if values.is_none_or(|values| values > storage.values) {
        return Err(format!("tensor `{name}` is larger than its storage"));
    }
    let last = shape.iter().zip(&strides).try_fold(offset, |last, (dim, stride)| {
        dim.saturating_sub(1).checked_mul(*stride).and_then(|step| last.checked_add(step))
    });
    if last.is_none_or(|last| values != Some(0) && last as u64 >= storage.values) {
        return Err(format!("tensor `{name}` reaches beyond its storage"));
    }
    let start = offset.saturating_mul(storage.dtype.bitsize() / 8);
    Ok((name, TensorLocation::in_rows(storage.dtype, shape, segment, start).with_strides(strides)))
}
