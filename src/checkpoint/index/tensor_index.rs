//! The list of a file's tensors, and how a tensor's values are taken out of a segment.

use std::collections::BTreeMap;
use std::ops::Range;

use safetensors::Dtype;

use super::file_segment::FileSegment;
use crate::checkpoint::error::CheckpointError;
use crate::checkpoint::state_dict::floats_of;

/// The tensors of a file, by name.
#[derive(Debug)]
pub struct TensorIndex {
    /// The file's name in messages.
    pub file: String,
    pub tensors: BTreeMap<String, TensorLocation>,
    segments: Vec<FileSegment>,
    /// Whether the file is a TorchScript archive. Only OpenAI publishes its CLIPs as TorchScript.
    pub torch_script: bool,
}

/// One tensor's type and shape, and its place in the file.
#[derive(Clone, Debug)]
pub struct TensorLocation {
    pub dtype: Dtype,
    pub shape: Vec<usize>,
    /// The step between neighbours along each axis, counted in values; `None` if the values lie in row-major order.
    strides: Option<Vec<usize>>,
    /// The segment's number.
    segment: usize,
    /// The first byte within the segment's payload.
    start: usize,
}

impl TensorIndex {
    pub(super) fn new(
        file: String,
        tensors: BTreeMap<String, TensorLocation>,
        segments: Vec<FileSegment>,
        torch_script: bool,
    ) -> Self {
        Self { file, tensors, segments, torch_script }
    }

    /// Returns the numbers of the segments that hold `names`, in file order.
    pub(in crate::checkpoint) fn segments_of<'a>(&self, names: impl Iterator<Item = &'a String>) -> Vec<usize> {
        let located = names.filter_map(|name| self.tensors.get(name));
        let mut segments: Vec<usize> = located.map(|tensor| tensor.segment).collect();
        segments.sort_by_key(|segment| (self.segments[*segment].range.start, *segment));
        segments.dedup();
        segments
    }

    /// Returns a segment's range of bytes in the file.
    pub(in crate::checkpoint) fn range(&self, segment: usize) -> Range<u64> {
        self.segments[segment].range.clone()
    }

    /// Returns the number of the segment that holds a tensor.
    pub(in crate::checkpoint) fn segment(&self, name: &str) -> Option<usize> {
        self.tensors.get(name).map(|tensor| tensor.segment)
    }

    /// Returns the payload within a segment's bytes.
    ///
    /// # Errors
    /// [`CheckpointError::Size`] if there are fewer bytes than the segment has; [`CheckpointError::Malformed`] if the
    /// container's bytes around the payload do not match its directory.
    pub(in crate::checkpoint) fn payload<'a>(
        &self,
        segment: usize,
        bytes: &'a [u8],
    ) -> Result<&'a [u8], CheckpointError> {
        let FileSegment { range, framing } = &self.segments[segment];
        let expected = range.end - range.start;
        if bytes.len() as u64 != expected {
            let found = range.start + bytes.len() as u64;
            return Err(CheckpointError::Size { file: self.file.clone(), expected: range.end, found });
        }
        framing.payload(bytes).map_err(|reason| CheckpointError::malformed_torch(&self.file, &reason))
    }

    /// Returns a tensor's values in row-major order, from its segment's payload.
    ///
    /// # Errors
    /// [`CheckpointError::Missing`]; [`CheckpointError::Malformed`] if the tensor reaches beyond the payload;
    /// [`CheckpointError::Type`] if the values are not floats; [`CheckpointError::NotFinite`].
    pub(in crate::checkpoint) fn values(&self, name: &str, payload: &[u8]) -> Result<Vec<f32>, CheckpointError> {
        let missing = || CheckpointError::Missing(name.to_owned());
        let beyond = || {
            CheckpointError::malformed_torch(&self.file, &format!("tensor `{name}` reaches beyond its storage"))
        };
        let tensor = self.tensors.get(name).ok_or_else(missing)?;
        let bytes = tensor.bytes(payload).ok_or_else(beyond)?;
        let values = floats_of(tensor.dtype, bytes).ok_or_else(|| CheckpointError::Type {
            name: name.to_owned(),
            found: format!("{:?}", tensor.dtype),
        })?;
        if values.iter().any(|value| !value.is_finite()) {
            return Err(CheckpointError::NotFinite(name.to_owned()));
        }
        Ok(match &tensor.strides {
            None => values,
            Some(strides) => in_row_major_order(&values, &tensor.shape, strides),
        })
    }
}

impl TensorLocation {
    /// Returns the location of a tensor whose values lie in row-major order.
    pub(super) fn in_rows(dtype: Dtype, shape: Vec<usize>, segment: usize, start: usize) -> Self {
        Self { dtype, shape, strides: None, segment, start }
    }

    /// Returns the same location with these strides.
    pub(super) fn with_strides(self, strides: Vec<usize>) -> Self {
        let mut next = 1;
        let in_rows = self.shape.contains(&0)
            || self.shape.iter().zip(&strides).rev().all(|(dim, stride)| {
                let fits = *dim <= 1 || *stride == next;
                next *= dim;
                fits
            });
        Self { strides: (!in_rows).then_some(strides), ..self }
    }

    /// Returns the tensor's bytes from its first value to its last; `None` if they reach beyond the payload.
    fn bytes<'a>(&self, payload: &'a [u8]) -> Option<&'a [u8]> {
        let length = self.span().checked_mul(self.dtype.bitsize() / 8)?;
        payload.get(self.start..self.start.checked_add(length)?)
    }

    /// Returns the distance from the first value to behind the last one, counted in values.
    fn span(&self) -> usize {
        match &self.strides {
            None => self.shape.iter().product(),
            Some(strides) => {
                1 + self.shape.iter().zip(strides).map(|(dim, stride)| (dim - 1) * stride).sum::<usize>()
            }
        }
    }
}

/// Brings strided values into row-major order.
fn in_row_major_order(values: &[f32], shape: &[usize], strides: &[usize]) -> Vec<f32> {
    let mut starts = vec![0];
    for (dim, stride) in shape.iter().zip(strides) {
        starts = starts.into_iter().flat_map(|start| (0..*dim).map(move |step| start + step * stride)).collect();
    }
    starts.into_iter().map(|start| values[start]).collect()
}
