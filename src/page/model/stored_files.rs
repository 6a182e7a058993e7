//! The packs in the worker's cache, read from the addresses of the files and from the manifests among them.

use serde::Deserialize;

use crate::protocol::Storage;

const MANIFEST: &str = "pack.json";
const WEIGHTS: &str = "weights.safetensors";
/// The start of the folder's name in which the worker stores statistics and texts (`worker/kept_labels.rs`).
const LABELS: &str = "labels-";

/// A stored file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StoredFile {
    pub url: String,
    /// The text of a manifest; `None` for other files.
    pub text: Option<String>,
    /// The time of the download, as HTTP writes dates: "Wed, 25 Nov 2026 01:39:21 GMT".
    pub date: Option<String>,
}

/// A stored pack.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StoredPack {
    /// The address of its folder, with a slash at the end.
    pub folder: String,
    pub name: String,
    /// The precision of the stored weights; `None`: 32 bits.
    pub stored_as: Option<Storage>,
    /// The SHA-256 of its weights.
    pub weights: String,
    /// The file or hub repository that a converted model came from.
    pub source: Option<String>,
    /// Whether statistics or texts of its heads are stored with it.
    pub has_labels: bool,
    /// The size of the stored files, in bytes.
    pub bytes: u64,
    /// The day of the download: "25 Nov 2026".
    pub day: Option<String>,
    /// Whether all its files are stored, so that it opens without a network.
    pub is_whole: bool,
}

/// The fields of a manifest that the page shows.
#[derive(Deserialize)]
struct Manifest {
    name: String,
    #[serde(default)]
    quantisation: String,
    #[serde(default)]
    source: Option<String>,
    files: Vec<ManifestFile>,
}

#[derive(Deserialize)]
struct ManifestFile {
    path: String,
    bytes: u64,
    #[serde(default)]
    sha256: String,
}

/// Returns whether an address leads to a manifest.
pub fn is_manifest(url: &str) -> bool {
    url.rsplit('/').next() == Some(MANIFEST)
}

/// Returns the packs whose manifests are among the files, in the files' order.
pub fn packs(files: &[StoredFile]) -> Vec<StoredPack> {
    let pack = |file: &StoredFile| {
        let manifest: Manifest = serde_json::from_str(file.text.as_deref()?).ok()?;
        let folder = file.url.strip_suffix(MANIFEST)?.to_owned();
        let is_stored = |listed: &&ManifestFile| {
            files.iter().any(|file| file.url.strip_prefix(&folder) == Some(listed.path.as_str()))
        };
        let bytes = manifest.files.iter().filter(is_stored).map(|listed| listed.bytes).sum();
        let is_whole = manifest.files.iter().all(|listed| is_stored(&listed));
        let weights = manifest.files.iter().find(|listed| listed.path == WEIGHTS);
        let is_label_file =
            |file: &StoredFile| file.url.strip_prefix(&folder).is_some_and(|path| path.starts_with(LABELS));
        Some(StoredPack {
            name: manifest.name,
            stored_as: storage(&manifest.quantisation),
            weights: weights.map(|listed| listed.sha256.clone()).unwrap_or_default(),
            bytes,
            day: file.date.as_deref().and_then(day),
            source: manifest.source,
            has_labels: files.iter().any(is_label_file),
            is_whole,
            folder,
        })
    };
    files.iter().filter_map(pack).collect()
}

fn storage(quantisation: &str) -> Option<Storage> {
    match quantisation {
        "q8" => Some(Storage::Q8),
        "q4" => Some(Storage::Q4),
        "f16" => Some(Storage::F16),
        _ => None,
    }
}

/// Returns the day of an HTTP date.
fn day(date: &str) -> Option<String> {
    let (_weekday, rest) = date.split_once(", ")?;
    let words: Vec<&str> = rest.split(' ').take(3).collect();
    (words.len() == 3).then(|| words.join(" "))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn file(url: &str, text: Option<&str>) -> StoredFile {
        let date = Some("Wed, 25 Nov 2026 01:39:21 GMT".to_owned());
        StoredFile { url: url.to_owned(), text: text.map(str::to_owned), date }
    }

    #[test]
    fn other_dates_have_no_day() {
        assert_eq!(day("Thu, 01 Jan 1970 00:00:00 GMT").as_deref(), Some("01 Jan 1970"));
        assert_eq!(["", "yesterday", "Thu, soon"].map(day), [None, None, None]);
    }

    #[test]
    fn a_pack_is_its_manifest_and_the_files_beside_it() {
        let manifest = r#"{"name": "tiny", "quantisation": "q4", "source": "a/tiny", "files": [
            {"path": "weights.safetensors", "bytes": 1000, "sha256": "5eed"}, {"path": "pool.txt", "bytes": 10}]}"#;
        let files = [
            file("https://a.example/packs/tiny/pack.json", Some(manifest)),
            file("https://a.example/packs/tiny/weights.safetensors", None),
            file("https://a.example/packs/other/pool.txt", None),
            file("https://a.example/packs/broken/pack.json", Some("{")),
        ];
        let cut = StoredPack {
            folder: "https://a.example/packs/tiny/".to_owned(),
            name: "tiny".to_owned(),
            stored_as: Some(Storage::Q4),
            weights: "5eed".to_owned(),
            source: Some("a/tiny".to_owned()),
            has_labels: false,
            bytes: 1000,
            day: Some("25 Nov 2026".to_owned()),
            is_whole: false,
        };
        assert_eq!(packs(&files), std::slice::from_ref(&cut));
        let mut whole = files.to_vec();
        whole.push(file("https://a.example/packs/tiny/pool.txt", None));
        let labels = "https://a.example/packs/tiny/labels-5eed/statistics-of-gallery.safetensors";
        whole.push(file(labels, None));
        assert_eq!(packs(&whole), [StoredPack { bytes: 1010, is_whole: true, has_labels: true, ..cut }]);
    }
}
