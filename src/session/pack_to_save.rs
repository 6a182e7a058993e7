//! The open model as a pack that a person takes along: with the statistics and the pool that are in use.

use std::collections::BTreeMap;

use super::{Session, SessionError};
use crate::checkpoint::pack::{self, ARCHIVE_ENDING};
use crate::checkpoint::{Manifest, PackFile};

/// A pack whose statistics and pool are those in use. Files that did not change stay where the pack is stored.
#[derive(Debug)]
pub struct PackToSave {
    /// The manifest, with the sizes and hashes of all files.
    pub manifest: Manifest,
    /// The files that replace files of the open pack, or that the open pack does not have.
    new_files: BTreeMap<String, Vec<u8>>,
}

impl Session {
    /// Returns the open model with the statistics and the pool that are in use.
    ///
    /// # Errors
    /// If the safetensors crate rejects a tensor.
    pub fn pack_to_save(&self) -> Result<PackToSave, SessionError> {
        let mut new_files = BTreeMap::new();
        if let Some(pool) = &self.own_pool {
            new_files.extend(pool.to_files()?.map(|(name, bytes)| (name.to_owned(), bytes)));
        }
        if let Some(statistics) = &self.own_statistics {
            new_files.insert(pack::STATISTICS.to_owned(), statistics.to_bytes()?);
        }
        let mut manifest = self.manifest.clone();
        manifest.files.retain(|file| !new_files.contains_key(&file.path));
        manifest.files.extend(new_files.iter().map(|(path, bytes)| PackFile::of(path, bytes)));
        manifest.files.sort_by(|a, b| a.path.cmp(&b.path));
        Ok(PackToSave { manifest, new_files })
    }
}

impl PackToSave {
    /// Returns the bytes of a new file; `None` if the file of the open pack stays.
    pub fn new_file(&self, path: &str) -> Option<&[u8]> {
        self.new_files.get(path).map(Vec::as_slice)
    }

    /// Returns the name of the archive, which every system accepts: "openai-clip.headlamp.tar".
    pub fn archive_name(&self) -> String {
        format!("{}{ARCHIVE_ENDING}", plain_name(&self.manifest.name))
    }
}

/// Returns the letters, digits, dots and underscores of a name, with one hyphen in place of other characters.
fn plain_name(name: &str) -> String {
    let is_plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '_');
    let words = name.split(|c| !is_plain(c)).map(|word| word.trim_matches('.')).filter(|word| !word.is_empty());
    let name = words.collect::<Vec<_>>().join("-");
    if name.is_empty() { "model".to_owned() } else { name }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_archives_name_has_only_plain_characters() {
        let names = [
            ("openai/clip-vit-base-patch16", "openai-clip-vit-base-patch16"),
            ("headlamp random (for tests only)", "headlamp-random-for-tests-only"),
            ("../../etc/passwd", "etc-passwd"),
            ("ViT-B/32 · q8", "ViT-B-32-q8"),
            ("模型", "model"),
            ("...", "model"),
        ];
        for (name, expected) in names {
            assert_eq!(plain_name(name), expected);
        }
    }
}
