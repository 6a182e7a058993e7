//! Packs in one file: archives that are cut off, changed, or hold what no pack holds. The headers are written here
//! byte by byte (POSIX ustar), so that the reader is compared with the format and not with headlamp's own writer.

use headlamp::checkpoint::pack::{MANIFEST, TOKENIZER, WEIGHTS};
use headlamp::checkpoint::{CheckpointError, Pack, Quantisation};
use test_support::TemporaryFolder;

use super::memory::assert_modest;
use super::tiny::{self, assert_names};

const BLOCK: usize = 512;
const NAME: &str = "tiny.headlamp.tar";

/// A file of an archive, as its header declares it.
#[derive(Clone)]
struct Entry {
    name: String,
    kind: u8,
    size: [u8; 12],
    bytes: Vec<u8>,
}

impl Entry {
    fn new(name: &str, bytes: &[u8]) -> Self {
        Self { name: name.to_owned(), kind: b'0', size: octal(bytes.len() as u64), bytes: bytes.to_vec() }
    }

    /// Returns the header, the bytes and the padding.
    fn written(&self) -> Vec<u8> {
        let mut header = [0_u8; BLOCK];
        header[..self.name.len()].copy_from_slice(self.name.as_bytes());
        header[100..107].copy_from_slice(b"0000644");
        header[124..136].copy_from_slice(&self.size);
        header[148..156].fill(b' ');
        header[156] = self.kind;
        header[257..265].copy_from_slice(b"ustar\x0000");
        let sum: u32 = header.iter().map(|byte| u32::from(*byte)).sum();
        header[148..156].copy_from_slice(format!("{sum:06o}\0 ").as_bytes());
        let mut written = [&header[..], &self.bytes].concat();
        written.resize(written.len().next_multiple_of(BLOCK), 0);
        written
    }
}

fn octal(size: u64) -> [u8; 12] {
    format!("{size:011o}\0").into_bytes().try_into().unwrap()
}

fn archive(entries: &[Entry]) -> Vec<u8> {
    let mut bytes = entries.iter().flat_map(Entry::written).collect::<Vec<u8>>();
    bytes.resize(bytes.len() + 2 * BLOCK, 0);
    bytes
}

/// Returns the files of a correct archive: manifest, tokenizer, weights.
fn honest() -> Vec<Entry> {
    let pack = tiny::pack(Quantisation::Q8);
    let manifest = serde_json::to_vec(&pack.manifest).unwrap();
    let files = pack.manifest.files.iter().map(|file| Entry::new(&file.path, pack.bytes(&file.path).unwrap()));
    std::iter::once(Entry::new(MANIFEST, &manifest)).chain(files).collect()
}

fn read(bytes: &[u8]) -> Result<Pack, CheckpointError> {
    Pack::from_archive(NAME, bytes.len() as u64, bytes)
}

#[test]
fn an_archive_of_the_format_opens() {
    let pack = read(&archive(&honest())).unwrap();
    let expected = tiny::pack(Quantisation::Q8);
    assert_eq!(pack.manifest, expected.manifest);
    for file in [WEIGHTS, TOKENIZER] {
        assert!(pack.bytes(file).is_some() && pack.bytes(file) == expected.bytes(file), "{file}");
    }
    // Other writers fill the last record with zeros.
    let mut long = archive(&honest());
    long.resize(long.len().next_multiple_of(20 * BLOCK), 0);
    assert!(read(&long).is_ok());
}

/// Headlamp's own archive has the same files, and the same pack gives the same bytes.
#[test]
fn a_written_archive_reads_back_unchanged() {
    let place = TemporaryFolder::new("archive-written");
    let pack = tiny::pack(Quantisation::Q4);
    let written = |name: &str| {
        let path = place.path().join(name);
        pack.write(&path).unwrap();
        std::fs::read(path).unwrap()
    };
    let (first, second) = (written("a.headlamp.tar"), written("b.headlamp.tar"));
    assert!(first == second, "two archives of one pack differ");
    assert_eq!(std::fs::read_dir(place.path()).unwrap().count(), 2, "a temporary file is left");
    let again = Pack::read(&place.path().join("a.headlamp.tar")).unwrap();
    assert_eq!(again.manifest, pack.manifest);
    for file in [WEIGHTS, TOKENIZER] {
        assert!(again.bytes(file).is_some() && again.bytes(file) == pack.bytes(file), "{file}");
    }
}

#[test]
fn a_cut_archive_is_refused_at_every_length() {
    let whole = archive(&honest());
    // Only the second empty block at the end may be missing.
    for length in (0..whole.len() - BLOCK).step_by(97).chain([whole.len() - BLOCK - 1, whole.len() - 2 * BLOCK]) {
        assert!(read(&whole[..length]).is_err(), "{length} of {} bytes were accepted", whole.len());
    }
    assert_names(read(&whole[..1000]), NAME, "a cut manifest");
    assert_names(read(&whole[..whole.len() - 2 * BLOCK]), "cut off", "no end");
}

/// A file that became shorter while it was read.
#[test]
fn an_archive_that_shrinks_is_cut_off() {
    let whole = archive(&honest());
    let read = Pack::from_archive(NAME, whole.len() as u64, &whole[..whole.len() / 2]);
    assert_names(read, "cut off", "half of the promised bytes");
}

#[test]
fn a_changed_byte_of_a_file_is_noticed() {
    let whole = archive(&honest());
    let weights = whole.len() - 2 * BLOCK - tiny::weights(Quantisation::Q8).len().next_multiple_of(BLOCK);
    let mut changed = whole.clone();
    changed[weights + 10] ^= 1;
    assert_names(read(&changed), WEIGHTS, "a changed byte of the weights");
    let mut changed = whole;
    changed[weights - BLOCK + 3] ^= 1;
    assert_names(read(&changed), "checksum", "a changed header");
}

/// No file leaves the pack: each name must be in the manifest, whatever path it spells.
#[test]
fn names_that_leave_the_pack_are_refused_by_name() {
    for name in [
        "../weights.safetensors",
        "/etc/passwd",
        "folder/weights.safetensors",
        "./weights.safetensors",
        "weights.safetensors/",
        "C:\\weights.safetensors",
        "notes.txt",
    ] {
        let mut entries = honest();
        entries.insert(1, Entry::new(name, b"hostile"));
        let error = read(&archive(&entries)).map(|_pack| ()).unwrap_err().to_string();
        assert!(error.contains(&format!("{name:?}")), "{name}: {error}");
    }
}

#[test]
fn links_and_folders_are_refused_by_name() {
    // Hard link, symbolic link, devices, folder, queue, and the extended headers of pax and GNU.
    for kind in *b"12345 67xgLK" {
        let mut entries = honest();
        entries[2].kind = kind;
        let error = read(&archive(&entries)).map(|_pack| ()).unwrap_err().to_string();
        assert!(error.contains(WEIGHTS) && error.contains("plain file"), "{}: {error}", char::from(kind));
    }
}

#[test]
fn a_second_file_of_the_same_name_is_refused() {
    for name in [MANIFEST, TOKENIZER] {
        let mut entries = honest();
        let second = entries.iter().find(|entry| entry.name == name).unwrap().clone();
        entries.push(second);
        assert_names(read(&archive(&entries)), &format!("{name} twice"), "a duplicate");
    }
}

#[test]
fn the_manifest_must_come_first() {
    let mut entries = honest();
    entries.swap(0, 1);
    assert_names(read(&archive(&entries)), MANIFEST, "another first file");
    assert_names(read(&[0; 4 * BLOCK]), MANIFEST, "an empty archive");
    assert_names(read(b"not an archive"), NAME, "a text");
}

#[test]
fn a_missing_file_of_an_archive_is_named() {
    for missing in [1, 2] {
        let mut entries = honest();
        let gone = entries.remove(missing);
        assert_names(read(&archive(&entries)), &gone.name, "a file that is not there");
    }
}

/// Sizes that differ from the manifest, that the archive does not have, or that no pack has.
#[test]
fn false_sizes_are_refused_before_any_allocation() {
    let mut base_256 = [0xff_u8; 12];
    base_256[0] = 0x80;
    let not_octal = *b"99999999999\0";
    for size in [octal(0), octal(1), octal((8 << 30) - 1), octal(1 << 32), base_256, not_octal] {
        for (index, name) in [(0, MANIFEST), (1, TOKENIZER), (2, WEIGHTS)] {
            let mut entries = honest();
            entries[index].size = size;
            let error = read(&archive(&entries)).map(|_pack| ()).unwrap_err().to_string();
            assert!(error.contains(name) || error.contains(NAME), "{size:?}: {error}");
        }
    }
    // The manifest and the header agree on a size that the archive does not have.
    let mut entries = honest();
    let huge = (8_u64 << 30) - 1;
    let mut manifest = tiny::pack(Quantisation::Q8).manifest;
    manifest.files.iter_mut().find(|file| file.path == WEIGHTS).unwrap().bytes = huge;
    entries[0] = Entry::new(MANIFEST, &serde_json::to_vec(&manifest).unwrap());
    entries[2].size = octal(huge);
    assert_names(read(&archive(&entries)), "cut off", "8 GiB in a small archive");
    assert_modest();
}
