//! Makes a pack from a model's tensors and other files.

use std::collections::BTreeMap;

use super::file_names::WEIGHTS;
use super::manifest::{Manifest, PackFile};
use super::pack_files::Pack;
use super::quantisation::Quantisation;
use super::storage_costs::StorageCost;
use super::weights_writer::{StoredWeights, WeightsWriter};
use crate::checkpoint::error::CheckpointError;
use crate::model::{ModelConfig, TensorSource};

/// Collects a pack's files and the costs of storing its weights.
#[derive(Clone)]
pub struct PackWriter {
    files: BTreeMap<String, Vec<u8>>,
    storages: Vec<StorageCost>,
}

impl PackWriter {
    /// Reads every tensor that `model` needs from `source`, and stores it in `quantisation`.
    ///
    /// # Errors
    /// The error names the tensor that is missing or malformed.
    pub fn new(
        model: &ModelConfig,
        source: &mut dyn TensorSource,
        quantisation: Quantisation,
    ) -> Result<Self, CheckpointError> {
        let mut weights = WeightsWriter::new(model, quantisation)?;
        for spec in model.tensors() {
            weights.put(&spec.name, &source.tensor(&spec.name, &spec.shape)?)?;
        }
        Ok(Self::of_weights(weights.finish()?))
    }

    /// Starts with a finished `weights.safetensors`.
    pub fn of_weights(StoredWeights { bytes, storages }: StoredWeights) -> Self {
        Self { files: BTreeMap::from([(WEIGHTS.to_owned(), bytes)]), storages }
    }

    /// Starts with the files of a pack.
    pub fn of_pack(pack: Pack) -> Self {
        let storages = pack.manifest.storages.clone();
        Self { files: pack.into_files(), storages }
    }

    /// Adds a file.
    pub fn add(&mut self, path: &str, bytes: Vec<u8>) {
        self.files.insert(path.to_owned(), bytes);
    }

    /// Returns the pack with this manifest. The manifest's lists of files and of costs are filled in.
    ///
    /// # Errors
    /// [`CheckpointError::MissingFile`] if a file that every pack needs was not added.
    pub fn finish(self, mut manifest: Manifest) -> Result<Pack, CheckpointError> {
        manifest.files = self.files.iter().map(|(path, bytes)| PackFile::of(path, bytes)).collect();
        manifest.storages = self.storages;
        Pack::new(manifest, self.files)
    }
}
