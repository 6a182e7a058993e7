//! Concatenates tensors for one readback.

use super::error::ShaderError;
use super::launch::{GpuTensor, Memory};
use super::shader::Shader;
use super::tile_sizes::{GATHER_TENSORS, GATHER_THREADS};

/// Concatenates distinct tensors, so that one readback serves all.
///
/// # Errors
/// When there is no tensor.
pub fn gather(tensors: &[GpuTensor<1>]) -> Result<GpuTensor<1>, ShaderError> {
    let lengths: Vec<usize> = tensors.iter().map(|tensor| tensor.dims()[0]).collect();
    let first = tensors.first().ok_or_else(|| ShaderError::Device("there is no tensor to concatenate".into()))?;
    let concatenated = first.allocate([lengths.iter().sum()]);
    let mut start = 0;
    for (tensors, lengths) in tensors.chunks(GATHER_TENSORS).zip(lengths.chunks(GATHER_TENSORS)) {
        let mut starts = vec![start];
        for length in lengths {
            start += length;
            starts.push(start);
        }
        let longest = lengths.iter().copied().max().unwrap_or_default();
        let read: Vec<&Memory> = tensors.iter().map(|tensor| &tensor.memory).collect();
        let workgroups = [longest.div_ceil(GATHER_THREADS), tensors.len()];
        Shader::Gather { parts: tensors.len() }.launch(workgroups, &read, &[&concatenated.memory], &starts);
    }
    Ok(concatenated)
}
