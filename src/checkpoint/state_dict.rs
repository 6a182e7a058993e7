//! A checkpoint's tensors as f32, under the checkpoint's own names.

use std::collections::BTreeMap;

use half::{bf16, f16};
use safetensors::{Dtype, SafeTensors};

use super::error::CheckpointError;

/// One tensor of a file.
#[derive(Clone, Debug, PartialEq)]
pub struct RawTensor {
    pub shape: Vec<usize>,
    /// In row-major order.
    pub values: Vec<f32>,
}

/// All tensors of a file.
#[derive(Clone, Debug, Default)]
pub struct StateDict {
    pub tensors: BTreeMap<String, RawTensor>,
}

impl StateDict {
    /// Reads the floating-point tensors of a safetensors file, and skips tensors of other types.
    ///
    /// # Errors
    /// [`CheckpointError::Malformed`] if the file is cut off, or its header does not match its contents.
    pub fn from_safetensors(file: &str, bytes: &[u8]) -> Result<Self, CheckpointError> {
        let parsed = SafeTensors::deserialize(bytes).map_err(|err| CheckpointError::Malformed {
            file: file.to_owned(),
            kind: "safetensors",
            reason: err.to_string(),
        })?;
        let tensors = parsed
            .iter()
            .filter_map(|(name, view)| {
                let values = floats_of(view.dtype(), view.data())?;
                Some((name.to_owned(), RawTensor { shape: view.shape().to_vec(), values }))
            })
            .collect();
        Ok(Self { tensors })
    }

    /// Returns the values of a tensor of exactly this shape.
    ///
    /// # Errors
    /// [`CheckpointError::Missing`], [`CheckpointError::Shape`] or [`CheckpointError::NotFinite`] names the tensor.
    pub fn get(&self, name: &str, shape: &[usize]) -> Result<&[f32], CheckpointError> {
        let tensor = self.tensors.get(name).ok_or_else(|| CheckpointError::Missing(name.to_owned()))?;
        if tensor.shape != shape {
            return Err(CheckpointError::Shape {
                name: name.to_owned(),
                expected: shape.to_vec(),
                found: tensor.shape.clone(),
            });
        }
        if tensor.values.iter().any(|value| !value.is_finite()) {
            return Err(CheckpointError::NotFinite(name.to_owned()));
        }
        Ok(&tensor.values)
    }
}

/// Converts little-endian floats of any width to f32. Returns `None` for other types.
pub(super) fn floats_of(dtype: Dtype, bytes: &[u8]) -> Option<Vec<f32>> {
    fn each<const N: usize>(bytes: &[u8], read: impl Fn([u8; N]) -> f32) -> Vec<f32> {
        bytes.as_chunks::<N>().0.iter().map(|chunk| read(*chunk)).collect()
    }
    match dtype {
        Dtype::F32 => Some(each(bytes, f32::from_le_bytes)),
        Dtype::F16 => Some(each(bytes, |pair| f16::from_le_bytes(pair).to_f32())),
        Dtype::BF16 => Some(each(bytes, |pair| bf16::from_le_bytes(pair).to_f32())),
        Dtype::F64 => Some(each(bytes, |eight| f64::from_le_bytes(eight) as f32)),
        _ => None,
    }
}
