//! A pack's files in memory and in a folder.

use std::collections::BTreeMap;

#[cfg(feature = "cli")]
use super::file_names::MANIFEST;
use super::file_names::{TOKENIZER, WEIGHTS};
#[cfg(feature = "cli")]
use super::manifest::LARGEST_MANIFEST;
use super::manifest::Manifest;
use super::pack_weights::PackWeights;
use crate::checkpoint::error::CheckpointError;

/// A verified pack in memory.
#[derive(Clone)]
pub struct Pack {
    pub manifest: Manifest,
    files: BTreeMap<String, Vec<u8>>,
}

impl Pack {
    /// Joins a manifest with its files' bytes, and verifies each file. Files that the manifest does not list are
    /// dropped.
    ///
    /// # Errors
    /// [`CheckpointError::MissingFile`], [`CheckpointError::Size`] or [`CheckpointError::Hash`] names the file that
    /// is missing, cut off or changed.
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

    /// Reads a pack's folder, or its archive.
    ///
    /// # Errors
    /// The error names the file that cannot be read or does not match the manifest.
    #[cfg(feature = "cli")]
    pub fn read(path: &std::path::Path) -> Result<Self, CheckpointError> {
        if path.is_file() { Self::read_archive(path) } else { Self::read_folder(path) }
    }

    #[cfg(feature = "cli")]
    fn read_folder(folder: &std::path::Path) -> Result<Self, CheckpointError> {
        let manifest = Manifest::parse(&read_at_most(folder, MANIFEST, LARGEST_MANIFEST)?)?;
        let files = manifest
            .files
            .iter()
            .map(|file| Ok((file.path.clone(), read_at_most(folder, &file.path, file.bytes)?)))
            .collect::<Result<_, CheckpointError>>()?;
        Self::new(manifest, files)
    }

    /// Returns a file's bytes; `None` if the pack does not have the file.
    pub fn bytes(&self, path: &str) -> Option<&[u8]> {
        self.files.get(path).map(Vec::as_slice)
    }

    /// Returns the files' names and bytes.
    pub(super) fn into_files(self) -> BTreeMap<String, Vec<u8>> {
        self.files
    }

    /// Removes a file from the pack and returns its bytes. This saves memory for weights, which are needed only once.
    pub fn take(&mut self, path: &str) -> Option<Vec<u8>> {
        self.files.remove(path)
    }

    /// Removes the weights from the pack and returns them as a source of tensors.
    ///
    /// # Errors
    /// [`CheckpointError::Malformed`] if the file is not a safetensors file, or its header does not fit its length.
    pub fn weights(&mut self) -> Result<PackWeights, CheckpointError> {
        let bytes = self.take(WEIGHTS).ok_or_else(|| CheckpointError::MissingFile(WEIGHTS.to_owned()))?;
        PackWeights::new(bytes)
    }
}

/// Reads a file of a folder.
///
/// # Errors
/// [`CheckpointError::Size`] if the file has more than `most` bytes; the file is not read then.
/// [`CheckpointError::Io`] if the file cannot be read.
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

impl Pack {
    /// Writes the pack's archive if the name ends in `.tar`, and its folder otherwise.
    ///
    /// # Errors
    /// [`CheckpointError::Io`] names the file that cannot be written.
    #[cfg(feature = "cli")]
    pub fn write(&self, path: &std::path::Path) -> Result<(), CheckpointError> {
        let is_archive = path.extension().is_some_and(|extension| extension == "tar");
        if is_archive { self.write_archive(path) } else { self.write_folder(path) }
    }

    /// Writes the pack's folder. The manifest comes last, so that an incomplete folder is not a pack.
    ///
    /// # Errors
    /// [`CheckpointError::Io`] names the file that cannot be written.
    #[cfg(feature = "cli")]
    fn write_folder(&self, folder: &std::path::Path) -> Result<(), CheckpointError> {
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
