//! A zip archive's directory. It covers the part of zip that PyTorch uses: stored entries, and zip64 for large files.
//!
//! Why headlamp has its own reader: the `zip` crate reads from a source that it can seek. Here the caller brings the
//! bytes, because they may come from a server or from a browser's `File`.

use std::collections::HashMap;
use std::ops::Range;

use crate::checkpoint::byte_fields::{u16_at, u32_at, u64_at};
use crate::checkpoint::index::file_segment::{FileSegment, Framing};

/// The end record lies within this many bytes of the archive's end. The sum counts the record itself, the longest
/// comment, and zip64's locator and record.
pub(super) const END_WITHIN: u64 = 22 + 65_535 + 20 + 56;

/// The largest directory that is read, in bytes.
const LARGEST_DIRECTORY: u64 = 32 << 20;

const END: u32 = 0x0605_4b50;
const ZIP64_LOCATOR: u32 = 0x0706_4b50;
const ZIP64_END: u32 = 0x0606_4b50;
const DIRECTORY_ENTRY: u32 = 0x0201_4b50;

/// Returns the directory's range in the file of `length` bytes. `tail` are the file's last bytes.
///
/// # Errors
/// A reason in words, if the end record is missing or points outside the file.
pub(super) fn directory_range(tail: &[u8], length: u64) -> Result<Range<u64>, String> {
    let cut_off = || "the archive's end is missing: the file was cut off".to_owned();
    let last = tail.len().checked_sub(22).ok_or_else(cut_off)?;
    let end = (0..=last).rev().find(|at| u32_at(tail, *at) == Some(END)).ok_or_else(cut_off)?;
    let locator = end.checked_sub(20).filter(|at| u32_at(tail, *at) == Some(ZIP64_LOCATOR));
    let zip64 = locator.and_then(|at| {
        let tail_start = length - tail.len() as u64;
        let record = usize::try_from(u64_at(tail, at + 8)?.checked_sub(tail_start)?).ok()?;
        (u32_at(tail, record)? == ZIP64_END).then_some(record)
    });
    let (bytes, start) = match zip64 {
        Some(record) => (u64_at(tail, record + 40), u64_at(tail, record + 48)),
        None => (u32_at(tail, end + 12).map(u64::from), u32_at(tail, end + 16).map(u64::from)),
    };
    let (bytes, start) = bytes.zip(start).ok_or_else(cut_off)?;
    match start.checked_add(bytes) {
        Some(end) if end <= length && bytes <= LARGEST_DIRECTORY => Ok(start..end),
        _ => Err("the archive's directory is not at the place that the end record names".into()),
    }
}

/// The archive's entries, by name.
pub struct ZipDirectory {
    entries: HashMap<String, ZipEntry>,
    /// The name of the pickle's entry.
    pub pickle: String,
    /// The folder that every name begins with, with its slash.
    prefix: String,
    /// Whether the archive is TorchScript's.
    pub torch_script: bool,
}

/// One entry of the archive.
pub struct ZipEntry {
    /// The length of the contents.
    pub bytes: u64,
    /// Whether the contents are stored as they are, not compressed.
    stored: bool,
    /// The file's bytes from the entry's local header to the next entry or to the directory.
    range: Range<u64>,
}

impl ZipDirectory {
    /// Reads the directory, which begins at byte `start` of the file.
    ///
    /// # Errors
    /// A reason in words, if the directory is cut short or has no pickle.
    pub fn parse(bytes: &[u8], start: u64) -> Result<Self, String> {
        let mut entries = HashMap::new();
        let mut at = 0;
        while u32_at(bytes, at) == Some(DIRECTORY_ENTRY) {
            let (name, entry, next) = read_entry(bytes, at).ok_or("the archive's directory is cut short")?;
            entries.insert(name, entry);
            at = next;
        }
        let mut starts: Vec<u64> = entries.values().map(|entry| entry.range.start).collect();
        starts.push(start);
        starts.sort_unstable();
        for entry in entries.values_mut() {
            let next = starts.partition_point(|other| *other <= entry.range.start);
            entry.range.end = starts.get(next).copied().unwrap_or(start);
        }
        let pickle = entries.keys().filter(|name| *name == "data.pkl" || name.ends_with("/data.pkl")).min();
        let pickle =
            pickle.cloned().ok_or("it is a zip archive, but not one that PyTorch wrote: it has no data.pkl")?;
        let prefix = pickle.strip_suffix("data.pkl").unwrap_or_default().to_owned();
        let torch_script = entries.contains_key(&format!("{prefix}constants.pkl"));
        Ok(Self { entries, pickle, prefix, torch_script })
    }

    /// Returns an entry.
    ///
    /// # Errors
    /// A reason in words, if the archive has no such entry.
    pub fn entry(&self, name: &str) -> Result<&ZipEntry, String> {
        self.entries.get(name).ok_or_else(|| format!("the archive has no {name}: it is incomplete"))
    }

    /// Returns the name of the entry of the storage `key`.
    pub fn storage(&self, key: &str) -> String {
        format!("{}data/{key}", self.prefix)
    }

    /// Returns the segment of the file that holds an entry.
    ///
    /// # Errors
    /// A reason in words, if the entry is missing, compressed or damaged.
    pub fn segment(&self, name: &str) -> Result<FileSegment, String> {
        let entry = self.entry(name)?;
        let room = entry.range.end.saturating_sub(entry.range.start);
        if !entry.stored || entry.bytes.saturating_add(30) > room {
            return Err(format!("{name} is compressed or damaged; PyTorch never compresses an entry"));
        }
        let framing = Framing::ZipEntry { name: name.to_owned(), bytes: entry.bytes };
        Ok(FileSegment { range: entry.range.clone(), framing })
    }
}

/// Reads the directory's entry at `at`: its name, the entry, and the position of the next entry. The end of the
/// entry's range is not known yet.
fn read_entry(bytes: &[u8], at: usize) -> Option<(String, ZipEntry, usize)> {
    let (method, packed) = (u16_at(bytes, at + 10)?, u32_at(bytes, at + 20)?);
    let (length, start) = (u32_at(bytes, at + 24)?, u32_at(bytes, at + 42)?);
    let lengths = [28, 30, 32].map(|field| u16_at(bytes, at + field).map(usize::from));
    let [Some(name_len), Some(extra_len), Some(comment_len)] = lengths else { return None };
    let name = bytes.get(at + 46..at + 46 + name_len)?;
    let extra = bytes.get(at + 46 + name_len..at + 46 + name_len + extra_len)?;
    let mut large = zip64_fields(extra).into_iter();
    // Zip64 lists only the numbers that did not fit into 32 bits, in this order.
    let mut field = |small: u32| if small == u32::MAX { large.next() } else { Some(u64::from(small)) };
    let (length, packed, start) = (field(length)?, field(packed)?, field(start)?);
    let stored = method == 0 && packed == length;
    let entry = ZipEntry { bytes: length, stored, range: start..start };
    Some((String::from_utf8_lossy(name).into_owned(), entry, at + 46 + name_len + extra_len + comment_len))
}

/// Returns the 64-bit numbers of an entry's zip64 field; none if the entry has no such field.
fn zip64_fields(mut extra: &[u8]) -> Vec<u64> {
    while let (Some(kind), Some(length)) = (u16_at(extra, 0), u16_at(extra, 2)) {
        let Some(field) = extra.get(4..4 + usize::from(length)) else { break };
        if kind == 1 {
            return field.as_chunks().0.iter().map(|chunk| u64::from_le_bytes(*chunk)).collect();
        }
        extra = &extra[4 + usize::from(length)..];
    }
    Vec::new()
}
