//! The layout of `weights.safetensors` for a model: the header and the place of each tensor. The layout is known
//! before the first tensor comes.

use std::collections::BTreeMap;
use std::ops::Range;

use safetensors::Dtype;
use safetensors::tensor::{Metadata, TensorInfo};

use super::file_names::WEIGHTS;
use super::quantisation::{Quantisation, TensorFormat};
use super::quantise::{self, BLOCK};
use crate::checkpoint::error::CheckpointError;
use crate::model::ModelConfig;

// A block of 4-bit values fills whole bytes.
const _: () = assert!(BLOCK.is_multiple_of(2));

/// A tensor's name, type and shape, as the file's header lists them.
type HeaderEntry = (String, Dtype, Vec<usize>);

/// Returns the file's entries: the types with the most bits first, then by name, as the safetensors format
/// recommends.
fn entries(model: &ModelConfig, quantisation: Quantisation) -> Vec<HeaderEntry> {
    let mut entries = Vec::new();
    for spec in &model.tensors() {
        let stored = TensorFormat::of(spec, quantisation, model);
        let (dtype, mut shape) = (dtype_of(stored), spec.shape.clone());
        if matches!(stored, TensorFormat::Q8 | TensorFormat::Q4) {
            let blocks = shape[1] / quantise::block_len(shape[1]);
            entries.push((format!("{}.scale", spec.name), Dtype::F16, vec![shape[0], blocks]));
        }
        if stored == TensorFormat::Q4 {
            shape[1] /= 2;
        }
        entries.push((spec.name.clone(), dtype, shape));
    }
    entries.sort_by(|(name, dtype, _), (other, others, _)| others.cmp(dtype).then(name.cmp(other)));
    entries
}

/// Returns the number of bytes of the file for a model's weights; 0 if the model does not fit into a file.
pub fn file_length(model: &ModelConfig, quantisation: Quantisation) -> u64 {
    SafetensorsLayout::new(model, quantisation).map_or(0, |layout| layout.length)
}

/// Returns the number of bytes of a tensor. The number is u64, because some models
/// overflow a browser's usize, which has 32 bits.
fn bytes_of(dtype: Dtype, shape: &[usize]) -> u64 {
    shape.iter().map(|dim| *dim as u64).product::<u64>() * dtype.bitsize() as u64 / 8
}

/// The header of the file and the places of its tensors.
pub(super) struct SafetensorsLayout {
    pub header: Vec<u8>,
    /// The number of bytes of the whole file.
    pub length: u64,
    /// The range of each tensor's bytes in the file.
    pub places: BTreeMap<String, Range<usize>>,
}

impl SafetensorsLayout {
    /// Lays out the file for a model.
    ///
    /// # Errors
    /// [`CheckpointError::Memory`] if the file would not fit into the address space.
    pub fn new(model: &ModelConfig, quantisation: Quantisation) -> Result<Self, CheckpointError> {
        let entries = entries(model, quantisation);
        let malformed =
            |reason: String| CheckpointError::Malformed { file: WEIGHTS.into(), kind: "safetensors", reason };
        let in_memory = |bytes: u64| usize::try_from(bytes).map_err(|_large| CheckpointError::Memory { bytes });
        in_memory(entries.iter().map(|(_name, dtype, shape)| bytes_of(*dtype, shape)).sum())?;
        let mut end = 0;
        let mut infos = Vec::with_capacity(entries.len());
        for (name, dtype, shape) in entries {
            let start = end;
            end += bytes_of(dtype, &shape) as usize;
            infos.push((name, TensorInfo { dtype, shape, data_offsets: (start, end) }));
        }
        let places = infos.iter().map(|(name, info)| (name.clone(), info.data_offsets.0..info.data_offsets.1));
        let mut places: BTreeMap<String, Range<usize>> = places.collect();
        let metadata = Metadata::new(None, infos).map_err(|err| malformed(err.to_string()))?;
        let mut header = serde_json::to_vec(&metadata).map_err(|err| malformed(err.to_string()))?;
        header.resize(header.len().next_multiple_of(8), b' ');
        let data = 8 + header.len();
        let length = data as u64 + end as u64;
        in_memory(length)?;
        places.values_mut().for_each(|place| *place = place.start + data..place.end + data);
        let mut bytes = (header.len() as u64).to_le_bytes().to_vec();
        bytes.extend(header);
        Ok(Self { header: bytes, length, places })
    }
}

fn dtype_of(stored: TensorFormat) -> Dtype {
    match stored {
        TensorFormat::F32 => Dtype::F32,
        TensorFormat::F16 => Dtype::F16,
        TensorFormat::Q8 => Dtype::I8,
        TensorFormat::Q4 => Dtype::U8,
    }
}
