//! The pack: a folder with a model and everything that is used with it.
//!
//! | file | holds |
//! |---|---|
//! | `pack.json` | the [`Manifest`]: config, licence, provenance, and the other files' sizes and SHA-256 |
//! | `weights.safetensors` | the tensors under the project's names; a q8 matrix `x` is I8 with F16 `x.scale`, a q4 one U8, two values a byte |
//! | `tokenizer.json` | the text tower's vocabulary, as the `tokenizers` crate reads it; not without a text tower |
//! | `pool.txt`, `pool.safetensors` | TextSpan's texts, one a line, and their embeddings `[lines, embedding]` |
//! | `statistics.safetensors` | every head's statistics over a gallery |

use std::collections::BTreeMap;

use half::f16;
use safetensors::tensor::Metadata;
use safetensors::{Dtype, SafeTensors};
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

use super::quantise::{self, Quantisation};
use super::{CheckpointError, StorageCost, StoredWeights, WeightsWriter, state_dict::floats_of};
use crate::model::{ModelConfig, TensorError, TensorSource};

/// The format that this program writes and reads.
pub const FORMAT: u32 = 1;
/// The manifest's file name.
pub const MANIFEST: &str = "pack.json";
pub const WEIGHTS: &str = "weights.safetensors";
pub const TOKENIZER: &str = "tokenizer.json";
pub const POOL: &str = "pool.txt";
pub const POOL_EMBEDDINGS: &str = "pool.safetensors";
pub const STATISTICS: &str = "statistics.safetensors";

/// No pack is larger than this; a manifest that says so is hostile or of another program.
const LARGEST_FILE: u64 = 8 << 30;
/// No manifest is larger than this.
#[cfg(feature = "cli")]
const LARGEST_MANIFEST: u64 = 16 << 20;

/// What `pack.json` says.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Manifest {
    pub format: u32,
    pub name: String,
    /// What the model is, and what it can and cannot do, for the person who meets it.
    pub description: String,
    pub licence: String,
    /// Where the weights come from, one step a line.
    pub provenance: Vec<String>,
    /// The published weights that it was made of: a repository, or a file's name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub source: Option<String>,
    /// Whether a person told of the model what neither its weights nor their config say.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub told: bool,
    pub quantisation: Quantisation,
    /// What this and the other ways of storing the weights cost; packs made by others may not say.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub storages: Vec<StorageCost>,
    pub model: ModelConfig,
    pub files: Vec<PackFile>,
}

/// A file of the pack, and how to know it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PackFile {
    pub path: String,
    pub bytes: u64,
    pub sha256: String,
}

impl PackFile {
    /// Describes `bytes` as the file `path`.
    pub fn of(path: &str, bytes: &[u8]) -> Self {
        Self { path: path.to_owned(), bytes: bytes.len() as u64, sha256: sha256_hex(bytes) }
    }

    /// Holds `bytes` against the description.
    ///
    /// # Errors
    /// [`CheckpointError::Size`] or [`CheckpointError::Hash`].
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
    /// Reads `pack.json`.
    ///
    /// # Errors
    /// Where it is no manifest of this format, its config is impossible, or a file name leaves the folder.
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
        for file in &manifest.files {
            let plain = !file.path.is_empty()
                && !file.path.starts_with('.')
                && file.path.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-'));
            if !plain || file.bytes > LARGEST_FILE {
                return Err(malformed(format!("it lists an impossible file, {:?}", file.path)));
            }
        }
        Ok(manifest)
    }

    /// The description of one file, where the pack has it.
    pub fn file(&self, path: &str) -> Option<&PackFile> {
        self.files.iter().find(|file| file.path == path)
    }

    /// Bytes of all files.
    pub fn bytes(&self) -> u64 {
        self.files.iter().map(|file| file.bytes).sum()
    }

    /// Parameters of the model.
    pub fn parameters(&self) -> u64 {
        // In u64: a browser's usize has 32 bits, which a hostile config passes.
        self.model.tensors().iter().map(|spec| spec.shape.iter().map(|dim| *dim as u64).product::<u64>()).sum()
    }

    /// What statistics are tied to: the weights' hash.
    pub fn weights_hash(&self) -> &str {
        self.file(WEIGHTS).map_or("", |file| &file.sha256)
    }

    /// What galleries and the place of a converted model are tied to: the weights' hash, and with it how they
    /// are read where a person told of that, as the same weights are another model with other heads or another
    /// activation.
    pub fn model_hash(&self) -> String {
        if !self.told {
            return self.weights_hash().to_owned();
        }
        self.results_hash()
    }

    /// What kept results are tied to: a hash of the weights and of how they are read, whoever told of that. A config
    /// beside the weights may have been put right since.
    pub fn results_hash(&self) -> String {
        // Numbers and names always serialise.
        let model = serde_json::to_string(&self.model).unwrap_or_default();
        sha256_hex(format!("{}\n{model}", self.weights_hash()).as_bytes())
    }
}

/// A verified pack in memory.
#[derive(Clone)]
pub struct Pack {
    pub manifest: Manifest,
    files: BTreeMap<String, Vec<u8>>,
}

impl Pack {
    /// Joins a manifest with its files' bytes and verifies each. Files that it does not list are dropped.
    ///
    /// # Errors
    /// Names the file that is missing, cut off or changed.
    pub fn new(manifest: Manifest, mut files: BTreeMap<String, Vec<u8>>) -> Result<Self, CheckpointError> {
        files.retain(|path, _unlisted| manifest.file(path).is_some());
        for file in &manifest.files {
            let bytes = files.get(&file.path).ok_or_else(|| CheckpointError::MissingFile(file.path.clone()))?;
            file.verify(bytes)?;
        }
        let tokenizer = manifest.model.text.as_ref().map(|_text| TOKENIZER);
        for needed in std::iter::once(WEIGHTS).chain(tokenizer) {
            if manifest.file(needed).is_none() {
                return Err(CheckpointError::MissingFile(needed.to_owned()));
            }
        }
        Ok(Self { manifest, files })
    }

    /// Reads a pack's folder.
    ///
    /// # Errors
    /// Names the file that cannot be read or is not what the manifest promises.
    #[cfg(feature = "cli")]
    pub fn read(folder: &std::path::Path) -> Result<Self, CheckpointError> {
        let manifest = Manifest::parse(&read_at_most(folder, MANIFEST, LARGEST_MANIFEST)?)?;
        let files = manifest
            .files
            .iter()
            .map(|file| Ok((file.path.clone(), read_at_most(folder, &file.path, file.bytes)?)))
            .collect::<Result<_, CheckpointError>>()?;
        Self::new(manifest, files)
    }

    /// A file's bytes, where the pack has it.
    pub fn bytes(&self, path: &str) -> Option<&[u8]> {
        self.files.get(path).map(Vec::as_slice)
    }

    /// A file's bytes, handed over: weights are not needed twice.
    pub fn take(&mut self, path: &str) -> Option<Vec<u8>> {
        self.files.remove(path)
    }

    /// The weights as a source of tensors; their bytes leave the pack.
    ///
    /// # Errors
    /// Where the file is no safetensors file, or its header does not fit its length.
    pub fn weights(&mut self) -> Result<PackWeights, CheckpointError> {
        let bytes = self.take(WEIGHTS).ok_or_else(|| CheckpointError::MissingFile(WEIGHTS.to_owned()))?;
        PackWeights::new(bytes)
    }
}

/// A file of a folder. One of more than `most` bytes is refused unread.
#[cfg(feature = "cli")]
fn read_at_most(folder: &std::path::Path, name: &str, most: u64) -> Result<Vec<u8>, CheckpointError> {
    let path = folder.join(name);
    let io = |err: std::io::Error| CheckpointError::Io {
        doing: "read",
        path: path.display().to_string(),
        reason: err.to_string(),
    };
    let found = std::fs::metadata(&path).map_err(io)?.len();
    if found > most {
        return Err(CheckpointError::Size { file: name.to_owned(), expected: most, found });
    }
    std::fs::read(&path).map_err(io)
}

/// The tensors of `weights.safetensors`, made f32 one at a time as the model asks for them.
pub struct PackWeights {
    bytes: Vec<u8>,
    header: Metadata,
    /// Where the tensors' bytes begin.
    data: usize,
}

impl PackWeights {
    /// Reads a pack's `weights.safetensors`.
    ///
    /// # Errors
    /// Where it is no safetensors file, or its header does not fit its length.
    pub fn new(bytes: Vec<u8>) -> Result<Self, CheckpointError> {
        let malformed =
            |reason: String| CheckpointError::Malformed { file: WEIGHTS.into(), kind: "safetensors", reason };
        // Deserialising also holds every offset against the file's length.
        SafeTensors::deserialize(&bytes).map_err(|err| malformed(err.to_string()))?;
        let (header_len, header) = SafeTensors::read_metadata(&bytes).map_err(|err| malformed(err.to_string()))?;
        Ok(Self { bytes, header, data: header_len + 8 })
    }

    fn raw(&self, name: &str) -> Result<(Dtype, &[usize], &[u8]), CheckpointError> {
        let info = self.header.info(name).ok_or_else(|| CheckpointError::Missing(name.to_owned()))?;
        let (start, end) = info.data_offsets;
        let bytes = self
            .bytes
            .get(self.data + start..self.data + end)
            .ok_or_else(|| CheckpointError::Missing(name.to_owned()))?;
        Ok((info.dtype, &info.shape, bytes))
    }

    /// The floats of a quantised matrix of `shape`.
    fn dequantised(&self, name: &str, shape: &[usize], values: &[i8]) -> Result<Vec<f32>, CheckpointError> {
        let scale_name = format!("{name}.scale");
        let (dtype, scale_shape, scale_bytes) = self.raw(&scale_name)?;
        if dtype != Dtype::F16 {
            return Err(CheckpointError::Type { name: scale_name, found: format!("{dtype:?}") });
        }
        let [rows, columns] = *shape else {
            return Err(CheckpointError::Type {
                name: name.to_owned(),
                found: "integers that are no matrix".into(),
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
            // Two values a byte.
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

/// Gathers a pack's files and their description.
#[derive(Clone)]
pub struct PackWriter {
    files: BTreeMap<String, Vec<u8>>,
    storages: Vec<StorageCost>,
}

impl PackWriter {
    /// Quantises every tensor that `model` needs out of `source`.
    ///
    /// # Errors
    /// Where a tensor is missing or malformed.
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

    /// Begins with a finished `weights.safetensors`.
    pub fn of_weights(StoredWeights { bytes, storages }: StoredWeights) -> Self {
        Self { files: BTreeMap::from([(WEIGHTS.to_owned(), bytes)]), storages }
    }

    /// Adds a file.
    pub fn add(&mut self, path: &str, bytes: Vec<u8>) {
        self.files.insert(path.to_owned(), bytes);
    }

    /// The pack, described by `manifest`, whose lists of files and of costs are filled in.
    ///
    /// # Errors
    /// Where a file that every pack needs was not added.
    pub fn finish(self, mut manifest: Manifest) -> Result<Pack, CheckpointError> {
        manifest.files = self.files.iter().map(|(path, bytes)| PackFile::of(path, bytes)).collect();
        manifest.storages = self.storages;
        Pack::new(manifest, self.files)
    }
}

impl Pack {
    /// Writes the pack's folder. The manifest comes last, so that a folder cut short is no pack.
    ///
    /// # Errors
    /// Names the file that cannot be written.
    #[cfg(feature = "cli")]
    pub fn write(&self, folder: &std::path::Path) -> Result<(), CheckpointError> {
        let io = |path: &std::path::Path, err: std::io::Error| CheckpointError::Io {
            doing: "write",
            path: path.display().to_string(),
            reason: err.to_string(),
        };
        std::fs::create_dir_all(folder).map_err(|err| io(folder, err))?;
        for (name, bytes) in &self.files {
            let path = folder.join(name);
            std::fs::write(&path, bytes).map_err(|err| io(&path, err))?;
        }
        let path = folder.join(MANIFEST);
        let manifest = serde_json::to_vec_pretty(&self.manifest).map_err(|err| io(&path, err.into()))?;
        std::fs::write(&path, manifest).map_err(|err| io(&path, err))
    }
}

/// The SHA-256 of `bytes`, in lower-case hexadecimal.
pub fn sha256_hex(bytes: &[u8]) -> String {
    Sha256::digest(bytes).iter().map(|byte| format!("{byte:02x}")).collect()
}
