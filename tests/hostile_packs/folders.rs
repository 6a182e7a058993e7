//! Folders of packs: files that are missing, truncated, changed, or far larger than the manifest declares.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::path::{Path, PathBuf};

use headlamp::checkpoint::pack::{MANIFEST, TOKENIZER, WEIGHTS};
use headlamp::checkpoint::{CheckpointError, Pack, Quantisation};

use super::memory::assert_modest;
use super::tiny::{self, assert_names};

/// A folder for one test, removed at its end.
pub struct Folder(PathBuf);

impl Folder {
    /// Writes the folder of a correct pack.
    pub fn of(pack: &Pack, test: &str) -> Self {
        let folder = std::env::temp_dir().join(format!("headlamp-{test}-{}", std::process::id()));
        pack.write(&folder).unwrap();
        Self(folder)
    }

    pub fn path(&self) -> &Path {
        &self.0
    }

    fn file(&self, name: &str) -> PathBuf {
        self.0.join(name)
    }

    fn read(&self) -> Result<Pack, CheckpointError> {
        Pack::read(&self.0)
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _gone = fs::remove_dir_all(&self.0);
    }
}

fn honest(test: &str) -> Folder {
    Folder::of(&tiny::pack(Quantisation::Q8), test)
}

#[test]
fn a_missing_file_is_named() {
    for name in [MANIFEST, WEIGHTS, TOKENIZER] {
        let folder = honest("missing");
        fs::remove_file(folder.file(name)).unwrap();
        assert_names(folder.read(), name, "missing");
        fs::create_dir(folder.file(name)).unwrap();
        assert_names(folder.read(), name, "a folder in its place");
    }
    let nowhere = std::env::temp_dir().join("headlamp-nowhere");
    assert_names(Pack::read(&nowhere), "headlamp-nowhere", "no folder at all");
}

#[test]
fn a_file_of_another_length_is_named() {
    for name in [WEIGHTS, TOKENIZER] {
        let folder = honest("cut");
        let bytes = fs::read(folder.file(name)).unwrap();
        for changed in [&bytes[..0], &bytes[..bytes.len() - 1], &[&bytes[..], b" "].concat()] {
            fs::write(folder.file(name), changed).unwrap();
            let error = folder.read().map(|_pack| ()).unwrap_err();
            assert!(matches!(&error, CheckpointError::Size { file, .. } if file == name), "{error}");
        }
    }
}

/// A change of any bit counts.
#[test]
fn a_changed_file_is_named() {
    for name in [WEIGHTS, TOKENIZER] {
        let folder = honest("changed");
        let bytes = fs::read(folder.file(name)).unwrap();
        for index in (0..bytes.len()).step_by(bytes.len().div_ceil(50)) {
            let mut changed = bytes.clone();
            changed[index] ^= 1 << (index % 8);
            fs::write(folder.file(name), changed).unwrap();
            let error = folder.read().map(|_pack| ()).unwrap_err();
            assert!(matches!(&error, CheckpointError::Hash { file } if file == name), "{error}");
        }
    }
}

/// A file of a terabyte, where the manifest declares a few kilobytes, is refused without reading it.
#[test]
fn a_huge_file_is_refused_before_reading() {
    for name in [MANIFEST, WEIGHTS, TOKENIZER] {
        let folder = honest("huge");
        File::options().write(true).open(folder.file(name)).unwrap().set_len(1 << 40).unwrap();
        assert_names(folder.read(), name, "a terabyte");
        assert_modest();
    }
}

/// A manifest that lists a file outside its folder does not get the file, although the file exists.
#[test]
fn a_file_outside_the_folder_is_not_read() {
    let folder = honest("beside");
    let inner = Folder::of(&tiny::pack(Quantisation::Q8), "beside-inner");
    let outside = format!("../{}/{WEIGHTS}", inner.path().file_name().unwrap().to_str().unwrap());
    assert!(folder.file(&outside).is_file());
    let manifest = fs::read_to_string(folder.file(MANIFEST)).unwrap();
    fs::write(folder.file(MANIFEST), manifest.replace(&format!("\"{WEIGHTS}\""), &format!("{outside:?}")))
        .unwrap();
    assert_names(folder.read(), &outside, "a path to another folder");
}

#[test]
fn a_pack_without_weights_or_tokenizer_is_refused() {
    for name in [WEIGHTS, TOKENIZER] {
        let (manifest, mut files) = parts();
        files.remove(name);
        assert_names(Pack::new(manifest.clone(), files.clone()), name, "a file that did not come");
        let mut unlisted = manifest;
        unlisted.files.retain(|file| file.path != name);
        assert_names(Pack::new(unlisted, files), name, "a file that is not listed");
    }
}

/// A file that is not in the manifest is not in the pack.
#[test]
fn an_unlisted_file_is_not_in_the_pack() {
    let (manifest, mut files) = parts();
    files.insert("pool.txt".into(), b"unverified".to_vec());
    let pack = Pack::new(manifest, files).unwrap();
    assert_eq!(pack.bytes("pool.txt"), None);
    assert_eq!(pack.bytes(TOKENIZER), Some(&b"{}"[..]));
}

/// Returns the manifest and the files of a correct pack.
fn parts() -> (headlamp::checkpoint::Manifest, BTreeMap<String, Vec<u8>>) {
    let pack = tiny::pack(Quantisation::Q8);
    let files = [WEIGHTS, TOKENIZER].map(|name| (name.to_owned(), pack.bytes(name).unwrap().to_vec()));
    (pack.manifest, files.into())
}
