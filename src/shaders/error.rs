//! Why a shader cannot run.

/// A shader that cannot run, or a GPU that did not answer.
#[derive(Debug, thiserror::Error)]
pub enum ShaderError {
    /// The length of a row is no multiple of four.
    #[error("the GPU's shaders need row lengths that are multiples of four, not {0}")]
    NotInFours(usize),
    /// The device is no GPU, or did not answer.
    #[error("{0}")]
    Device(String),
}

/// Checks the length of a row. Shaders read and write vectors of four numbers.
pub fn in_fours(count: usize) -> Result<(), ShaderError> {
    match count.is_multiple_of(4) {
        true => Ok(()),
        false => Err(ShaderError::NotInFours(count)),
    }
}
