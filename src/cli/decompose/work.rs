//! Work that may be cut off: a folder with one record for each picture that is done, until all are joined into
//! the final file.
//!
//! | file | holds |
//! |---|---|
//! | `work.json` | the [`Heading`]: whose work it is |
//! | `records` | one record of f32 numbers for each picture, in the order in which they were done |
//! | `names` | the pictures' names, a JSON string a line; a record counts once its name is there |

use std::collections::HashMap;
use std::fs::{File, OpenOptions};
use std::io::{BufRead as _, BufReader, BufWriter, Read as _, Seek as _, SeekFrom, Write};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

use super::CliError;
use crate::checkpoint::Manifest;

/// The format of the final file, and of the work on it.
const FORMAT: &str = "headlamp decompose 1";
/// The safetensors crates read no longer header.
const LONGEST_HEADER: usize = 100_000_000;

/// What the records are of.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Heading {
    format: String,
    pack: String,
    /// SHA-256 of the pack's weights.
    weights: String,
    /// Hash of the weights and of how they are read.
    model: String,
    layers: usize,
    heads: usize,
    /// d
    embedding: usize,
}

/// A tensor of the final file, and where it lies in a record, in f32 numbers.
struct Part {
    name: &'static str,
    /// Of one picture.
    shape: Vec<usize>,
    start: usize,
}

impl Heading {
    /// Of the work with a pack.
    pub fn of(manifest: &Manifest) -> Self {
        let model = &manifest.model;
        Self {
            format: FORMAT.to_owned(),
            pack: manifest.name.clone(),
            weights: manifest.weights_hash().to_owned(),
            model: manifest.results_hash(),
            layers: model.vision.layers,
            heads: model.vision.heads,
            embedding: model.embedding,
        }
    }

    fn parts(&self) -> Vec<Part> {
        let Self { layers, heads, embedding, .. } = *self;
        let shapes = [
            ("heads", vec![layers, heads, embedding]),
            ("mlps", vec![layers, embedding]),
            ("embedding", vec![embedding]),
            ("image", vec![embedding]),
        ];
        let mut next = 0;
        let place = |(name, shape): (&'static str, Vec<usize>)| {
            let start = next;
            next += shape.iter().product::<usize>();
            Part { name, shape, start }
        };
        shapes.into_iter().map(place).collect()
    }

    /// Bytes of a record.
    fn record(&self) -> u64 {
        self.parts().iter().map(Part::bytes).sum()
    }
}

impl Part {
    /// Bytes of one picture's share.
    fn bytes(&self) -> u64 {
        4 * self.shape.iter().product::<usize>() as u64
    }
}

/// The work so far.
pub struct Work {
    folder: PathBuf,
    heading: Heading,
    records: File,
    names: File,
    /// Each picture's record, by its name.
    done: HashMap<String, u64>,
}

impl Work {
    /// Takes up the work in `folder`, or begins it.
    ///
    /// # Errors
    /// [`CliError::OtherWork`] where the folder is another model's; [`CliError::Io`].
    pub fn go_on(folder: &Path, heading: &Heading) -> Result<Self, CliError> {
        std::fs::create_dir_all(folder).map_err(CliError::io("make", folder))?;
        claim(folder, heading)?;
        let open = |name: &str| {
            let path = folder.join(name);
            let file = OpenOptions::new().read(true).write(true).create(true).truncate(false).open(&path);
            file.map_err(CliError::io("write", &path))
        };
        let (records, names) = (open("records")?, open("names")?);
        let mut work =
            Self { folder: folder.to_owned(), heading: heading.clone(), records, names, done: HashMap::new() };
        work.drop_halves().map_err(CliError::io("read", folder))?;
        Ok(work)
    }

    /// Counts what is whole, and cuts off what is not: the last record or name of a run that was cut off.
    fn drop_halves(&mut self) -> std::io::Result<()> {
        let record = self.heading.record();
        let whole_records = self.records.metadata()?.len() / record;
        let mut lines = BufReader::new(&self.names);
        let (mut line, mut kept) = (Vec::new(), 0);
        while (self.done.len() as u64) < whole_records {
            line.clear();
            let bytes = lines.read_until(b'\n', &mut line)?;
            // A half line is no JSON string, or lacks its end.
            let name = line.strip_suffix(b"\n").and_then(|line| serde_json::from_slice::<String>(line).ok());
            let Some(name) = name else { break };
            kept += bytes as u64;
            self.done.insert(name, self.done.len() as u64);
        }
        self.names.set_len(kept)?;
        self.names.seek(SeekFrom::Start(kept))?;
        let records = self.done.len() as u64 * record;
        self.records.set_len(records)?;
        self.records.seek(SeekFrom::Start(records))?;
        Ok(())
    }

    /// Whether the picture is done.
    pub fn has(&self, name: &str) -> bool {
        self.done.contains_key(name)
    }

    /// Keeps a picture's record: heads, MLPs, z0, embedding.
    ///
    /// # Errors
    /// [`CliError::Unwritten`] where the system refuses, for want of space perhaps.
    pub fn add(&mut self, name: &str, record: &[f32]) -> Result<(), CliError> {
        let bytes: Vec<u8> = record.iter().flat_map(|value| value.to_le_bytes()).collect();
        let line = format!("{}\n", Value::from(name));
        let written = self.records.write_all(&bytes).and_then(|()| self.names.write_all(line.as_bytes()));
        written.map_err(|reason| CliError::Unwritten { path: self.folder.clone(), reason })?;
        self.done.insert(name.to_owned(), self.done.len() as u64);
        Ok(())
    }

    /// Joins the records of `names` into the final file and clears the work away.
    ///
    /// # Errors
    /// [`CliError::Unwritten`]; the work stays.
    pub fn finish(self, names: &[String], out: &Path) -> Result<(), CliError> {
        let unwritten = |reason| CliError::Unwritten { path: out.to_owned(), reason };
        let whole = self.folder.join("whole");
        self.join(names, &whole).and_then(|()| std::fs::rename(&whole, out)).map_err(unwritten)?;
        std::fs::remove_dir_all(&self.folder).map_err(CliError::io("remove", &self.folder))
    }

    /// One tensor after another, picture by picture: nothing is held but one picture's share.
    fn join(&self, names: &[String], path: &Path) -> std::io::Result<()> {
        let mut file = BufWriter::with_capacity(1 << 20, File::create(path)?);
        file.write_all(&self.header(names)?)?;
        let mut records = &self.records;
        for part in self.heading.parts() {
            let mut share = vec![0; part.bytes() as usize];
            for name in names {
                let record = self.done.get(name).copied().unwrap_or_default();
                records.seek(SeekFrom::Start(record * self.heading.record() + 4 * part.start as u64))?;
                records.read_exact(&mut share)?;
                file.write_all(&share)?;
            }
        }
        file.into_inner()?.sync_all()
    }

    /// The final file's beginning: the header's length in 8 bytes, and the header.
    fn header(&self, names: &[String]) -> std::io::Result<Vec<u8>> {
        let Heading { format, pack, weights, .. } = &self.heading;
        let files = serde_json::to_string(names)?;
        let metadata = json!({"format": format, "pack": pack, "weights": weights, "files": files});
        let mut header = Map::from_iter([("__metadata__".to_owned(), metadata)]);
        let mut start = 0;
        for part in self.heading.parts() {
            let end = start + part.bytes() * names.len() as u64;
            let shape = [&[names.len()], &part.shape[..]].concat();
            let tensor = json!({"dtype": "F32", "shape": shape, "data_offsets": [start, end]});
            header.insert(part.name.to_owned(), tensor);
            start = end;
        }
        let mut json = serde_json::to_vec(&header)?;
        // Tensors begin at a multiple of eight.
        json.resize(json.len().next_multiple_of(8), b' ');
        if json.len() > LONGEST_HEADER {
            let reason = "its list of files would be longer than a safetensors file may have: take fewer pictures";
            return Err(std::io::Error::other(reason));
        }
        let length = json.len() as u64;
        Ok([&length.to_le_bytes()[..], &json].concat())
    }
}

/// Writes the heading into an empty folder, or compares it with the one that is there.
fn claim(folder: &Path, heading: &Heading) -> Result<(), CliError> {
    let path = folder.join("work.json");
    let other = |why: &str| CliError::OtherWork { path: folder.to_owned(), why: why.to_owned() };
    match std::fs::read(&path) {
        Ok(bytes) => match serde_json::from_slice::<Heading>(&bytes) {
            Ok(found) if found == *heading => Ok(()),
            Ok(found) if found.format == heading.format => Err(other(&format!("with {}", found.pack))),
            _ => Err(other("by another version of headlamp")),
        },
        Err(err) if err.kind() == std::io::ErrorKind::NotFound => {
            let is_empty = std::fs::read_dir(folder).map_err(CliError::io("read", folder))?.next().is_none();
            if !is_empty {
                return Err(other("not headlamp's"));
            }
            let json =
                serde_json::to_vec_pretty(heading).map_err(|err| CliError::io("write", &path)(err.into()))?;
            crate::cli::output::write(&path, &json)
        }
        Err(err) => Err(CliError::io("read", &path)(err)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn heading() -> Heading {
        let [format, pack, weights, model] = [FORMAT, "a pack", "00", "01"].map(str::to_owned);
        Heading { format, pack, weights, model, layers: 1, heads: 1, embedding: 2 }
    }

    fn folder(name: &str) -> PathBuf {
        let folder = std::env::temp_dir().join(format!("headlamp-work-{name}-{}", std::process::id()));
        let _none = std::fs::remove_dir_all(&folder);
        folder
    }

    /// Heads, MLPs, z0, embedding: two numbers each.
    fn record(of: f32) -> Vec<f32> {
        (0..8).map(|index| of + index as f32 / 10.0).collect()
    }

    #[test]
    fn a_record_without_its_name_is_done_again_and_so_is_half_a_record() {
        let folder = folder("halves");
        let mut work = Work::go_on(&folder, &heading()).unwrap();
        work.add("a", &record(1.0)).unwrap();
        work.add("b", &record(2.0)).unwrap();
        work.records.write_all(&[1; 40]).unwrap();
        work.names.write_all(b"\"c").unwrap();
        drop(work);
        let mut work = Work::go_on(&folder, &heading()).unwrap();
        assert!(work.has("a") && work.has("b") && !work.has("c"));
        work.add("c", &record(3.0)).unwrap();
        let out = folder.with_extension("safetensors");
        work.finish(&["c", "a"].map(str::to_owned), &out).unwrap();
        let bytes = std::fs::read(&out).unwrap();
        let tensors = safetensors::SafeTensors::deserialize(&bytes).unwrap();
        let floats = |name: &str| {
            let tensor = tensors.tensor(name).unwrap();
            let values =
                tensor.data().as_chunks().0.iter().map(|four| f32::from_le_bytes(*four)).collect::<Vec<_>>();
            (tensor.shape().to_vec(), values)
        };
        assert_eq!(floats("heads"), (vec![2, 1, 1, 2], vec![3.0, 3.1, 1.0, 1.1]));
        assert_eq!(floats("image"), (vec![2, 2], vec![3.6, 3.7, 1.6, 1.7]));
        assert!(!folder.exists());
        std::fs::remove_file(out).unwrap();
    }

    #[test]
    fn another_models_work_is_left_alone() {
        let folder = folder("other");
        drop(Work::go_on(&folder, &heading()).unwrap());
        let others = [
            Heading { weights: "11".to_owned(), ..heading() },
            // The same weights, read with another activation.
            Heading { model: "11".to_owned(), ..heading() },
        ];
        for other in others {
            assert!(matches!(Work::go_on(&folder, &other), Err(CliError::OtherWork { .. })));
        }
        std::fs::remove_dir_all(&folder).unwrap();
    }
}
