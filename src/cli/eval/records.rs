//! The record of each picture, written at once, so that an interrupted run can continue.
//!
//! Each kind of results has a file in `--out`: `EVAL-HASH.jsonl`. Its first line, the heading, lists everything that
//! the results depend on. HASH is the hash of the heading. Another model, other means or other options make another
//! file beside it.

use std::collections::HashMap;
use std::fs::{File, OpenOptions};
use std::io::{Seek as _, SeekFrom, Write as _};
use std::path::{Path, PathBuf};

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::checkpoint::pack::sha256_hex;
use crate::cli::error::CliError;

/// The records of all finished pictures.
pub struct Records<R> {
    /// By the name of the picture.
    done: HashMap<String, R>,
    /// `None` without `--out`.
    file: Option<(PathBuf, File)>,
}

/// A line of the file, after the heading.
#[derive(Serialize, Deserialize)]
struct RecordLine<R> {
    picture: String,
    #[serde(flatten)]
    record: R,
}

impl<R: Serialize + DeserializeOwned> Records<R> {
    /// Reads the records in `out` that have this heading, to continue them. Without `out`, nothing is kept.
    ///
    /// # Errors
    /// [`CliError::Io`] if the file cannot be read or made.
    pub fn resume(out: Option<&Path>, heading: &Value) -> Result<Self, CliError> {
        let Some(out) = out else { return Ok(Self { done: HashMap::new(), file: None }) };
        let eval = heading["eval"].as_str().unwrap_or("eval");
        let heading = heading.to_string();
        let path = out.join(format!("{eval}-{:.12}.jsonl", sha256_hex(heading.as_bytes())));
        let opened = OpenOptions::new().read(true).write(true).create(true).truncate(false).open(&path);
        let mut file = opened.map_err(CliError::io("write", &path))?;
        let bytes = std::fs::read(&path).map_err(CliError::io("read", &path))?;
        let (done, kept) = complete_lines(&bytes, heading.as_bytes());
        file.set_len(kept as u64)
            .and_then(|()| file.seek(SeekFrom::Start(kept as u64)))
            .map_err(CliError::io("write", &path))?;
        if kept == 0 {
            writeln!(file, "{heading}").map_err(CliError::io("write", &path))?;
        }
        Ok(Self { done, file: Some((path, file)) })
    }

    /// Returns the record of a picture.
    pub fn get(&self, picture: &str) -> Option<&R> {
        self.done.get(picture)
    }

    /// Keeps the record of a picture.
    ///
    /// # Errors
    /// [`CliError::Unwritten`], for example if the disk is full.
    pub fn add(&mut self, picture: &str, record: R) -> Result<(), CliError> {
        let line = RecordLine { picture: picture.to_owned(), record };
        if let Some((path, file)) = &mut self.file {
            let written = serde_json::to_string(&line)
                .map_err(std::io::Error::from)
                .and_then(|line| file.write_all(format!("{line}\n").as_bytes()));
            written.map_err(|reason| CliError::Unwritten { path: path.clone(), reason })?;
        }
        self.done.insert(line.picture, line.record);
        Ok(())
    }
}

/// Parses the complete lines of a file. Returns their records, and the number of bytes of these lines; an incomplete
/// last line does not count. With another heading, returns no record and 0.
fn complete_lines<R: DeserializeOwned>(bytes: &[u8], heading: &[u8]) -> (HashMap<String, R>, usize) {
    let mut lines = bytes.split_inclusive(|byte| *byte == b'\n');
    let mut done = HashMap::new();
    let Some(first) = lines.next().filter(|line| line.strip_suffix(b"\n") == Some(heading)) else {
        return (done, 0);
    };
    let mut kept = first.len();
    for line in lines {
        let complete =
            line.strip_suffix(b"\n").and_then(|line| serde_json::from_slice::<RecordLine<R>>(line).ok());
        let Some(RecordLine { picture, record }) = complete else { break };
        done.insert(picture, record);
        kept += line.len();
    }
    (done, kept)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
    struct TopClass {
        top: usize,
    }

    #[test]
    fn incomplete_lines_and_other_headings_are_not_read() {
        let out = std::env::temp_dir().join(format!("headlamp-records-{}", std::process::id()));
        let _none = std::fs::remove_dir_all(&out);
        std::fs::create_dir_all(&out).unwrap();
        let heading = json!({"eval": "test", "weights": "00"});
        let mut records = Records::<TopClass>::resume(Some(&out), &heading).unwrap();
        records.add("a", TopClass { top: 1 }).unwrap();
        records.add("b", TopClass { top: 2 }).unwrap();
        let (path, mut file) = records.file.take().unwrap();
        file.write_all(b"{\"picture\":\"c\",\"to").unwrap();
        drop(file);
        let mut records = Records::<TopClass>::resume(Some(&out), &heading).unwrap();
        assert_eq!(records.get("b"), Some(&TopClass { top: 2 }));
        assert_eq!(records.get("c"), None);
        records.add("c", TopClass { top: 3 }).unwrap();
        drop(records);
        assert_eq!(std::fs::read_to_string(&path).unwrap().lines().count(), 4);
        let records = Records::<TopClass>::resume(Some(&out), &heading).unwrap();
        assert_eq!(records.get("c"), Some(&TopClass { top: 3 }));
        let other = Records::<TopClass>::resume(Some(&out), &json!({"eval": "test", "weights": "11"})).unwrap();
        assert_eq!(other.get("a"), None);
        std::fs::remove_dir_all(&out).unwrap();
    }
}
