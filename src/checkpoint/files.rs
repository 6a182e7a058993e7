//! Checkpoints on disk: found, and read piece by piece.

use std::fs::File;
use std::io::{Read as _, Seek as _, SeekFrom};
use std::ops::Range;
use std::path::{Path, PathBuf};

use super::companions::{COMPANIONS, Companions};
use super::hub::WEIGHTS;
use super::index::{Index, Opened, Opening};
use super::{CheckpointError, Converter, PackWriter};

/// Lists the parts of weights that were cut into several files.
const SHARDS: [&str; 2] = ["model.safetensors.index.json", "pytorch_model.bin.index.json"];

/// Other names are weights too where they end in one of these.
const EXTENSIONS: [&str; 4] = ["safetensors", "bin", "pt", "pth"];

/// A config is a few kB, a tokenizer a few MB.
const LARGEST_COMPANION: u64 = 64 << 20;

/// Weights, and the configs beside them.
pub struct Checkpoint {
    pub weights: PathBuf,
    pub companions: Companions,
    /// The file's name and its folder's, which may tell whose model it is.
    pub name: String,
}

impl Checkpoint {
    /// Finds the weights that `path`, a file or a folder, stands for.
    ///
    /// # Errors
    /// Where a folder holds no weights, several, or weights in parts; where something cannot be read.
    pub fn find(path: &Path) -> Result<Self, CheckpointError> {
        let weights = if path.is_dir() { weights_in(path)? } else { path.to_owned() };
        let folder = weights.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
        let mut companions = Companions::new();
        for name in COMPANIONS {
            let path = folder.join(name);
            if path.metadata().is_ok_and(|found| found.is_file() && found.len() <= LARGEST_COMPANION) {
                companions.insert(name.to_owned(), std::fs::read(&path).map_err(|err| io(&path, &err))?);
            }
        }
        let last = |path: &Path| path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        let folder = folder.canonicalize().unwrap_or_else(|_gone| folder.to_owned());
        // In the hub's own cache the folder is a commit's, and the one two above it has the repository's name.
        let named = match folder.parent() {
            Some(snapshots) if last(snapshots) == "snapshots" => snapshots.parent().unwrap_or(&folder),
            _ => &folder,
        };
        let name = format!("{}/{}", last(named), last(&weights));
        Ok(Self { weights, companions, name })
    }

    /// The weights' length.
    pub fn bytes(&self) -> u64 {
        self.weights.metadata().map_or(0, |found| found.len())
    }

    /// Opens the weights.
    ///
    /// # Errors
    /// Where the file cannot be read, or is no checkpoint.
    pub fn open(&self) -> Result<(Index, Reader), CheckpointError> {
        let mut reader = Reader::open(&self.weights)?;
        let mut opening = Opening::new(self.weights.display().to_string(), reader.length);
        loop {
            let bytes = reader.read(opening.wants())?;
            match opening.push(bytes)? {
                Opened::Further(further) => opening = further,
                Opened::Whole(index) => return Ok((index, reader)),
            }
        }
    }
}

/// Reads a file wherever it is asked to, into one buffer.
pub struct Reader {
    path: PathBuf,
    file: File,
    length: u64,
    buffer: Vec<u8>,
}

impl Reader {
    fn open(path: &Path) -> Result<Self, CheckpointError> {
        let file = File::open(path).map_err(|err| io(path, &err))?;
        let length = file.metadata().map_err(|err| io(path, &err))?.len();
        Ok(Self { path: path.to_owned(), file, length, buffer: Vec::new() })
    }

    /// The bytes of `range`, of which those beyond the file's end are missing.
    fn read(&mut self, range: Range<u64>) -> Result<&[u8], CheckpointError> {
        let wrong = |err: std::io::Error| io(&self.path, &err);
        let end = range.end.min(self.length);
        self.buffer.clear();
        let length = end.saturating_sub(range.start);
        // Exactly: a buffer that grows by doubling would take as much again.
        let room = usize::try_from(length).map_err(|_large| CheckpointError::Memory { bytes: length })?;
        self.buffer.try_reserve_exact(room).map_err(|_full| CheckpointError::Memory { bytes: length })?;
        self.file.seek(SeekFrom::Start(range.start)).map_err(wrong)?;
        (&self.file).take(length).read_to_end(&mut self.buffer).map_err(wrong)?;
        Ok(&self.buffer)
    }

    /// Converts the file to the end; `progress` hears the bytes done and the bytes in all.
    ///
    /// # Errors
    /// Names the tensor that cannot be read.
    pub fn convert(
        mut self,
        mut converter: Converter,
        mut progress: impl FnMut(u64, u64),
    ) -> Result<PackWriter, CheckpointError> {
        while let Some(range) = converter.wants() {
            let (end, length) = (range.end, self.length);
            converter.push(self.read(range)?)?;
            progress(end, length);
        }
        converter.finish()
    }
}

fn io(path: &Path, err: &std::io::Error) -> CheckpointError {
    CheckpointError::Io { doing: "read", path: path.display().to_string(), reason: err.to_string() }
}

/// The weights in a folder: of a usual name, or the only file that could be some.
fn weights_in(folder: &Path) -> Result<PathBuf, CheckpointError> {
    let usual = WEIGHTS.into_iter().map(|name| folder.join(name)).find(|path| path.is_file());
    if let Some(usual) = usual {
        return Ok(usual);
    }
    let entries = std::fs::read_dir(folder).map_err(|err| io(folder, &err))?;
    let files = entries.filter_map(|entry| Some(entry.ok()?.path()));
    let is_weights =
        |path: &PathBuf| path.extension().is_some_and(|found| EXTENSIONS.iter().any(|ext| found == *ext));
    let mut found: Vec<PathBuf> = files.filter(|path| path.is_file() && is_weights(path)).collect();
    found.sort();
    let foreign = |reason: &str| {
        Err(CheckpointError::Foreign { file: folder.display().to_string(), reason: reason.to_owned() })
    };
    if SHARDS.iter().any(|name| folder.join(name).is_file()) {
        return foreign("its weights are in several parts; join them into one safetensors file first");
    }
    match found.as_slice() {
        [one] => Ok(one.clone()),
        [] => foreign("there are no weights in it (a .safetensors, .bin, .pt or .pth file)"),
        _ => foreign("there are several files of weights in it; name the one that is meant"),
    }
}
