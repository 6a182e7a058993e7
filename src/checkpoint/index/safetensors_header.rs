//! The header of a safetensors file. The `safetensors` crate's own header type counts bytes in `usize`, which ends at
//! 4 GiB in a browser; this one counts in `u64`.

use std::collections::BTreeMap;

use safetensors::Dtype;
use serde::Deserialize;
use serde::de::IgnoredAny;

use super::file_segment::{FileSegment, Framing};
use super::tensor_index::{TensorIndex, TensorLocation};
use crate::checkpoint::error::CheckpointError;

/// The largest header that is read, in bytes. The largest CLIP's header has less than 200 kB.
pub(super) const LARGEST_HEADER: u64 = 32 << 20;

#[derive(Deserialize)]
struct Header {
    #[serde(rename = "__metadata__")]
    _metadata: Option<IgnoredAny>,
    #[serde(flatten)]
    tensors: BTreeMap<String, HeaderEntry>,
}

/// One tensor in the header's list.
#[derive(Deserialize)]
struct HeaderEntry {
    dtype: Dtype,
    shape: Vec<usize>,
    data_offsets: (u64, u64),
}

impl HeaderEntry {
    /// Returns the bytes that the shape needs; `None` if they are not a whole number, or overflow.
    fn bytes(&self) -> Option<u64> {
        let values = self.shape.iter().try_fold(1_u64, |values, dim| values.checked_mul(*dim as u64))?;
        let bits = values.checked_mul(self.dtype.bitsize() as u64)?;
        bits.is_multiple_of(8).then_some(bits / 8)
    }
}

/// Returns the index of a safetensors file of `length` bytes, from its `header`.
///
/// # Errors
/// [`CheckpointError::Malformed`] if the header is not JSON, or its tensors overlap or leave gaps;
/// [`CheckpointError::Size`] if the file is not as long as the header says.
pub(super) fn index_of_header(file: String, length: u64, header: &[u8]) -> Result<TensorIndex, CheckpointError> {
    let malformed =
        |reason: String| CheckpointError::Malformed { file: file.clone(), kind: "safetensors", reason };
    let parsed: Header = serde_json::from_slice(header).map_err(|err| malformed(err.to_string()))?;
    let mut entries: Vec<(String, HeaderEntry)> = parsed.tensors.into_iter().collect();
    entries.sort_by_key(|(_name, entry)| entry.data_offsets);
    let data = 8 + header.len() as u64;
    let mut next = 0_u64;
    let (mut tensors, mut segments) = (BTreeMap::new(), Vec::new());
    for (name, entry) in entries {
        let (start, end) = entry.data_offsets;
        // The format allows no gaps between tensors.
        if start != next || end.checked_sub(start).is_none_or(|bytes| entry.bytes() != Some(bytes)) {
            return Err(malformed(format!("tensor `{name}` has the wrong place or the wrong size")));
        }
        next = end;
        let range = data.saturating_add(start)..data.saturating_add(end);
        segments.push(FileSegment { range, framing: Framing::Bare });
        tensors.insert(name, TensorLocation::in_rows(entry.dtype, entry.shape, segments.len() - 1, 0));
    }
    let expected = data.saturating_add(next);
    if expected != length {
        return Err(CheckpointError::Size { file, expected, found: length });
    }
    Ok(TensorIndex::new(file, tensors, segments, false))
}
