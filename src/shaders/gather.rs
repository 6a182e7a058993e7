//! Concatenates tensors for one readback.

use burn::tensor::Tensor;

use super::error::ShaderError;
use super::launch::Buffer;
use super::shader::Shader;
use super::tile_sizes::{GATHER_TENSORS, GATHER_THREADS};

/// Concatenates distinct tensors, so that one readback serves all.
///
/// # Errors
/// When there is no tensor, or a tensor is not on the GPU.
pub fn gather(tensors: Vec<Tensor<1>>) -> Result<Tensor<1>, ShaderError> {
    let lengths: Vec<usize> = tensors.iter().map(|tensor| tensor.dims()[0]).collect();
    let tensors = tensors.into_iter().map(Buffer::of).collect::<Result<Vec<_>, _>>()?;
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
        let read: Vec<&Buffer> = tensors.iter().collect();
        let workgroups = [longest.div_ceil(GATHER_THREADS), tensors.len()];
        Shader::Gather { parts: tensors.len() }.launch(workgroups, &read, &[&concatenated], &starts);
    }
    Ok(concatenated.tensor())
}
