//! A zip archive's directory, as far as PyTorch uses zip: stored entries, and zip64 for large files.

use std::collections::HashMap;
use std::ops::Range;

use super::super::index::Segment;
use super::Frame;

/// The end record lies within so many bytes of the archive's end: itself, the longest comment, zip64's locator and
/// record.
pub(super) const END_WITHIN: u64 = 22 + 65_535 + 20 + 56;

/// No directory is larger.
const LARGEST_DIRECTORY: u64 = 32 << 20;

const END: u32 = 0x0605_4b50;
const ZIP64_LOCATOR: u32 = 0x0706_4b50;
const ZIP64_END: u32 = 0x0606_4b50;
const DIRECTORY_ENTRY: u32 = 0x0201_4b50;
const LOCAL_HEADER: u32 = 0x0403_4b50;

/// Little-endian numbers out of bytes; none beyond their end.
fn u16_at(bytes: &[u8], at: usize) -> Option<u16> {
    bytes.get(at..)?.first_chunk().map(|chunk| u16::from_le_bytes(*chunk))
}

fn u32_at(bytes: &[u8], at: usize) -> Option<u32> {
    bytes.get(at..)?.first_chunk().map(|chunk| u32::from_le_bytes(*chunk))
}

fn u64_at(bytes: &[u8], at: usize) -> Option<u64> {
    bytes.get(at..)?.first_chunk().map(|chunk| u64::from_le_bytes(*chunk))
}

/// Where the directory lies, from the archive's last bytes.
pub(super) fn directory_range(tail: &[u8], length: u64) -> Result<Range<u64>, String> {
    let cut_off = || "the archive's end is missing: it was cut off".to_owned();
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
        _ => Err("the archive's directory is not where its end says".into()),
    }
}

/// The archive's entries.
pub struct Directory {
    entries: HashMap<String, Entry>,
    /// The name of the pickle's entry, and what stands before every name.
    pub pickle: String,
    prefix: String,
    pub torch_script: bool,
}

pub struct Entry {
    pub bytes: u64,
    stored: bool,
    /// From the local header on, up to the next entry's or the directory.
    range: Range<u64>,
}

impl Directory {
    /// Reads the directory, which begins at byte `start` of the file.
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
        let pickle = pickle.cloned().ok_or("a zip archive, but none that PyTorch wrote: it has no data.pkl")?;
        let prefix = pickle.strip_suffix("data.pkl").unwrap_or_default().to_owned();
        let torch_script = entries.contains_key(&format!("{prefix}constants.pkl"));
        Ok(Self { entries, pickle, prefix, torch_script })
    }

    pub fn entry(&self, name: &str) -> Result<&Entry, String> {
        self.entries.get(name).ok_or_else(|| format!("the archive has no {name}: it is incomplete"))
    }

    /// The name of a storage's entry.
    pub fn storage(&self, key: &str) -> String {
        format!("{}data/{key}", self.prefix)
    }

    /// The stretch of the file that holds an entry.
    pub fn segment(&self, name: &str) -> Result<Segment, String> {
        let entry = self.entry(name)?;
        let room = entry.range.end.saturating_sub(entry.range.start);
        if !entry.stored || entry.bytes.saturating_add(30) > room {
            return Err(format!("{name} is compressed or damaged, which PyTorch's archives never are"));
        }
        Ok(Segment::new(entry.range.clone(), Frame::ZipEntry { name: name.to_owned(), bytes: entry.bytes }))
    }
}

/// The directory's entry at `at`, and where the next one begins. The end of its range is still open.
fn read_entry(bytes: &[u8], at: usize) -> Option<(String, Entry, usize)> {
    let (method, packed) = (u16_at(bytes, at + 10)?, u32_at(bytes, at + 20)?);
    let (length, start) = (u32_at(bytes, at + 24)?, u32_at(bytes, at + 42)?);
    let lengths = [28, 30, 32].map(|field| u16_at(bytes, at + field).map(usize::from));
    let [Some(name_len), Some(extra_len), Some(comment_len)] = lengths else { return None };
    let name = bytes.get(at + 46..at + 46 + name_len)?;
    let extra = bytes.get(at + 46 + name_len..at + 46 + name_len + extra_len)?;
    let mut large = zip64_fields(extra).into_iter();
    // Zip64 lists only what did not fit, in this order.
    let mut field = |small: u32| if small == u32::MAX { large.next() } else { Some(u64::from(small)) };
    let (length, packed, start) = (field(length)?, field(packed)?, field(start)?);
    let stored = method == 0 && packed == length;
    let entry = Entry { bytes: length, stored, range: start..start };
    Some((String::from_utf8_lossy(name).into_owned(), entry, at + 46 + name_len + extra_len + comment_len))
}

/// The 64-bit numbers of an entry's zip64 field.
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

/// An entry's contents, from the bytes that begin with its local header.
pub(super) fn entry<'a>(bytes: &'a [u8], name: &str, length: u64) -> Result<&'a [u8], String> {
    let damaged = || format!("{name} is not where the archive's directory says");
    let (name_len, extra_len) = u16_at(bytes, 26).zip(u16_at(bytes, 28)).ok_or_else(damaged)?;
    let start = 30 + usize::from(name_len);
    let found = bytes.get(30..start).ok_or_else(damaged)?;
    if u32_at(bytes, 0) != Some(LOCAL_HEADER) || found != name.as_bytes() {
        return Err(damaged());
    }
    let start = start + usize::from(extra_len);
    let length = usize::try_from(length).map_err(|_large| damaged())?;
    start.checked_add(length).and_then(|end| bytes.get(start..end)).ok_or_else(damaged)
}
