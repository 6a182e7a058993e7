//! TextSpan's pool: texts and their embeddings.

use std::collections::HashSet;

use half::f16;
use safetensors::tensor::TensorView;
use safetensors::{Dtype, SafeTensors};

use super::pool_texts::PoolTexts;
use crate::checkpoint::{CheckpointError, Pack, pack};

const EMBEDDINGS: &str = "embeddings";

/// Texts to label heads with.
#[derive(Clone, Debug, PartialEq)]
pub struct Pool {
    pub texts: PoolTexts,
    /// Unit vectors, `[text][embedding]`.
    pub embeddings: Vec<f32>,
}

impl Pool {
    /// Reads the pool of a pack; returns `None` if the pack has none.
    ///
    /// # Errors
    /// If a line of the pool makes no sense, or the two files of the pool do not fit each other.
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
        let texts = PoolTexts::parse(&String::from_utf8_lossy(text)).map_err(|err| err.of_file(pack::POOL))?;
        let tensors = SafeTensors::deserialize(bytes).map_err(|err| malformed(err.to_string()))?;
        let view = tensors.tensor(EMBEDDINGS).map_err(|err| malformed(err.to_string()))?;
        let expected = [texts.len(), size];
        if view.dtype() != Dtype::F16 || view.shape() != expected {
            return Err(malformed(format!("it does not hold f16 embeddings of shape {expected:?}")));
        }
        let embeddings = view.data().as_chunks().0.iter().map(|pair| f16::from_le_bytes(*pair).to_f32()).collect();
        Ok(Self { texts, embeddings })
    }

    /// Rounds the embeddings as [`Self::to_files`] does, so that heads get the same texts when the pool is read again.
    #[must_use]
    pub fn as_stored(mut self) -> Self {
        self.embeddings.iter_mut().for_each(|value| *value = f16::from_f32(*value).to_f32());
        self
    }

    /// Returns the pool of only these texts, in the order of this pool.
    ///
    /// # Errors
    /// The first of `texts` that this pool does not have.
    pub fn only<'a>(&self, texts: &'a [String]) -> Result<Self, &'a str> {
        let known: HashSet<&str> = self.texts.texts.iter().map(String::as_str).collect();
        if let Some(unknown) = texts.iter().find(|text| !known.contains(text.as_str())) {
            return Err(unknown);
        }
        let wanted: HashSet<&str> = texts.iter().map(String::as_str).collect();
        let is_wanted = |index: &usize| wanted.contains(self.texts.texts[*index].as_str());
        let kept: Vec<usize> = (0..self.texts.len()).filter(is_wanted).collect();
        let size = self.embeddings.len() / self.texts.len().max(1);
        let embedding = |index: &usize| &self.embeddings[index * size..(index + 1) * size];
        Ok(Self { texts: self.texts.at(&kept), embeddings: kept.iter().flat_map(embedding).copied().collect() })
    }

    /// Writes the pool's two files for a pack: names and bytes.
    ///
    /// # Errors
    /// If the safetensors crate rejects the tensor.
    pub fn to_files(&self) -> Result<[(&'static str, Vec<u8>); 2], CheckpointError> {
        let size = self.embeddings.len() / self.texts.len().max(1);
        let bytes: Vec<u8> =
            self.embeddings.iter().flat_map(|value| f16::from_f32(*value).to_le_bytes()).collect();
        let stored = TensorView::new(Dtype::F16, vec![self.texts.len(), size], &bytes)
            .and_then(|view| safetensors::serialize([(EMBEDDINGS, view)], None))
            .map_err(|err| CheckpointError::Malformed {
                file: pack::POOL_EMBEDDINGS.into(),
                kind: "safetensors",
                reason: err.to_string(),
            })?;
        Ok([(pack::POOL, self.texts.to_file().into_bytes()), (pack::POOL_EMBEDDINGS, stored)])
    }
}
