//! `headlamp inspect`: shows the contents of a pack, of a statistics file, or of another safetensors file.

use std::collections::{BTreeMap, HashMap};
use std::path::{Path, PathBuf};

use clap::Args;
use safetensors::SafeTensors;
use serde::Serialize;

use super::error::CliError;
use super::output::{AnswerFormat, CommandAnswer};
use super::{inputs, output};
use crate::checkpoint::{CheckpointError, Manifest, Pack, PackFile, Quantisation, StorageCost, pack};
use crate::model::ModelConfig;
use crate::session::pool_texts::PoolTexts;
use crate::statistics::Statistics;

/// Show the contents of a pack, and verify it; or show the contents of a statistics or other safetensors file
#[derive(Args, Debug)]
pub struct Inspect {
    /// A pack (its folder, or a file NAME.headlamp.tar), or another file
    #[arg(value_name = "PACK|FILE")]
    path: PathBuf,
    #[command(flatten)]
    format: AnswerFormat,
}

#[derive(Serialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
enum FileContents {
    Pack(Box<PackContents>),
    Statistics { images: u64, weights: String },
    Tensors { metadata: BTreeMap<String, String>, tensors: Vec<TensorEntry> },
}

#[derive(Serialize)]
struct PackContents {
    format: u32,
    name: String,
    description: String,
    licence: String,
    provenance: Vec<String>,
    quantisation: Quantisation,
    /// Size and error of every way to store the weights, including this pack's; empty if the pack does not list them.
    storages: Vec<StorageCost>,
    parameters: u64,
    bytes: u64,
    model: ModelConfig,
    files: Vec<PackFileEntry>,
    /// Number of pictures behind the head statistics; `None` without statistics.
    statistics_images: Option<u64>,
    /// Number of texts to label heads with; `None` without a pool.
    pool_lines: Option<usize>,
}

#[derive(Serialize)]
struct PackFileEntry {
    #[serde(flatten)]
    file: PackFile,
    verified: bool,
    /// The reason why the file is not verified.
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<String>,
}

#[derive(Serialize)]
struct TensorEntry {
    name: String,
    dtype: String,
    shape: Vec<usize>,
}

impl Inspect {
    pub fn run(&self) -> Result<(), CliError> {
        let contents = self.contents()?;
        self.format.print(&contents)?;
        let damage = match &contents {
            FileContents::Pack(pack) => pack.files.iter().find_map(|file| file.error.as_deref()),
            FileContents::Statistics { .. } | FileContents::Tensors { .. } => None,
        };
        damage.map_or(Ok(()), |reason| Err(CliError::DamagedPack(reason.to_owned())))
    }

    fn contents(&self) -> Result<FileContents, CliError> {
        let path = &self.path;
        if path.is_dir() {
            return PackContents::read(path);
        }
        if path.file_name().is_some_and(|name| name == pack::MANIFEST) {
            return PackContents::read(path.parent().unwrap_or(Path::new("")));
        }
        if Pack::is_archive(path) {
            // The archive's reader has verified all files.
            let pack = Pack::read_archive(path)?;
            return Ok(PackContents::of(pack.manifest.clone(), |file| {
                pack.bytes(&file.path)
                    .map(<[u8]>::to_vec)
                    .ok_or_else(|| CheckpointError::MissingFile(file.path.clone()).into())
            }));
        }
        let bytes = inputs::read(path)?;
        if let Ok(statistics) = Statistics::from_bytes(&bytes) {
            let (images, weights) = (statistics.images(), statistics.weights().to_owned());
            return Ok(FileContents::Statistics { images, weights });
        }
        tensors(&bytes).map_err(|err| CliError::UnknownFile { path: path.clone(), reason: err.to_string() })
    }
}

impl PackContents {
    /// Reads the manifest of the pack in `folder`, and verifies its files.
    fn read(folder: &Path) -> Result<FileContents, CliError> {
        let path = folder.join(pack::MANIFEST);
        if !path.is_file() {
            return Err(CliError::NoPack(folder.to_owned()));
        }
        let manifest = Manifest::parse(&inputs::read(&path)?)?;
        Ok(Self::of(manifest, |file| read_verified(folder, file)))
    }

    /// Describes a pack, whose files `read` reads and verifies.
    fn of(manifest: Manifest, read: impl Fn(&PackFile) -> Result<Vec<u8>, CliError>) -> FileContents {
        let mut files = Vec::new();
        let (mut statistics_images, mut pool_lines) = (None, None);
        for file in &manifest.files {
            let entry = match read(file) {
                Err(error) => {
                    PackFileEntry { file: file.clone(), verified: false, error: Some(error.to_string()) }
                }
                Ok(bytes) => {
                    match file.path.as_str() {
                        pack::POOL => {
                            let texts = PoolTexts::parse(&String::from_utf8_lossy(&bytes));
                            pool_lines = texts.ok().map(|texts| texts.len());
                        }
                        pack::STATISTICS => {
                            statistics_images = Statistics::from_bytes(&bytes).ok().map(|known| known.images());
                        }
                        _ => {}
                    }
                    PackFileEntry { file: file.clone(), verified: true, error: None }
                }
            };
            files.push(entry);
        }
        let (parameters, bytes) = (manifest.parameters(), manifest.bytes());
        let Manifest { format, name, description, licence, provenance, quantisation, storages, model, .. } =
            manifest;
        FileContents::Pack(Box::new(Self {
            format,
            name,
            description,
            licence,
            provenance,
            quantisation,
            storages,
            parameters,
            bytes,
            model,
            files,
            statistics_images,
            pool_lines,
        }))
    }

    fn in_words(&self) -> String {
        let Self { name, description, licence, provenance, parameters, model, files, .. } = self;
        let vision = &model.vision;
        let text = model.text.as_ref().map_or_else(
            || "no text tower".to_owned(),
            |text| format!("text: {} layers, {} tokens", text.layers, text.context),
        );
        let mut lines = vec![name.clone(), description.clone(), String::new(), format!("licence: {licence}")];
        lines.extend(provenance.iter().map(|step| format!("from: {step}")));
        lines.push(format!(
            "vision: {} layers of {} heads, width {}, patches of {} on {} pixels; {text}; embedding {}",
            vision.layers, vision.heads, vision.width, vision.patch, vision.image_size, model.embedding
        ));
        lines.push(format!(
            "parameters: {:.1} million, stored as {}",
            *parameters as f64 / 1e6,
            format!("{:?}", self.quantisation).to_lowercase()
        ));
        lines.extend(self.storages.iter().map(|cost| {
            format!(
                "as {}: {} of weights, relative error of the matrices {:.2} % ({:.2} % in the worst, {})",
                format!("{:?}", cost.quantisation).to_lowercase(),
                output::bytes(cost.bytes),
                100.0 * cost.error,
                100.0 * cost.worst_error,
                cost.worst
            )
        }));
        let none = || "none".to_owned();
        let images = self
            .statistics_images
            .map_or_else(none, |images| format!("over {}", output::count(images, "picture")));
        let texts = self.pool_lines.map_or_else(none, |lines| output::count(lines as u64, "text"));
        lines.push(format!("head statistics: {images}; pool: {texts}"));
        lines.push(String::new());
        for PackFileEntry { file, error, .. } in files {
            let state = error.as_deref().unwrap_or("verified");
            lines.push(format!("{:>9}  {}  {state}", output::bytes(file.bytes), file.path));
        }
        lines.push(format!("{:>9}  in total", output::bytes(self.bytes)));
        lines.join("\n")
    }
}

fn read_verified(folder: &Path, file: &PackFile) -> Result<Vec<u8>, CliError> {
    let bytes = inputs::read(&folder.join(&file.path))?;
    file.verify(&bytes).map_err(|err: CheckpointError| CliError::from(err))?;
    Ok(bytes)
}

fn tensors(bytes: &[u8]) -> Result<FileContents, safetensors::SafeTensorError> {
    let tensors = SafeTensors::deserialize(bytes)?;
    let (_, header) = SafeTensors::read_metadata(bytes)?;
    let metadata: HashMap<String, String> = header.metadata().clone().unwrap_or_default();
    let entry = |(name, view): (&str, safetensors::tensor::TensorView<'_>)| TensorEntry {
        name: name.to_owned(),
        dtype: format!("{:?}", view.dtype()),
        shape: view.shape().to_vec(),
    };
    let mut tensors: Vec<TensorEntry> = tensors.iter().map(entry).collect();
    tensors.sort_by(|a, b| a.name.cmp(&b.name));
    Ok(FileContents::Tensors { metadata: metadata.into_iter().collect(), tensors })
}

impl CommandAnswer for FileContents {
    fn in_words(&self) -> String {
        match self {
            Self::Pack(pack) => pack.in_words(),
            Self::Statistics { images, weights } => {
                let images = output::count(*images, "picture");
                format!("head statistics over {images}, of the weights with SHA-256 {weights}")
            }
            Self::Tensors { metadata, tensors } => {
                let shorten = |value: &str| {
                    let start: String = value.chars().take(100).collect();
                    if start.len() < value.len() { start + " …" } else { start }
                };
                let metadata = metadata.iter().map(|(key, value)| format!("{key}: {}", shorten(value)));
                let tensors = tensors.iter().map(|line| format!("{} {} {:?}", line.name, line.dtype, line.shape));
                metadata.chain(tensors).collect::<Vec<_>>().join("\n")
            }
        }
    }
}
