//! TextSpan's pool: texts and their embeddings.

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
        let malformed = |reason: String| CheckpointError::Malformed {
            file: pack::POOL_EMBEDDINGS.into(),
            kind: "safetensors",
            reason,
        };
        let texts = PoolTexts::parse(&String::from_utf8_lossy(text)).map_err(|err| err.of_file(pack::POOL))?;
        let tensors = SafeTensors::deserialize(bytes).map_err(|err| malformed(err.to_string()))?;
        let view = tensors.tensor(EMBEDDINGS).map_err(|err| malformed(err.to_string()))?;
        let expected = [texts.len(), pack.manifest.model.embedding];
        if view.dtype() != Dtype::F16 || view.shape() != expected {
            return Err(malformed(format!("it does not hold f16 embeddings of shape {expected:?}")));
        }
        let embeddings = view.data().as_chunks().0.iter().map(|pair| f16::from_le_bytes(*pair).to_f32()).collect();
        Ok(Some(Self { texts, embeddings }))
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
