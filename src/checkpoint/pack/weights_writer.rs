//! Writes `weights.safetensors`. The layout is known before the first tensor, so each tensor is written to its place
//! when it comes, and no tensor is in memory twice.

use std::collections::BTreeMap;
use std::ops::Range;

use half::f16;

use super::quantisation::{Quantisation, TensorFormat};
use super::quantise::{self, Quantised};
use super::safetensors_layout::SafetensorsLayout;
use super::storage_costs::{StorageCost, StorageCosts};
use crate::checkpoint::error::CheckpointError;
use crate::model::ModelConfig;

/// A file that is laid out for a model and takes the model's tensors.
pub struct WeightsWriter {
    bytes: Vec<u8>,
    /// The places of the tensors that have not come yet.
    slots: BTreeMap<String, TensorSlot>,
    costs: StorageCosts,
}

/// The finished file, and the cost of each way of storing its tensors.
pub struct StoredWeights {
    pub bytes: Vec<u8>,
    pub storages: Vec<StorageCost>,
}

/// The place of a tensor in the file.
struct TensorSlot {
    columns: usize,
    stored: TensorFormat,
    values: Range<usize>,
    /// Empty if the tensor is not quantised.
    scales: Range<usize>,
    /// The number of floats in the tensor.
    length: usize,
}

impl WeightsWriter {
    /// Lays out the file.
    ///
    /// # Errors
    /// [`CheckpointError::Memory`] if there is no room for the file.
    pub fn new(model: &ModelConfig, quantisation: Quantisation) -> Result<Self, CheckpointError> {
        let specs = model.tensors();
        let SafetensorsLayout { header: mut bytes, length, places } = SafetensorsLayout::new(model, quantisation)?;
        let place = |name: &str| places.get(name).cloned().unwrap_or_default();
        let slots = specs.iter().map(|spec| {
            let slot = TensorSlot {
                columns: spec.shape.last().copied().unwrap_or(1),
                stored: TensorFormat::of(spec, quantisation, model),
                values: place(&spec.name),
                scales: place(&format!("{}.scale", spec.name)),
                length: spec.shape.iter().product(),
            };
            (spec.name.clone(), slot)
        });
        let slots = slots.collect();
        let room = usize::try_from(length).map_err(|_large| CheckpointError::Memory { bytes: length })?;
        bytes.try_reserve_exact(room - bytes.len()).map_err(|_full| CheckpointError::Memory { bytes: length })?;
        bytes.resize(room, 0);
        Ok(Self { slots, bytes, costs: StorageCosts::new(model) })
    }

    /// Stores a tensor of the model.
    ///
    /// # Errors
    /// [`CheckpointError::Missing`] if the model has no such tensor, or it was stored already;
    /// [`CheckpointError::Shape`] if the number of values differs.
    pub fn put(&mut self, name: &str, values: &[f32]) -> Result<(), CheckpointError> {
        let slot = self.slots.remove(name).ok_or_else(|| CheckpointError::Missing(name.to_owned()))?;
        if slot.length != values.len() {
            let (expected, found) = (vec![slot.length], vec![values.len()]);
            return Err(CheckpointError::Shape { name: name.to_owned(), expected, found });
        }
        self.costs.push(name, values, slot.columns);
        let target = &mut self.bytes[slot.values];
        let scales = match slot.stored {
            TensorFormat::F32 => {
                let bytes = values.iter().map(|value| value.to_le_bytes());
                target.as_chunks_mut().0.iter_mut().zip(bytes).for_each(|(target, bytes)| *target = bytes);
                return Ok(());
            }
            TensorFormat::F16 => {
                write_halves(target, values.iter().map(|value| f16::from_f32(*value)));
                return Ok(());
            }
            TensorFormat::Q8 => {
                let Quantised { values, scales } = quantise::quantise(values, slot.columns);
                target.iter_mut().zip(values).for_each(|(byte, value)| *byte = value.cast_unsigned());
                scales
            }
            TensorFormat::Q4 => {
                let Quantised { values, scales } = quantise::quantise_to_4_bits(values);
                target.copy_from_slice(&quantise::pack_nibbles(&values));
                scales
            }
        };
        write_halves(&mut self.bytes[slot.scales], scales.into_iter());
        Ok(())
    }

    /// Returns the finished file.
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

fn write_halves(target: &mut [u8], halves: impl Iterator<Item = f16>) {
    target.as_chunks_mut().0.iter_mut().zip(halves).for_each(|(target, half)| *target = half.to_le_bytes());
}

#[cfg(test)]
mod tests {
    use safetensors::SafeTensors;
    use safetensors::tensor::TensorView;

    use super::*;
    use crate::checkpoint::pack::safetensors_layout::file_length;
    use crate::checkpoint::random_model::{self, RandomWeights};
    use crate::model::TensorSource as _;

    /// In any order of writing, the file equals the file that the safetensors crate writes.
    #[test]
    fn file_equals_the_safetensors_crates_file() {
        let config = random_model::config(64);
        for quantisation in [Quantisation::Q8, Quantisation::Q4, Quantisation::F16, Quantisation::F32] {
            let mut writer = WeightsWriter::new(&config, quantisation).unwrap();
            for spec in config.tensors().iter().rev() {
                writer.put(&spec.name, &RandomWeights::new(1).tensor(&spec.name, &spec.shape).unwrap()).unwrap();
            }
            let bytes = writer.finish().unwrap().bytes;
            assert_eq!(bytes.len() as u64, file_length(&config, quantisation));
            let parsed = SafeTensors::deserialize(&bytes).unwrap();
            let views: Vec<(&str, TensorView<'_>)> = parsed.iter().collect();
            assert!(safetensors::serialize(views, None).unwrap() == bytes, "{quantisation:?}");
        }
    }

    #[test]
    fn a_missing_tensor_is_named() {
        let writer = WeightsWriter::new(&random_model::config(64), Quantisation::Q8).unwrap();
        let err = writer.finish().err().unwrap();
        assert_eq!(err.to_string().matches('`').count(), 2);
    }
}
