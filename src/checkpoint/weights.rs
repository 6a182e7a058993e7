//! `weights.safetensors` in the making: its size is known before the first tensor, so that each is written into its
//! place as it comes, and nothing is held twice.

use std::collections::BTreeMap;
use std::ops::Range;

use half::f16;
use safetensors::Dtype;
use safetensors::tensor::{Metadata, TensorInfo};

use super::costs::{Costs, StorageCost};
use super::quantise::{self, BLOCK, Quantisation, Quantised, Stored};
use super::{CheckpointError, pack::WEIGHTS};
use crate::model::ModelConfig;

/// The file, laid out for a model, waiting for its tensors.
pub struct WeightsWriter {
    bytes: Vec<u8>,
    slots: BTreeMap<String, Slot>,
    costs: Costs,
}

/// The finished file, and what each way of storing its tensors costs.
pub struct StoredWeights {
    pub bytes: Vec<u8>,
    pub storages: Vec<StorageCost>,
}

/// Where a tensor goes.
struct Slot {
    columns: usize,
    stored: Stored,
    values: Range<usize>,
    /// Empty where there are none.
    scales: Range<usize>,
    /// How many floats the tensor has.
    length: usize,
}

impl WeightsWriter {
    /// Lays out the file.
    ///
    /// # Errors
    /// [`CheckpointError::Memory`] where there is no room for it.
    pub fn new(model: &ModelConfig, quantisation: Quantisation) -> Result<Self, CheckpointError> {
        let specs = model.tensors();
        let Header { bytes: mut header, length, places } = Header::new(entries(model, quantisation))?;
        let place = |name: &str| places.get(name).cloned().unwrap_or_default();
        let slots = specs.iter().map(|spec| {
            let slot = Slot {
                columns: spec.shape.last().copied().unwrap_or(1),
                stored: Stored::of(spec, quantisation, model),
                values: place(&spec.name),
                scales: place(&format!("{}.scale", spec.name)),
                length: spec.shape.iter().product(),
            };
            (spec.name.clone(), slot)
        });
        let slots = slots.collect();
        let room = usize::try_from(length).map_err(|_large| CheckpointError::Memory { bytes: length })?;
        header
            .try_reserve_exact(room - header.len())
            .map_err(|_full| CheckpointError::Memory { bytes: length })?;
        header.resize(room, 0);
        Ok(Self { slots, bytes: header, costs: Costs::new(model) })
    }

    /// Stores a tensor of the model.
    ///
    /// # Errors
    /// Where the model has no such tensor left to be stored, or it is of another size.
    pub fn put(&mut self, name: &str, values: &[f32]) -> Result<(), CheckpointError> {
        let slot = self.slots.remove(name).ok_or_else(|| CheckpointError::Missing(name.to_owned()))?;
        if slot.length != values.len() {
            let (expected, found) = (vec![slot.length], vec![values.len()]);
            return Err(CheckpointError::Shape { name: name.to_owned(), expected, found });
        }
        self.costs.push(name, values, slot.columns);
        let target = &mut self.bytes[slot.values];
        let scales = match slot.stored {
            Stored::F32 => {
                let bytes = values.iter().map(|value| value.to_le_bytes());
                target.as_chunks_mut().0.iter_mut().zip(bytes).for_each(|(target, bytes)| *target = bytes);
                return Ok(());
            }
            Stored::F16 => {
                write_halves(target, values.iter().map(|value| f16::from_f32(*value)));
                return Ok(());
            }
            Stored::Q8 => {
                let Quantised { values, scales } = quantise::quantise(values, slot.columns);
                target.iter_mut().zip(values).for_each(|(byte, value)| *byte = value.cast_unsigned());
                scales
            }
            Stored::Q4 => {
                let Quantised { values, scales } = quantise::quantise_to_4_bits(values);
                target.copy_from_slice(&quantise::pack_nibbles(&values));
                scales
            }
        };
        write_halves(&mut self.bytes[slot.scales], scales.into_iter());
        Ok(())
    }

    /// The file.
    ///
    /// # Errors
    /// [`CheckpointError::Missing`] names a tensor that never came.
    pub fn finish(self) -> Result<StoredWeights, CheckpointError> {
        match self.slots.into_keys().next() {
            None => Ok(StoredWeights { bytes: self.bytes, storages: self.costs.finish() }),
            Some(name) => Err(CheckpointError::Missing(name)),
        }
    }
}

fn dtype_of(stored: Stored) -> Dtype {
    match stored {
        Stored::F32 => Dtype::F32,
        Stored::F16 => Dtype::F16,
        Stored::Q8 => Dtype::I8,
        Stored::Q4 => Dtype::U8,
    }
}

fn write_halves(target: &mut [u8], halves: impl Iterator<Item = f16>) {
    target.as_chunks_mut().0.iter_mut().zip(halves).for_each(|(target, half)| *target = half.to_le_bytes());
}

/// A tensor's name, type and shape, as the file's header lists it.
type Entry = (String, Dtype, Vec<usize>);

/// The file's entries, the largest numbers first, then by name, as the safetensors format recommends.
fn entries(model: &ModelConfig, quantisation: Quantisation) -> Vec<Entry> {
    let mut entries = Vec::new();
    for spec in &model.tensors() {
        let stored = Stored::of(spec, quantisation, model);
        let (dtype, mut shape) = (dtype_of(stored), spec.shape.clone());
        if matches!(stored, Stored::Q8 | Stored::Q4) {
            let blocks = shape[1] / quantise::block_len(shape[1]);
            entries.push((format!("{}.scale", spec.name), Dtype::F16, vec![shape[0], blocks]));
        }
        if stored == Stored::Q4 {
            shape[1] /= 2;
        }
        entries.push((spec.name.clone(), dtype, shape));
    }
    entries.sort_by(|(name, dtype, _), (other, others, _)| others.cmp(dtype).then(name.cmp(other)));
    entries
}

/// Bytes of the file that a model's weights become; 0 for a model that no file holds.
pub(super) fn length(model: &ModelConfig, quantisation: Quantisation) -> u64 {
    Header::new(entries(model, quantisation)).map_or(0, |header| header.length)
}

/// Bytes that a tensor takes. In u64: a browser's usize has 32 bits, which some models pass.
fn bytes_of(dtype: Dtype, shape: &[usize]) -> u64 {
    shape.iter().map(|dim| *dim as u64).product::<u64>() * dtype.bitsize() as u64 / 8
}

/// The beginning of a file.
struct Header {
    bytes: Vec<u8>,
    /// Of the whole file.
    length: u64,
    /// Where each tensor's bytes go.
    places: BTreeMap<String, Range<usize>>,
}

impl Header {
    fn new(entries: Vec<Entry>) -> Result<Self, CheckpointError> {
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
        Ok(Self { bytes, length, places })
    }
}

/// Values in 4 bits fill whole blocks, and so whole bytes.
const _: () = assert!(BLOCK.is_multiple_of(2));

#[cfg(test)]
mod tests {
    use safetensors::SafeTensors;
    use safetensors::tensor::TensorView;

    use super::*;
    use crate::checkpoint::random::{self, RandomWeights};
    use crate::model::TensorSource as _;

    /// Written in any order, the file is what the safetensors crate writes.
    #[test]
    fn the_file_is_canonical() {
        let config = random::config(64);
        for quantisation in [Quantisation::Q8, Quantisation::Q4, Quantisation::F16, Quantisation::F32] {
            let mut writer = WeightsWriter::new(&config, quantisation).unwrap();
            for spec in config.tensors().iter().rev() {
                writer.put(&spec.name, &RandomWeights::new(1).tensor(&spec.name, &spec.shape).unwrap()).unwrap();
            }
            let bytes = writer.finish().unwrap().bytes;
            assert_eq!(bytes.len() as u64, length(&config, quantisation));
            let parsed = SafeTensors::deserialize(&bytes).unwrap();
            let views: Vec<(&str, TensorView<'_>)> = parsed.iter().collect();
            assert!(safetensors::serialize(views, None).unwrap() == bytes, "{quantisation:?}");
        }
    }

    #[test]
    fn a_tensor_that_never_came_is_named() {
        let writer = WeightsWriter::new(&random::config(64), Quantisation::Q8).unwrap();
        let err = writer.finish().err().unwrap();
        assert_eq!(err.to_string().matches('`').count(), 2);
    }
}
