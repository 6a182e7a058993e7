//! The unfinished output of an interruptible run: a folder with one record for each finished picture, until all
//! records are joined into the final file.
//!
//! | file | contents |
//! |---|---|
//! | `work.json` | the [`OutputHeading`]: which model the records come from |
//! | `records` | one record of f32 numbers for each picture, in the order in which the pictures were finished |
//! | `names` | the names of the pictures, one JSON string per line; a record counts once its name is written |

use std::collections::HashMap;
use std::fs::{File, OpenOptions};
use std::io::{BufRead as _, BufReader, BufWriter, Read as _, Seek as _, SeekFrom, Write};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

use crate::checkpoint::Manifest;
use crate::cli::error::CliError;
use crate::cli::output;

/// The format of the final file and of the unfinished output.
const FORMAT: &str = "headlamp decompose 1";
/// The longest header, in bytes, that safetensors libraries read.
const MAX_HEADER: usize = 100_000_000;

/// The model that the records come from.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct OutputHeading {
    format: String,
    pack: String,
    /// SHA-256 of the pack's weights.
    weights: String,
    /// Hash of the weights and of the settings that change results.
    model: String,
    layers: usize,
    heads: usize,
    /// Width d of the embedding.
    embedding: usize,
}

/// A tensor of the final file.
struct OutputTensor {
    name: &'static str,
    /// Shape for one picture.
    shape: Vec<usize>,
    /// Where the tensor begins in a record, in f32 numbers.
    start: usize,
}

impl OutputHeading {
    /// Returns the heading for the model of a pack.
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

    fn tensors(&self) -> Vec<OutputTensor> {
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
            OutputTensor { name, shape, start }
        };
        shapes.into_iter().map(place).collect()
    }

    /// Returns the size of a record in bytes.
    fn record_bytes(&self) -> u64 {
        self.tensors().iter().map(OutputTensor::bytes).sum()
    }
}

impl OutputTensor {
    /// Returns the size for one picture in bytes.
    fn bytes(&self) -> u64 {
        4 * self.shape.iter().product::<usize>() as u64
    }
}

/// The unfinished output.
pub struct PartialOutput {
    folder: PathBuf,
    heading: OutputHeading,
    records: File,
    names: File,
    /// The number of each picture's record, by the picture's name.
    done: HashMap<String, u64>,
}

impl PartialOutput {
    /// Continues the output in `folder`, or begins it.
    ///
    /// # Errors
    /// [`CliError::OtherWork`] if the folder belongs to another model; [`CliError::Io`].
    pub fn resume(folder: &Path, heading: &OutputHeading) -> Result<Self, CliError> {
        output::make_folder(folder)?;
        claim(folder, heading)?;
        let open = |name: &str| {
            let path = folder.join(name);
            let file = OpenOptions::new().read(true).write(true).create(true).truncate(false).open(&path);
            file.map_err(CliError::io("write", &path))
        };
        let (records, names) = (open("records")?, open("names")?);
        let mut partial =
            Self { folder: folder.to_owned(), heading: heading.clone(), records, names, done: HashMap::new() };
        partial.drop_incomplete().map_err(CliError::io("read", folder))?;
        Ok(partial)
    }

    /// Counts the complete records with their names, and cuts off an incomplete record or name at the end.
    fn drop_incomplete(&mut self) -> std::io::Result<()> {
        let record = self.heading.record_bytes();
        let whole_records = self.records.metadata()?.len() / record;
        let mut lines = BufReader::new(&self.names);
        let (mut line, mut kept) = (Vec::new(), 0);
        while (self.done.len() as u64) < whole_records {
            line.clear();
            let bytes = lines.read_until(b'\n', &mut line)?;
            // An incomplete line is no JSON string, or has no line end.
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

    /// Tells whether the picture is finished.
    pub fn has(&self, name: &str) -> bool {
        self.done.contains_key(name)
    }

    /// Writes the record of a picture: heads, MLPs, z0, embedding.
    ///
    /// # Errors
    /// [`CliError::Unwritten`], for example if the disk is full.
    pub fn add(&mut self, name: &str, record: &[f32]) -> Result<(), CliError> {
        let bytes: Vec<u8> = record.iter().flat_map(|value| value.to_le_bytes()).collect();
        let line = format!("{}\n", Value::from(name));
        let written = self.records.write_all(&bytes).and_then(|()| self.names.write_all(line.as_bytes()));
        written.map_err(|reason| CliError::Unwritten { path: self.folder.clone(), reason })?;
        self.done.insert(name.to_owned(), self.done.len() as u64);
        Ok(())
    }

    /// Joins the records of `names` into the final file, and removes the folder.
    ///
    /// # Errors
    /// [`CliError::Unwritten`]; the folder stays.
    pub fn finish(self, names: &[String], out: &Path) -> Result<(), CliError> {
        let unwritten = |reason| CliError::Unwritten { path: out.to_owned(), reason };
        let whole = self.folder.join("whole");
        self.join(names, &whole).and_then(|()| std::fs::rename(&whole, out)).map_err(unwritten)?;
        std::fs::remove_dir_all(&self.folder).map_err(CliError::io("remove", &self.folder))
    }

    /// Writes one tensor after another, picture by picture. Only the numbers of one picture are in memory.
    fn join(&self, names: &[String], path: &Path) -> std::io::Result<()> {
        let mut file = BufWriter::with_capacity(1 << 20, File::create(path)?);
        file.write_all(&self.header(names)?)?;
        let mut records = &self.records;
        for tensor in self.heading.tensors() {
            let mut numbers = vec![0; tensor.bytes() as usize];
            for name in names {
                let record = self.done.get(name).copied().unwrap_or_default();
                records.seek(SeekFrom::Start(record * self.heading.record_bytes() + 4 * tensor.start as u64))?;
                records.read_exact(&mut numbers)?;
                file.write_all(&numbers)?;
            }
        }
        file.into_inner()?.sync_all()
    }

    /// Returns the beginning of the final file: the length of the header in 8 bytes, then the header.
    fn header(&self, names: &[String]) -> std::io::Result<Vec<u8>> {
        let OutputHeading { format, pack, weights, .. } = &self.heading;
        let files = serde_json::to_string(names)?;
        let metadata = json!({"format": format, "pack": pack, "weights": weights, "files": files});
        let mut header = Map::from_iter([("__metadata__".to_owned(), metadata)]);
        let mut start = 0;
        for tensor in self.heading.tensors() {
            let end = start + tensor.bytes() * names.len() as u64;
            let shape = [&[names.len()], &tensor.shape[..]].concat();
            let entry = json!({"dtype": "F32", "shape": shape, "data_offsets": [start, end]});
            header.insert(tensor.name.to_owned(), entry);
            start = end;
        }
        let mut json = serde_json::to_vec(&header)?;
        // Tensors must begin at a multiple of eight bytes.
        json.resize(json.len().next_multiple_of(8), b' ');
        if json.len() > MAX_HEADER {
            let reason =
                "the list of pictures is too long for the header of a safetensors file: use fewer pictures";
            return Err(std::io::Error::other(reason));
        }
        let length = json.len() as u64;
        Ok([&length.to_le_bytes()[..], &json].concat())
    }
}

/// Writes the heading into an empty folder, or compares it with the heading in the folder.
fn claim(folder: &Path, heading: &OutputHeading) -> Result<(), CliError> {
    let path = folder.join("work.json");
    let other = |why: &str| CliError::OtherWork { path: folder.to_owned(), why: why.to_owned() };
    match std::fs::read(&path) {
        Ok(bytes) => match serde_json::from_slice::<OutputHeading>(&bytes) {
            Ok(found) if found == *heading => Ok(()),
            Ok(found) if found.format == heading.format => Err(other(&format!("of the pack {}", found.pack))),
            _ => Err(other("of another version of headlamp")),
        },
        Err(err) if err.kind() == std::io::ErrorKind::NotFound => {
            let is_empty = std::fs::read_dir(folder).map_err(CliError::io("read", folder))?.next().is_none();
            if !is_empty {
                return Err(other("files that headlamp did not write"));
            }
            let json =
                serde_json::to_vec_pretty(heading).map_err(|err| CliError::io("write", &path)(err.into()))?;
            output::write(&path, &json)
        }
        Err(err) => Err(CliError::io("read", &path)(err)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn heading() -> OutputHeading {
        let [format, pack, weights, model] = [FORMAT, "a pack", "00", "01"].map(str::to_owned);
        OutputHeading { format, pack, weights, model, layers: 1, heads: 1, embedding: 2 }
    }

    fn folder(name: &str) -> PathBuf {
        let folder = std::env::temp_dir().join(format!("headlamp-partial-{name}-{}", std::process::id()));
        let _none = std::fs::remove_dir_all(&folder);
        folder
    }

    /// Heads, MLPs, z0, embedding: two numbers each.
    fn record(of: f32) -> Vec<f32> {
        (0..8).map(|index| of + index as f32 / 10.0).collect()
    }

    #[test]
    fn incomplete_records_and_names_are_dropped() {
        let folder = folder("halves");
        let mut partial = PartialOutput::resume(&folder, &heading()).unwrap();
        partial.add("a", &record(1.0)).unwrap();
        partial.add("b", &record(2.0)).unwrap();
        partial.records.write_all(&[1; 40]).unwrap();
        partial.names.write_all(b"\"c").unwrap();
        drop(partial);
        let mut partial = PartialOutput::resume(&folder, &heading()).unwrap();
        assert!(partial.has("a") && partial.has("b") && !partial.has("c"));
        partial.add("c", &record(3.0)).unwrap();
        let out = folder.with_extension("safetensors");
        partial.finish(&["c", "a"].map(str::to_owned), &out).unwrap();
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
    fn the_output_of_another_model_is_refused() {
        let folder = folder("other");
        drop(PartialOutput::resume(&folder, &heading()).unwrap());
        let others = [
            OutputHeading { weights: "11".to_owned(), ..heading() },
            // The same weights with another activation.
            OutputHeading { model: "11".to_owned(), ..heading() },
        ];
        for other in others {
            assert!(matches!(PartialOutput::resume(&folder, &other), Err(CliError::OtherWork { .. })));
        }
        std::fs::remove_dir_all(&folder).unwrap();
    }
}
