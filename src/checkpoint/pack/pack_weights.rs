//! Reads the tensors of `weights.safetensors`.

use half::f16;
use safetensors::tensor::Metadata;
use safetensors::{Dtype, SafeTensors};

use super::file_names::WEIGHTS;
use super::quantise;
use crate::checkpoint::error::CheckpointError;
use crate::checkpoint::state_dict::floats_of;
use crate::model::{TensorError, TensorSource};

/// The tensors of `weights.safetensors`. Each tensor is converted to f32 when the model asks for it.
pub struct PackWeights {
    bytes: Vec<u8>,
    header: Metadata,
    /// The position of the first tensor's bytes.
    data: usize,
}

impl PackWeights {
    /// Reads the header of a pack's `weights.safetensors`.
    ///
    /// # Errors
    /// [`CheckpointError::Malformed`] if the bytes are not a safetensors file, or the header does not fit their
    /// length.
    pub fn new(bytes: Vec<u8>) -> Result<Self, CheckpointError> {
        let malformed =
            |reason: String| CheckpointError::Malformed { file: WEIGHTS.into(), kind: "safetensors", reason };
        // Deserialising also checks every offset against the file's length.
        SafeTensors::deserialize(&bytes).map_err(|err| malformed(err.to_string()))?;
        let (header_len, header) = SafeTensors::read_metadata(&bytes).map_err(|err| malformed(err.to_string()))?;
        Ok(Self { bytes, header, data: header_len + 8 })
    }

    /// Returns a tensor's type, shape and bytes.
    fn raw(&self, name: &str) -> Result<(Dtype, &[usize], &[u8]), CheckpointError> {
        let info = self.header.info(name).ok_or_else(|| CheckpointError::Missing(name.to_owned()))?;
        let (start, end) = info.data_offsets;
        let bytes = self
            .bytes
            .get(self.data + start..self.data + end)
            .ok_or_else(|| CheckpointError::Missing(name.to_owned()))?;
        Ok((info.dtype, &info.shape, bytes))
    }

    /// Returns the floats of a quantised matrix of `shape`.
    ///
    /// # Errors
    /// [`CheckpointError::Type`] or [`CheckpointError::Shape`] if the scales do not fit the matrix.
    fn dequantised(&self, name: &str, shape: &[usize], values: &[i8]) -> Result<Vec<f32>, CheckpointError> {
        let scale_name = format!("{name}.scale");
        let (dtype, scale_shape, scale_bytes) = self.raw(&scale_name)?;
        if dtype != Dtype::F16 {
            return Err(CheckpointError::Type { name: scale_name, found: format!("{dtype:?}") });
        }
        let [rows, columns] = *shape else {
            return Err(CheckpointError::Type {
                name: name.to_owned(),
                found: "integers that are not a matrix".into(),
            });
        };
        let blocks = scale_shape.get(1).copied().unwrap_or(1);
        if scale_shape.first() != Some(&rows) || blocks == 0 || columns % blocks != 0 || scale_shape.len() > 2 {
            return Err(CheckpointError::Shape {
                name: scale_name,
                expected: vec![rows, columns / quantise::block_len(columns)],
                found: scale_shape.to_vec(),
            });
        }
        let scales: Vec<f16> = scale_bytes.as_chunks().0.iter().map(|pair| f16::from_le_bytes(*pair)).collect();
        Ok(quantise::dequantise(values, &scales, columns))
    }
}

impl TensorSource for PackWeights {
    fn tensor(&mut self, name: &str, shape: &[usize]) -> Result<Vec<f32>, TensorError> {
        let (dtype, found, bytes) = self.raw(name)?;
        let fits = match (dtype, shape, found) {
            // Two values per byte.
            (Dtype::U8, [rows, columns], [found_rows, pairs]) => rows == found_rows && *columns == 2 * pairs,
            _ => found == shape,
        };
        if !fits {
            let (expected, found) = (shape.to_vec(), found.to_vec());
            return Err(CheckpointError::Shape { name: name.to_owned(), expected, found }.into());
        }
        let values = match dtype {
            Dtype::I8 => {
                let values: Vec<i8> = bytes.iter().map(|byte| byte.cast_signed()).collect();
                self.dequantised(name, shape, &values)?
            }
            Dtype::U8 if shape.len() == 2 => self.dequantised(name, shape, &quantise::unpack_nibbles(bytes))?,
            other => floats_of(other, bytes)
                .ok_or_else(|| CheckpointError::Type { name: name.to_owned(), found: format!("{other:?}") })?,
        };
        if values.iter().any(|value| !value.is_finite()) {
            return Err(CheckpointError::NotFinite(name.to_owned()).into());
        }
        Ok(values)
    }
}
