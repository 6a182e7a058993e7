//! TextSpan's pool: texts and their embeddings.

use half::f16;
use safetensors::tensor::TensorView;
use safetensors::{Dtype, SafeTensors};

use crate::checkpoint::{CheckpointError, Pack, pack};

const EMBEDDINGS: &str = "embeddings";

/// Texts to label heads with.
#[derive(Clone, Debug, PartialEq)]
pub struct Pool {
    pub lines: Vec<String>,
    /// Unit vectors, `[line][embedding]`.
    pub embeddings: Vec<f32>,
}

impl Pool {
    /// Reads the pool of a pack; returns `None` if the pack has none.
    ///
    /// # Errors
    /// If the two files of the pool do not fit each other.
    pub fn of_pack(pack: &Pack) -> Result<Option<Self>, CheckpointError> {
        let (Some(text), Some(bytes)) = (pack.bytes(pack::POOL), pack.bytes(pack::POOL_EMBEDDINGS)) else {
            return Ok(None);
        };
        Self::from_files(text, bytes, pack.manifest.model.embedding).map(Some)
    }

    /// Reads a pool's two files: its texts, and their embeddings of `size` values each.
    ///
    /// # Errors
    /// If the two files do not fit each other.
    pub fn from_files(text: &[u8], bytes: &[u8], size: usize) -> Result<Self, CheckpointError> {
        let malformed = |reason: String| CheckpointError::Malformed {
            file: pack::POOL_EMBEDDINGS.into(),
            kind: "safetensors",
            reason,
        };
        let lines = lines(&String::from_utf8_lossy(text));
        let tensors = SafeTensors::deserialize(bytes).map_err(|err| malformed(err.to_string()))?;
        let view = tensors.tensor(EMBEDDINGS).map_err(|err| malformed(err.to_string()))?;
        let expected = [lines.len(), size];
        if view.dtype() != Dtype::F16 || view.shape() != expected {
            return Err(malformed(format!("it does not hold f16 embeddings of shape {expected:?}")));
        }
        let embeddings = view.data().as_chunks().0.iter().map(|pair| f16::from_le_bytes(*pair).to_f32()).collect();
        Ok(Self { lines, embeddings })
    }

    /// Rounds the embeddings as [`Self::to_files`] does, so that heads get the same texts when the pool is read again.
    #[must_use]
    pub fn as_stored(mut self) -> Self {
        self.embeddings.iter_mut().for_each(|value| *value = f16::from_f32(*value).to_f32());
        self
    }

    /// Writes the pool's two files for a pack: names and bytes.
    ///
    /// # Errors
    /// If the safetensors crate rejects the tensor.
    pub fn to_files(&self) -> Result<[(&'static str, Vec<u8>); 2], CheckpointError> {
        let size = self.embeddings.len() / self.lines.len().max(1);
        let bytes: Vec<u8> =
            self.embeddings.iter().flat_map(|value| f16::from_f32(*value).to_le_bytes()).collect();
        let stored = TensorView::new(Dtype::F16, vec![self.lines.len(), size], &bytes)
            .and_then(|view| safetensors::serialize([(EMBEDDINGS, view)], None))
            .map_err(|err| CheckpointError::Malformed {
                file: pack::POOL_EMBEDDINGS.into(),
                kind: "safetensors",
                reason: err.to_string(),
            })?;
        let mut text = self.lines.join("\n");
        text.push('\n');
        Ok([(pack::POOL, text.into_bytes()), (pack::POOL_EMBEDDINGS, stored)])
    }
}

/// Returns the texts of a pool's file: each non-empty line once, trimmed.
pub fn lines(text: &str) -> Vec<String> {
    let mut seen = std::collections::HashSet::new();
    let trimmed = text.lines().map(str::trim).filter(|line| !line.is_empty());
    trimmed.filter(|line| seen.insert(*line)).map(str::to_owned).collect()
}
