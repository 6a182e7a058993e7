//! The files that `torch.save` and `torch.jit.save` write, opened without running anything.
//!
//! Since PyTorch 1.6 they are zip archives: `NAME/data.pkl`, a pickle that says which tensor lies where, and
//! `NAME/data/0`, `NAME/data/1`, ..., the tensors' storages, never compressed. Older ones are a row of pickles
//! followed by the storages. burn-store reads both, but only whole and from a path; a browser has neither the memory
//! nor the path, so the directory and the pickle are read here, and the storages left where they are.
//!
//! A pickle is a program. [`pickle`] runs its stack machine without ever calling what it names: names and arguments
//! are only recorded, and [`state`] understands those few that make up a state dict.

mod pickle;
mod state;
mod zip;

use std::collections::{BTreeMap, HashMap};
use std::ops::Range;

use super::CheckpointError;
use super::index::{Index, Located, Segment};
use pickle::{Pickle, PickleError};
use zip::Directory;

/// No pickle of a CLIP is larger than 2 MB; one with an optimiser's state may be.
const LARGEST_PICKLE: u64 = 64 << 20;

/// How much of an old file is read at first in search of its pickles' end.
const FIRST_PICKLES: u64 = 256 << 10;

/// A container that cannot be read, in the container's own words.
pub(super) fn malformed(file: &str, reason: &str) -> CheckpointError {
    CheckpointError::Malformed { file: file.to_owned(), kind: "PyTorch", reason: reason.to_owned() }
}

/// What a container puts around a segment's payload.
#[derive(Clone, Debug)]
pub(super) enum Frame {
    Bare,
    /// A zip entry's local header before it, and perhaps a descriptor after it.
    ZipEntry {
        name: String,
        bytes: u64,
    },
    /// The number of values in eight bytes before it.
    Counted {
        values: u64,
    },
}

impl Frame {
    pub fn payload<'a>(&self, bytes: &'a [u8]) -> Result<&'a [u8], String> {
        match self {
            Self::Bare => Ok(bytes),
            Self::ZipEntry { name, bytes: length } => zip::entry(bytes, name, *length),
            Self::Counted { values } => match bytes.split_first_chunk() {
                Some((count, payload)) if u64::from_le_bytes(*count) == *values => Ok(payload),
                _ => Err(format!("a storage of {values} values is not where it should be")),
            },
        }
    }
}

/// Where opening a PyTorch file has come to.
pub(super) enum Stage {
    /// The archive's end, with the place of its directory.
    ZipEnd(u64),
    /// The directory.
    ZipDirectory(Range<u64>),
    /// The entry with the pickle.
    ZipPickle(Directory, Segment),
    /// So many bytes from the file's start, in which the pickles should end.
    Legacy(u64),
}

pub(super) enum Progress {
    Further(Stage),
    Whole(Index),
}

impl Stage {
    pub fn archive(length: u64) -> Self {
        Self::ZipEnd(zip::END_WITHIN.min(length))
    }

    pub fn legacy(length: u64) -> Self {
        Self::Legacy(FIRST_PICKLES.min(length))
    }

    pub fn wants(&self, length: u64) -> Range<u64> {
        match self {
            Self::ZipEnd(bytes) => length - bytes..length,
            Self::ZipDirectory(range) => range.clone(),
            Self::ZipPickle(_, segment) => segment.range.clone(),
            Self::Legacy(bytes) => 0..*bytes,
        }
    }

    pub fn push(self, file: &str, length: u64, bytes: &[u8]) -> Result<Progress, CheckpointError> {
        let wrong = |reason: String| malformed(file, &reason);
        let next = match self {
            Self::ZipEnd(_) => Self::ZipDirectory(zip::directory_range(bytes, length).map_err(wrong)?),
            Self::ZipDirectory(range) => {
                let directory = Directory::parse(bytes, range.start).map_err(wrong)?;
                let pickle = directory.segment(&directory.pickle).map_err(wrong)?;
                if pickle.range.end - pickle.range.start > LARGEST_PICKLE {
                    return Err(wrong("its pickle is larger than any model's".into()));
                }
                Self::ZipPickle(directory, pickle)
            }
            Self::ZipPickle(directory, _) => return Ok(Progress::Whole(of_archive(file, &directory, bytes)?)),
            Self::Legacy(_) => match of_legacy(file, length, bytes)? {
                Some(index) => return Ok(Progress::Whole(index)),
                None if bytes.len() as u64 >= length.min(LARGEST_PICKLE) => {
                    return Err(wrong("its pickles do not end".into()));
                }
                None => Self::Legacy((4 * bytes.len() as u64).min(length).min(LARGEST_PICKLE)),
            },
        };
        Ok(Progress::Further(next))
    }
}

fn of_archive(file: &str, directory: &Directory, bytes: &[u8]) -> Result<Index, CheckpointError> {
    let wrong = |reason: String| malformed(file, &reason);
    let entry = directory.entry(&directory.pickle).map_err(wrong)?;
    let bytes = zip::entry(bytes, &directory.pickle, entry.bytes).map_err(wrong)?;
    let pickle = Pickle::parse(bytes).map_err(|err| wrong(err.to_string()))?.0;
    let mut found = state::tensors(&pickle).map_err(wrong)?;
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
        located(tensor, segment).map_err(wrong)
    });
    let tensors = located.collect::<Result<BTreeMap<_, _>, _>>()?;
    Ok(Index::new(file.to_owned(), tensors, segments, directory.torch_script))
}

/// Four pickles (a magic number, a protocol, the system, and the state), then the list of storages' keys, then each
/// storage behind its length. None where `bytes` end before the pickles do.
fn of_legacy(file: &str, length: u64, bytes: &[u8]) -> Result<Option<Index>, CheckpointError> {
    const STATE: usize = 3;
    let wrong = |reason: String| malformed(file, &reason);
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
    let found = state::tensors(&pickles[STATE]).map_err(wrong)?;
    let storages = state::storages(&pickles[STATE]);
    let keys = state::strings(&pickles[STATE + 1]).map_err(wrong)?;
    let mut places = HashMap::new();
    let mut segments = Vec::new();
    let mut start = at as u64;
    for key in keys {
        let storage = storages.get(key);
        let storage = storage.ok_or_else(|| wrong("it holds a storage whose size it does not tell".into()))?;
        let end = start.saturating_add(8).saturating_add(storage.bytes());
        if end > length {
            return Err(CheckpointError::Size { file: file.to_owned(), expected: end, found: length });
        }
        places.insert(key, segments.len());
        segments.push(Segment::new(start..end, Frame::Counted { values: storage.values }));
        start = end;
    }
    let located = found.into_iter().map(|tensor| {
        let segment = places.get(tensor.storage.key.as_str()).copied();
        located(tensor, segment.ok_or_else(|| wrong("a tensor's storage is missing".into()))?).map_err(wrong)
    });
    Ok(Some(Index::new(file.to_owned(), located.collect::<Result<_, _>>()?, segments, false)))
}

/// A tensor of the pickle in its segment.
fn located(tensor: state::Tensor, segment: usize) -> Result<(String, Located), String> {
    let state::Tensor { name, storage, offset, shape, strides } = tensor;
    let values = shape.iter().try_fold(1_u64, |values, dim| values.checked_mul(*dim as u64));
    // Strides of zero would make much of little.
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
    Ok((name, Located::in_rows(storage.dtype, shape, segment, start).strided(strides)))
}
