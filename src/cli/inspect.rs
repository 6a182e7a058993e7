//! `headlamp inspect`: what a pack, a statistics file or another safetensors file holds.

use std::collections::{BTreeMap, HashMap};
use std::path::{Path, PathBuf};

use clap::Args;
use safetensors::SafeTensors;
use serde::Serialize;

use super::{CliError, inputs, output};
use crate::checkpoint::{CheckpointError, Manifest, PackFile, Quantisation, StorageCost, pack};
use crate::model::ModelConfig;
use crate::session::pool;
use crate::statistics::Statistics;

/// Show what a pack holds, and verify it; or what a statistics or other safetensors file holds
#[derive(Args, Debug)]
pub struct Inspect {
    /// A pack's folder, or a file
    #[arg(value_name = "PACK|FILE")]
    place: PathBuf,
    /// One line of JSON
    #[arg(long)]
    json: bool,
}

/// The answer.
#[derive(Serialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
enum Contents {
    Pack(Box<PackContents>),
    Statistics { images: u64, weights: String },
    Tensors { metadata: BTreeMap<String, String>, tensors: Vec<TensorLine> },
}

#[derive(Serialize)]
struct PackContents {
    format: u32,
    name: String,
    description: String,
    licence: String,
    provenance: Vec<String>,
    quantisation: Quantisation,
    /// What it and the other ways of storing the weights cost; empty where the pack does not say.
    storages: Vec<StorageCost>,
    parameters: u64,
    bytes: u64,
    model: ModelConfig,
    files: Vec<FileLine>,
    /// Images behind the head statistics; none without statistics.
    statistics_images: Option<u64>,
    /// Texts to label heads with; none without a pool.
    pool_lines: Option<usize>,
}

#[derive(Serialize)]
struct FileLine {
    #[serde(flatten)]
    file: PackFile,
    verified: bool,
    /// What is wrong with it.
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<String>,
}

#[derive(Serialize)]
struct TensorLine {
    name: String,
    dtype: String,
    shape: Vec<usize>,
}

impl Inspect {
    pub fn run(&self) -> Result<(), CliError> {
        let contents = self.contents()?;
        if self.json {
            output::print_json(&contents)?;
        } else {
            output::print(&contents.in_words())?;
        }
        let broken = match &contents {
            Contents::Pack(pack) => pack.files.iter().find_map(|file| file.error.as_deref()),
            Contents::Statistics { .. } | Contents::Tensors { .. } => None,
        };
        broken.map_or(Ok(()), |reason| Err(CliError::Broken(reason.to_owned())))
    }

    fn contents(&self) -> Result<Contents, CliError> {
        let place = &self.place;
        if place.is_dir() {
            return PackContents::of(place);
        }
        if place.file_name().is_some_and(|name| name == pack::MANIFEST) {
            return PackContents::of(place.parent().unwrap_or(Path::new("")));
        }
        let bytes = inputs::read(place)?;
        if let Ok(statistics) = Statistics::from_bytes(&bytes) {
            let (images, weights) = (statistics.images(), statistics.weights().to_owned());
            return Ok(Contents::Statistics { images, weights });
        }
        tensors(&bytes).map_err(|err| CliError::Unknown { path: place.clone(), reason: err.to_string() })
    }
}

impl PackContents {
    fn of(folder: &Path) -> Result<Contents, CliError> {
        let path = folder.join(pack::MANIFEST);
        if !path.is_file() {
            return Err(CliError::NoPack(folder.to_owned()));
        }
        let manifest = Manifest::parse(&inputs::read(&path)?)?;
        let mut files = Vec::new();
        let (mut statistics_images, mut pool_lines) = (None, None);
        for file in &manifest.files {
            let line = match verified(folder, file) {
                Err(error) => FileLine { file: file.clone(), verified: false, error: Some(error.to_string()) },
                Ok(bytes) => {
                    match file.path.as_str() {
                        pack::POOL => pool_lines = Some(pool::lines(&String::from_utf8_lossy(&bytes)).len()),
                        pack::STATISTICS => {
                            statistics_images = Statistics::from_bytes(&bytes).ok().map(|known| known.images());
                        }
                        _ => {}
                    }
                    FileLine { file: file.clone(), verified: true, error: None }
                }
            };
            files.push(line);
        }
        let (parameters, bytes) = (manifest.parameters(), manifest.bytes());
        let Manifest { format, name, description, licence, provenance, quantisation, storages, model, .. } =
            manifest;
        Ok(Contents::Pack(Box::new(Self {
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
        })))
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
                "as {}: {} of weights, matrices off by {:.2} % ({:.2} % at most, {})",
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
        for FileLine { file, error, .. } in files {
            let state = error.as_deref().unwrap_or("verified");
            lines.push(format!("{:>9}  {}  {state}", output::bytes(file.bytes), file.path));
        }
        lines.push(format!("{:>9}  in all", output::bytes(self.bytes)));
        lines.join("\n")
    }
}

fn verified(folder: &Path, file: &PackFile) -> Result<Vec<u8>, CliError> {
    let bytes = inputs::read(&folder.join(&file.path))?;
    file.verify(&bytes).map_err(|err: CheckpointError| CliError::from(err))?;
    Ok(bytes)
}

fn tensors(bytes: &[u8]) -> Result<Contents, safetensors::SafeTensorError> {
    let tensors = SafeTensors::deserialize(bytes)?;
    let (_, header) = SafeTensors::read_metadata(bytes)?;
    let metadata: HashMap<String, String> = header.metadata().clone().unwrap_or_default();
    let line = |(name, view): (&str, safetensors::tensor::TensorView<'_>)| TensorLine {
        name: name.to_owned(),
        dtype: format!("{:?}", view.dtype()),
        shape: view.shape().to_vec(),
    };
    let mut tensors: Vec<TensorLine> = tensors.iter().map(line).collect();
    tensors.sort_by(|a, b| a.name.cmp(&b.name));
    Ok(Contents::Tensors { metadata: metadata.into_iter().collect(), tensors })
}

impl Contents {
    /// The answer as people read it.
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
