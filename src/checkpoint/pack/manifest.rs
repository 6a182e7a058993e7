//! The manifest `pack.json`: the model's config, its origin, and the list of the pack's files.

use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

use super::file_names::{FORMAT, MANIFEST, WEIGHTS};
use super::quantisation::Quantisation;
use super::storage_costs::StorageCost;
use crate::checkpoint::error::CheckpointError;
use crate::model::ModelConfig;

/// The largest file of a pack, in bytes. A manifest that lists a larger file is hostile or belongs to another
/// program.
const LARGEST_FILE: u64 = 8 << 30;

/// The largest manifest that is read, in bytes.
pub const LARGEST_MANIFEST: u64 = 16 << 20;

/// The contents of `pack.json`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Manifest {
    pub format: u32,
    pub name: String,
    /// A text for users: the kind of model, its abilities and its limits.
    pub description: String,
    pub licence: String,
    /// The origin of the weights, one step per line.
    pub provenance: Vec<String>,
    /// The published weights that the pack was made of: a repository or a file's name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub source: Option<String>,
    /// Whether the user gave settings that neither the weights nor their config contain.
    #[serde(default, rename = "told", skip_serializing_if = "std::ops::Not::not")]
    pub settings_given: bool,
    pub quantisation: Quantisation,
    /// The costs of storing the weights in this quantisation and in the others. Packs of other programs may leave
    /// them out.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub storages: Vec<StorageCost>,
    pub model: ModelConfig,
    /// The block after which mask propagation reads the tokens (docs/PAPERS.md, 4). `None`: the last block.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub propagation_layer: Option<usize>,
    pub files: Vec<PackFile>,
}

/// A file of the pack, with its size and hash.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PackFile {
    pub path: String,
    pub bytes: u64,
    /// In lower-case hexadecimal.
    pub sha256: String,
}

impl PackFile {
    /// Returns the description of the file `path` with these bytes.
    pub fn of(path: &str, bytes: &[u8]) -> Self {
        Self { path: path.to_owned(), bytes: bytes.len() as u64, sha256: sha256_hex(bytes) }
    }

    /// Compares `bytes` with the description.
    ///
    /// # Errors
    /// [`CheckpointError::Size`] or [`CheckpointError::Hash`] if they differ.
    pub fn verify(&self, bytes: &[u8]) -> Result<(), CheckpointError> {
        if bytes.len() as u64 != self.bytes {
            return Err(CheckpointError::Size {
                file: self.path.clone(),
                expected: self.bytes,
                found: bytes.len() as u64,
            });
        }
        if sha256_hex(bytes) != self.sha256 {
            return Err(CheckpointError::Hash { file: self.path.clone() });
        }
        Ok(())
    }
}

impl Manifest {
    /// Parses `pack.json`.
    ///
    /// # Errors
    /// [`CheckpointError::Format`] if the pack has another format; [`CheckpointError::Malformed`] if the bytes are
    /// not a manifest, the config is impossible, or a file name leaves the folder.
    pub fn parse(bytes: &[u8]) -> Result<Self, CheckpointError> {
        let malformed =
            |reason: String| CheckpointError::Malformed { file: MANIFEST.into(), kind: "pack", reason };
        #[derive(Deserialize)]
        struct FormatOnly {
            format: u32,
        }
        let FormatOnly { format } = serde_json::from_slice(bytes).map_err(|err| malformed(err.to_string()))?;
        if format != FORMAT {
            return Err(CheckpointError::Format { found: format });
        }
        let manifest: Self = serde_json::from_slice(bytes).map_err(|err| malformed(err.to_string()))?;
        manifest.model.check().map_err(|err| malformed(err.to_string()))?;
        if let Some(layer) = manifest.propagation_layer.filter(|layer| *layer >= manifest.model.vision.layers) {
            return Err(malformed(format!("mask propagation reads layer {layer}, which the model does not have")));
        }
        for file in &manifest.files {
            let plain = !file.path.is_empty()
                && !file.path.starts_with('.')
                && file.path.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-'));
            if !plain || file.bytes > LARGEST_FILE {
                return Err(malformed(format!(
                    "it lists the file {:?}, whose name or size is not allowed",
                    file.path
                )));
            }
        }
        Ok(manifest)
    }

    /// Returns the description of one file; `None` if the pack does not have the file.
    pub fn file(&self, path: &str) -> Option<&PackFile> {
        self.files.iter().find(|file| file.path == path)
    }

    /// Returns the block after which mask propagation reads the tokens.
    pub fn propagation_layer(&self) -> usize {
        self.propagation_layer.unwrap_or(self.model.vision.layers.saturating_sub(1))
    }

    /// Returns the number of bytes of all files.
    pub fn bytes(&self) -> u64 {
        self.files.iter().map(|file| file.bytes).sum()
    }

    /// Returns the number of parameters of the model.
    pub fn parameters(&self) -> u64 {
        // The sum is u64, because a hostile config can overflow a browser's usize, which has 32 bits.
        self.model.tensors().iter().map(|spec| spec.shape.iter().map(|dim| *dim as u64).product::<u64>()).sum()
    }

    /// Returns the hash of the weights. Statistics store it, to find out to which model they belong.
    pub fn weights_hash(&self) -> &str {
        self.file(WEIGHTS).map_or("", |file| &file.sha256)
    }

    /// Returns the hash that identifies the model, for galleries and for the place of a converted model. It is the
    /// hash of the weights. If the user gave settings, it also covers the config, because the same weights are
    /// another model with another number of heads or another activation.
    pub fn model_hash(&self) -> String {
        if !self.settings_given {
            return self.weights_hash().to_owned();
        }
        self.results_hash()
    }

    /// Returns the hash that identifies stored results. It always covers the weights and the config, because a config
    /// beside the weights may have been corrected since.
    pub fn results_hash(&self) -> String {
        // Numbers and names always serialise.
        let model = serde_json::to_string(&self.model).unwrap_or_default();
        sha256_hex(format!("{}\n{model}", self.weights_hash()).as_bytes())
    }
}

/// Returns the SHA-256 of `bytes`, in lower-case hexadecimal.
pub fn sha256_hex(bytes: &[u8]) -> String {
    Sha256::digest(bytes).iter().map(|byte| format!("{byte:02x}")).collect()
}
