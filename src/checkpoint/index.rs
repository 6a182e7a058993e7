//! What a model file holds and where, read without reading it: the header of a safetensors file, or the directory and
//! the pickle of a PyTorch file.
//!
//! Nothing here opens files. [`Opening`] says which bytes it wants and is given them, so that a disk, a server and a
//! browser's `File` serve alike.

use std::collections::BTreeMap;
use std::ops::Range;

use safetensors::Dtype;
use serde::Deserialize;
use serde::de::IgnoredAny;

use super::torch::{self, Frame};
use super::{CheckpointError, state_dict::floats_of};

/// No header is larger: the largest CLIP's is under 200 kB.
const LARGEST_HEADER: u64 = 32 << 20;

/// The tensors of a file.
#[derive(Debug)]
pub struct Index {
    /// The file as messages name it.
    pub file: String,
    pub tensors: BTreeMap<String, Located>,
    /// Stretches of the file that are read in one piece, in file order.
    segments: Vec<Segment>,
    /// Whether the file is a TorchScript archive, which only OpenAI's CLIPs are.
    pub torch_script: bool,
}

/// One tensor, and where in the file it is.
#[derive(Clone, Debug)]
pub struct Located {
    pub dtype: Dtype,
    pub shape: Vec<usize>,
    /// Steps between neighbours along each axis, where the values do not lie in rows.
    strides: Option<Vec<usize>>,
    /// Which segment, and which byte of its payload.
    segment: usize,
    start: usize,
}

/// A stretch of the file.
#[derive(Clone, Debug)]
pub struct Segment {
    pub range: Range<u64>,
    /// What the container puts around the payload.
    frame: Frame,
}

impl Segment {
    pub(super) fn new(range: Range<u64>, frame: Frame) -> Self {
        Self { range, frame }
    }
}

impl Index {
    pub(super) fn new(
        file: String,
        tensors: BTreeMap<String, Located>,
        segments: Vec<Segment>,
        torch_script: bool,
    ) -> Self {
        Self { file, tensors, segments, torch_script }
    }

    /// The segments that hold `names`, in file order.
    pub(super) fn segments_of<'a>(&self, names: impl Iterator<Item = &'a String>) -> Vec<usize> {
        let located = names.filter_map(|name| self.tensors.get(name));
        let mut segments: Vec<usize> = located.map(|tensor| tensor.segment).collect();
        segments.sort_by_key(|segment| (self.segments[*segment].range.start, *segment));
        segments.dedup();
        segments
    }

    pub(super) fn range(&self, segment: usize) -> Range<u64> {
        self.segments[segment].range.clone()
    }

    /// Which segment a tensor is in.
    pub(super) fn segment(&self, name: &str) -> Option<usize> {
        self.tensors.get(name).map(|tensor| tensor.segment)
    }

    /// The bytes of a segment without what the container puts around them.
    ///
    /// # Errors
    /// Where the container's own note of the segment is not what its directory says.
    pub(super) fn payload<'a>(&self, segment: usize, bytes: &'a [u8]) -> Result<&'a [u8], CheckpointError> {
        let Segment { range, frame } = &self.segments[segment];
        let expected = range.end - range.start;
        if bytes.len() as u64 != expected {
            let found = range.start + bytes.len() as u64;
            return Err(CheckpointError::Size { file: self.file.clone(), expected: range.end, found });
        }
        frame.payload(bytes).map_err(|reason| torch::malformed(&self.file, &reason))
    }

    /// A tensor's values out of its segment's payload, rows first.
    ///
    /// # Errors
    /// [`CheckpointError::Type`] where they are no floats; [`CheckpointError::NotFinite`].
    pub(super) fn values(&self, name: &str, payload: &[u8]) -> Result<Vec<f32>, CheckpointError> {
        let missing = || CheckpointError::Missing(name.to_owned());
        let tensor = self.tensors.get(name).ok_or_else(missing)?;
        let end =
            tensor.span().checked_mul(tensor.dtype.bitsize() / 8).and_then(|span| tensor.start.checked_add(span));
        let bytes = end
            .and_then(|end| payload.get(tensor.start..end))
            .ok_or_else(|| torch::malformed(&self.file, &format!("tensor `{name}` reaches beyond its storage")))?;
        let values = floats_of(tensor.dtype, bytes).ok_or_else(|| CheckpointError::Type {
            name: name.to_owned(),
            found: format!("{:?}", tensor.dtype),
        })?;
        if values.iter().any(|value| !value.is_finite()) {
            return Err(CheckpointError::NotFinite(name.to_owned()));
        }
        Ok(match &tensor.strides {
            None => values,
            Some(strides) => gathered(&values, &tensor.shape, strides),
        })
    }
}

impl Located {
    /// A tensor whose values lie in rows.
    pub(super) fn in_rows(dtype: Dtype, shape: Vec<usize>, segment: usize, start: usize) -> Self {
        Self { dtype, shape, strides: None, segment, start }
    }

    /// A tensor of any strides.
    pub(super) fn strided(self, strides: Vec<usize>) -> Self {
        let mut next = 1;
        let in_rows = self.shape.contains(&0)
            || self.shape.iter().zip(&strides).rev().all(|(dim, stride)| {
                let fits = *dim <= 1 || *stride == next;
                next *= dim;
                fits
            });
        Self { strides: (!in_rows).then_some(strides), ..self }
    }

    /// From the first value to the last, counted in values.
    fn span(&self) -> usize {
        match &self.strides {
            None => self.shape.iter().product(),
            Some(strides) => {
                1 + self.shape.iter().zip(strides).map(|(dim, stride)| (dim - 1) * stride).sum::<usize>()
            }
        }
    }
}

/// Strided values, rows first.
fn gathered(values: &[f32], shape: &[usize], strides: &[usize]) -> Vec<f32> {
    let mut starts = vec![0];
    for (dim, stride) in shape.iter().zip(strides) {
        starts = starts.into_iter().flat_map(|start| (0..*dim).map(move |step| start + step * stride)).collect();
    }
    starts.into_iter().map(|start| values[start]).collect()
}

/// A file that is being opened.
pub struct Opening {
    file: String,
    bytes: u64,
    stage: Stage,
}

/// Where opening a file has come to.
pub enum Opened {
    /// More bytes are wanted: see [`Opening::wants`].
    Further(Opening),
    Whole(Index),
}

enum Stage {
    /// The first bytes say what the file is.
    Magic,
    /// A safetensors header of so many bytes.
    Header(u64),
    Torch(torch::Stage),
}

impl Opening {
    /// Begins to open a file of `bytes` bytes.
    pub fn new(file: impl Into<String>, bytes: u64) -> Self {
        Self { file: file.into(), bytes, stage: Stage::Magic }
    }

    /// The bytes that are needed next.
    pub fn wants(&self) -> Range<u64> {
        match &self.stage {
            Stage::Magic => 0..self.bytes.min(9),
            Stage::Header(length) => 8..8 + length,
            Stage::Torch(stage) => stage.wants(self.bytes),
        }
    }

    /// Takes the bytes that were wanted.
    ///
    /// # Errors
    /// [`CheckpointError::Malformed`] where the file is none that this program reads, or is damaged;
    /// [`CheckpointError::Size`] where it was cut off.
    pub fn push(self, bytes: &[u8]) -> Result<Opened, CheckpointError> {
        let Self { file, bytes: length, stage } = self;
        let stage = match stage {
            Stage::Magic => magic(&file, length, bytes)?,
            Stage::Header(_) => return Ok(Opened::Whole(safetensors_index(file, length, bytes)?)),
            Stage::Torch(stage) => match stage.push(&file, length, bytes)? {
                torch::Progress::Further(stage) => Stage::Torch(stage),
                torch::Progress::Whole(index) => return Ok(Opened::Whole(index)),
            },
        };
        Ok(Opened::Further(Self { file, bytes: length, stage }))
    }
}

/// What a file's first bytes say that it is.
fn magic(file: &str, length: u64, first: &[u8]) -> Result<Stage, CheckpointError> {
    let wrong = |reason: &str| {
        let (file, reason) = (file.to_owned(), reason.to_owned());
        Err(CheckpointError::Malformed { file, kind: "model", reason })
    };
    let Some((eight, after)) = first.split_first_chunk::<8>() else { return wrong("it is all but empty") };
    let header = u64::from_le_bytes(*eight);
    let is_safetensors = header <= LARGEST_HEADER && after.first() == Some(&b'{');
    match eight {
        // Before all else: a header's length may begin as a pickle or a web page does.
        _ if is_safetensors => {}
        // A zip archive's first entry, and a pickle's protocol.
        [b'P', b'K', 3, 4, ..] => return Ok(Stage::Torch(torch::Stage::archive(length))),
        [0x80, 2..=5, ..] => return Ok(Stage::Torch(torch::Stage::legacy(length))),
        b"version " => return wrong("it is a Git LFS pointer, not the weights: `git lfs pull` fetches them"),
        _ => {}
    }
    if !is_safetensors && first.trim_ascii_start().starts_with(b"<") {
        return wrong("it is a web page, not the weights");
    }
    if header > LARGEST_HEADER {
        return wrong("it is neither a safetensors file nor one that PyTorch saved");
    }
    if 8 + header > length {
        let file = file.to_owned();
        return Err(CheckpointError::Size { file, expected: 8 + header, found: length });
    }
    Ok(Stage::Header(header))
}

/// A safetensors header. The crate's own counts bytes in usize, which in a browser ends at 4 GiB.
#[derive(Deserialize)]
struct Header {
    #[serde(rename = "__metadata__")]
    _metadata: Option<IgnoredAny>,
    #[serde(flatten)]
    tensors: BTreeMap<String, Entry>,
}

/// A tensor as the header lists it.
#[derive(Deserialize)]
struct Entry {
    dtype: Dtype,
    shape: Vec<usize>,
    data_offsets: (u64, u64),
}

impl Entry {
    /// Bytes that the shape asks for; none where they are no whole number of bytes, or more than any.
    fn bytes(&self) -> Option<u64> {
        let values = self.shape.iter().try_fold(1_u64, |values, dim| values.checked_mul(*dim as u64))?;
        let bits = values.checked_mul(self.dtype.bitsize() as u64)?;
        bits.is_multiple_of(8).then_some(bits / 8)
    }
}

fn safetensors_index(file: String, length: u64, header: &[u8]) -> Result<Index, CheckpointError> {
    let malformed =
        |reason: String| CheckpointError::Malformed { file: file.clone(), kind: "safetensors", reason };
    let parsed: Header = serde_json::from_slice(header).map_err(|err| malformed(err.to_string()))?;
    let mut entries: Vec<(String, Entry)> = parsed.tensors.into_iter().collect();
    entries.sort_by_key(|(_name, entry)| entry.data_offsets);
    let data = 8 + header.len() as u64;
    let mut next = 0_u64;
    let (mut tensors, mut segments) = (BTreeMap::new(), Vec::new());
    for (name, entry) in entries {
        let (start, end) = entry.data_offsets;
        // Tensors lie one behind the other without gaps.
        if start != next || end.checked_sub(start).is_none_or(|bytes| entry.bytes() != Some(bytes)) {
            return Err(malformed(format!("tensor `{name}` is not where or not as large as it should be")));
        }
        next = end;
        segments.push(Segment::new(data.saturating_add(start)..data.saturating_add(end), Frame::Bare));
        tensors.insert(name, Located::in_rows(entry.dtype, entry.shape, segments.len() - 1, 0));
    }
    let expected = data.saturating_add(next);
    if expected != length {
        return Err(CheckpointError::Size { file, expected, found: length });
    }
    Ok(Index::new(file, tensors, segments, false))
}
