//! Why a shader cannot run.

use cubecl::server::ServerError;

/// A shader that cannot run, or a GPU that did not answer.
#[derive(Debug, thiserror::Error)]
pub enum ShaderError {
    /// The length of a row is no multiple of four.
    #[error("the GPU's shaders need row lengths that are multiples of four, not {0}")]
    NotInFours(usize),
    /// There is no GPU, or the GPU did not answer.
    #[error("{0}")]
    Device(String),
}

impl From<ServerError> for ShaderError {
    fn from(error: ServerError) -> Self {
        Self::Device(error.to_string())
    }
}

/// Checks the length of a row. Shaders read and write vectors of four numbers.
pub fn in_fours(count: usize) -> Result<(), ShaderError> {
    match count.is_multiple_of(4) {
        true => Ok(()),
        false => Err(ShaderError::NotInFours(count)),
    }
}
