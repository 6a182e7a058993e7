//! What was found of each picture, kept as it comes, so that a run that is cut off is gone on with.
//!
//! A file of `--out` for each kind of results: `EVAL-HASH.jsonl`, the hash being that of all that they depend on
//! (its first line). With another model, other means or other options there is another file beside it.

use std::collections::HashMap;
use std::fs::{File, OpenOptions};
use std::io::{Seek as _, SeekFrom, Write as _};
use std::path::{Path, PathBuf};

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::checkpoint::pack::sha256_hex;
use crate::cli::CliError;

/// Records by picture.
pub struct Records<R> {
    done: HashMap<String, R>,
    /// None where nothing is to be kept.
    file: Option<(PathBuf, File)>,
}

/// A line of the file.
#[derive(Serialize, Deserialize)]
struct Line<R> {
    picture: String,
    #[serde(flatten)]
    record: R,
}

impl<R: Serialize + DeserializeOwned> Records<R> {
    /// Goes on with the records in `out` that `heading` belongs to; without `out` nothing is kept.
    ///
    /// # Errors
    /// [`CliError::Io`] where the file cannot be read or made.
    pub fn go_on(out: Option<&Path>, heading: &Value) -> Result<Self, CliError> {
        let Some(out) = out else { return Ok(Self { done: HashMap::new(), file: None }) };
        let eval = heading["eval"].as_str().unwrap_or("eval");
        let heading = heading.to_string();
        let path = out.join(format!("{eval}-{:.12}.jsonl", sha256_hex(heading.as_bytes())));
        let opened = OpenOptions::new().read(true).write(true).create(true).truncate(false).open(&path);
        let mut file = opened.map_err(CliError::io("write", &path))?;
        let bytes = std::fs::read(&path).map_err(CliError::io("read", &path))?;
        let (done, kept) = whole_lines(&bytes, heading.as_bytes());
        file.set_len(kept as u64)
            .and_then(|()| file.seek(SeekFrom::Start(kept as u64)))
            .map_err(CliError::io("write", &path))?;
        if kept == 0 {
            writeln!(file, "{heading}").map_err(CliError::io("write", &path))?;
        }
        Ok(Self { done, file: Some((path, file)) })
    }

    /// A picture's record, if there is one.
    pub fn get(&self, picture: &str) -> Option<&R> {
        self.done.get(picture)
    }

    /// Keeps a picture's record.
    ///
    /// # Errors
    /// [`CliError::Unwritten`], for want of space perhaps.
    pub fn add(&mut self, picture: &str, record: R) -> Result<(), CliError> {
        let line = Line { picture: picture.to_owned(), record };
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

/// The records of a file's whole lines, and how many bytes these take up: what a run that was cut off has
/// begun to write does not count. Nothing where the heading is another.
fn whole_lines<R: DeserializeOwned>(bytes: &[u8], heading: &[u8]) -> (HashMap<String, R>, usize) {
    let mut lines = bytes.split_inclusive(|byte| *byte == b'\n');
    let mut done = HashMap::new();
    let Some(first) = lines.next().filter(|line| line.strip_suffix(b"\n") == Some(heading)) else {
        return (done, 0);
    };
    let mut kept = first.len();
    for line in lines {
        let whole = line.strip_suffix(b"\n").and_then(|line| serde_json::from_slice::<Line<R>>(line).ok());
        let Some(Line { picture, record }) = whole else { break };
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
    struct Found {
        top: usize,
    }

    #[test]
    fn a_half_line_is_done_again_and_another_heading_is_another_file() {
        let out = std::env::temp_dir().join(format!("headlamp-records-{}", std::process::id()));
        let _none = std::fs::remove_dir_all(&out);
        std::fs::create_dir_all(&out).unwrap();
        let heading = json!({"eval": "test", "weights": "00"});
        let mut records = Records::<Found>::go_on(Some(&out), &heading).unwrap();
        records.add("a", Found { top: 1 }).unwrap();
        records.add("b", Found { top: 2 }).unwrap();
        let (path, mut file) = records.file.take().unwrap();
        file.write_all(b"{\"picture\":\"c\",\"to").unwrap();
        drop(file);
        let mut records = Records::<Found>::go_on(Some(&out), &heading).unwrap();
        assert_eq!(records.get("b"), Some(&Found { top: 2 }));
        assert_eq!(records.get("c"), None);
        records.add("c", Found { top: 3 }).unwrap();
        drop(records);
        assert_eq!(std::fs::read_to_string(&path).unwrap().lines().count(), 4);
        let records = Records::<Found>::go_on(Some(&out), &heading).unwrap();
        assert_eq!(records.get("c"), Some(&Found { top: 3 }));
        let other = Records::<Found>::go_on(Some(&out), &json!({"eval": "test", "weights": "11"})).unwrap();
        assert_eq!(other.get("a"), None);
        std::fs::remove_dir_all(&out).unwrap();
    }
}
