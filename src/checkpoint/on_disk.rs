//! Finds checkpoints on disk, and reads them piece by piece.

use std::fs::File;
use std::io::{Read as _, Seek as _, SeekFrom};
use std::ops::Range;
use std::path::{Path, PathBuf};

use super::convert::Converter;
use super::detect::{CONFIG_FILES, ConfigFiles};
use super::error::CheckpointError;
use super::hub::WEIGHTS_FILES;
use super::index::{IndexReader, IndexStep, TensorIndex};
use super::pack::PackWriter;

/// The files that list the parts of weights that are split into several files.
const SHARDS: [&str; 2] = ["model.safetensors.index.json", "pytorch_model.bin.index.json"];

/// The extensions of weights files with other names.
const EXTENSIONS: [&str; 4] = ["safetensors", "bin", "pt", "pth"];

/// The largest config or tokenizer that is read, in bytes. A config has a few kB, a tokenizer a few MB.
const LARGEST_CONFIG_FILE: u64 = 64 << 20;

/// A weights file and the configs beside it.
pub struct CheckpointOnDisk {
    pub weights: PathBuf,
    pub config_files: ConfigFiles,
    /// The names of the folder and the file. They may identify a published model.
    pub name: String,
}

impl CheckpointOnDisk {
    /// Finds the weights at `path`, which is a file or a folder.
    ///
    /// # Errors
    /// [`CheckpointError::Foreign`] if a folder holds no weights, several weights files, or weights in parts;
    /// [`CheckpointError::Io`] if a file cannot be read.
    pub fn find(path: &Path) -> Result<Self, CheckpointError> {
        let weights = if path.is_dir() { weights_in(path)? } else { path.to_owned() };
        let folder = weights.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
        let mut config_files = ConfigFiles::new();
        for name in CONFIG_FILES {
            let path = folder.join(name);
            if path.metadata().is_ok_and(|found| found.is_file() && found.len() <= LARGEST_CONFIG_FILE) {
                config_files.insert(name.to_owned(), std::fs::read(&path).map_err(|err| io(&path, &err))?);
            }
        }
        let last = |path: &Path| path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        let folder = folder.canonicalize().unwrap_or_else(|_gone| folder.to_owned());
        // In the hub's own cache, the folder belongs to a commit. The folder two levels above has the repository's
        // name.
        let named = match folder.parent() {
            Some(snapshots) if last(snapshots) == "snapshots" => snapshots.parent().unwrap_or(&folder),
            _ => &folder,
        };
        let name = format!("{}/{}", last(named), last(&weights));
        Ok(Self { weights, config_files, name })
    }

    /// Returns the number of bytes of the weights file.
    pub fn bytes(&self) -> u64 {
        self.weights.metadata().map_or(0, |found| found.len())
    }

    /// Opens the weights file and reads its index.
    ///
    /// # Errors
    /// [`CheckpointError::Io`] if the file cannot be read; [`CheckpointError::Malformed`] or
    /// [`CheckpointError::Size`] if the file is not a whole checkpoint.
    pub fn open(&self) -> Result<(TensorIndex, WeightsFile), CheckpointError> {
        let mut file = WeightsFile::open(&self.weights)?;
        let mut reader = IndexReader::new(self.weights.display().to_string(), file.length);
        loop {
            let bytes = file.read(reader.wanted())?;
            match reader.push(bytes)? {
                IndexStep::Unfinished(next) => reader = next,
                IndexStep::Finished(index) => return Ok((index, file)),
            }
        }
    }
}

/// A weights file that is open for reading at any position, with one buffer.
pub struct WeightsFile {
    path: PathBuf,
    file: File,
    length: u64,
    buffer: Vec<u8>,
}

impl WeightsFile {
    fn open(path: &Path) -> Result<Self, CheckpointError> {
        let file = File::open(path).map_err(|err| io(path, &err))?;
        let length = file.metadata().map_err(|err| io(path, &err))?.len();
        Ok(Self { path: path.to_owned(), file, length, buffer: Vec::new() })
    }

    /// Reads the bytes of `range`, up to the end of the file.
    fn read(&mut self, range: Range<u64>) -> Result<&[u8], CheckpointError> {
        let wrong = |err: std::io::Error| io(&self.path, &err);
        let end = range.end.min(self.length);
        self.buffer.clear();
        let length = end.saturating_sub(range.start);
        // Reserving exactly saves memory: a buffer that grows by doubling could take twice as much.
        let room = usize::try_from(length).map_err(|_large| CheckpointError::Memory { bytes: length })?;
        self.buffer.try_reserve_exact(room).map_err(|_full| CheckpointError::Memory { bytes: length })?;
        self.file.seek(SeekFrom::Start(range.start)).map_err(wrong)?;
        (&self.file).take(length).read_to_end(&mut self.buffer).map_err(wrong)?;
        Ok(&self.buffer)
    }

    /// Converts the whole file. `progress` receives the bytes that are done and the bytes of the file.
    ///
    /// # Errors
    /// The error names the tensor that cannot be read.
    pub fn convert(
        mut self,
        mut converter: Converter,
        mut progress: impl FnMut(u64, u64),
    ) -> Result<PackWriter, CheckpointError> {
        while let Some(range) = converter.wanted() {
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

/// Finds the weights in a folder: a file with a usual name, or the only file with a weights extension.
///
/// # Errors
/// [`CheckpointError::Foreign`] if there is no such file, or several; [`CheckpointError::Io`].
fn weights_in(folder: &Path) -> Result<PathBuf, CheckpointError> {
    let usual = WEIGHTS_FILES.into_iter().map(|name| folder.join(name)).find(|path| path.is_file());
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
        return foreign("its weights are split into several files; join them into one safetensors file first");
    }
    match found.as_slice() {
        [one] => Ok(one.clone()),
        [] => foreign("the folder has no weights file; put a .safetensors, .bin, .pt or .pth file there"),
        _ => foreign("the folder has several files of weights; give the path of one of them"),
    }
}
