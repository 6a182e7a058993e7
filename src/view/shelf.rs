//! What lies on the shelf of kept packs, from the addresses of its files and the manifests among them.

use serde::Deserialize;

const MANIFEST: &str = "pack.json";

/// A kept file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeptFile {
    pub url: String,
    /// What it says, where it is a manifest.
    pub text: Option<String>,
}

/// A kept pack.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeptPack {
    /// The address of its folder, with the slash.
    pub folder: String,
    pub name: String,
    /// Of the files that are kept.
    pub bytes: u64,
    /// All its files are kept: it opens without a network.
    pub is_whole: bool,
}

/// The part of a manifest that is shown.
#[derive(Deserialize)]
struct Manifest {
    name: String,
    files: Vec<Listed>,
}

#[derive(Deserialize)]
struct Listed {
    path: String,
    bytes: u64,
}

/// Whether an address is a manifest's.
pub fn is_manifest(url: &str) -> bool {
    url.rsplit('/').next() == Some(MANIFEST)
}

/// The packs whose manifests are among the files, in the files' order.
pub fn packs(files: &[KeptFile]) -> Vec<KeptPack> {
    let pack = |file: &KeptFile| {
        let manifest: Manifest = serde_json::from_str(file.text.as_deref()?).ok()?;
        let folder = file.url.strip_suffix(MANIFEST)?.to_owned();
        let is_kept = |listed: &&Listed| {
            files.iter().any(|file| file.url.strip_prefix(&folder) == Some(listed.path.as_str()))
        };
        let bytes = manifest.files.iter().filter(is_kept).map(|listed| listed.bytes).sum();
        let is_whole = manifest.files.iter().all(|listed| is_kept(&listed));
        Some(KeptPack { folder, name: manifest.name, bytes, is_whole })
    };
    files.iter().filter_map(pack).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn file(url: &str, text: Option<&str>) -> KeptFile {
        KeptFile { url: url.to_owned(), text: text.map(str::to_owned) }
    }

    #[test]
    fn a_pack_is_its_manifest_and_the_files_beside_it() {
        let manifest = r#"{"name": "tiny", "files": [
            {"path": "weights.safetensors", "bytes": 1000}, {"path": "pool.txt", "bytes": 10}]}"#;
        let files = [
            file("https://a.example/packs/tiny/pack.json", Some(manifest)),
            file("https://a.example/packs/tiny/weights.safetensors", None),
            file("https://a.example/packs/other/pool.txt", None),
            file("https://a.example/packs/broken/pack.json", Some("{")),
        ];
        let cut = KeptPack {
            folder: "https://a.example/packs/tiny/".to_owned(),
            name: "tiny".to_owned(),
            bytes: 1000,
            is_whole: false,
        };
        assert_eq!(packs(&files), [cut.clone()]);
        let mut whole = files.to_vec();
        whole.push(file("https://a.example/packs/tiny/pool.txt", None));
        assert_eq!(packs(&whole), [KeptPack { bytes: 1010, is_whole: true, ..cut }]);
    }
}
