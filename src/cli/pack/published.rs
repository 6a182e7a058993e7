//! `headlamp pack from`: a pack from published weights (docs/PAPERS.md, 1.5 and 2.3), or from another pack.

use std::path::{Path, PathBuf};

use clap::{Args, ValueEnum};
use serde::de::IgnoredAny;

use super::additions::Additions;
use super::download::{Download, DownloadError};
use super::draft::PackDraft;
use crate::checkpoint::detect::{Detected, GivenSettings, detect};
use crate::checkpoint::hub::{DEFAULT_HUB, Repository, WEIGHTS_FILES};
use crate::checkpoint::on_disk::CheckpointOnDisk;
use crate::checkpoint::{CONFIG_FILES, Converter, Manifest, Pack, PackWriter, clip_tokens, pack};
use crate::cli::error::CliError;
use crate::cli::options::WeightStorage;
use crate::cli::terminal_progress::TerminalProgress;
use crate::cli::{inputs, options, output};
use crate::model::Activation;

#[derive(Args, Debug)]
pub struct PublishedPack {
    /// Weights (.safetensors, .bin, .pt, .pth), a folder with weights and their configs, hf:ORG/NAME, or a pack
    source: String,
    /// How matrices are stored. Default: q8; a pack keeps its matrices as they are
    #[arg(long, value_enum)]
    quant: Option<WeightStorage>,
    /// Name of the pack. Default: the name of a known model, else of the source
    #[arg(long)]
    name: Option<String>,
    /// Licence of the weights. Default: the licence of a known model
    #[arg(long)]
    licence: Option<String>,
    #[command(flatten)]
    settings: ModelSettings,
    /// tokenizer.json of the text tower, if it is not CLIP's own. Default: the file beside the weights
    #[arg(long, value_name = "FILE")]
    tokenizer: Option<PathBuf>,
    /// The hub that hf: downloads from. Default: $HEADLAMP_HUB, else Hugging Face
    #[arg(long, value_name = "URL")]
    hub: Option<String>,
    #[command(flatten)]
    additions: Additions,
    /// Folder for the pack, new or empty; or a new file NAME.headlamp.tar
    #[arg(long, value_name = "DIR|FILE")]
    out: PathBuf,
}

/// Settings of the model that the weights and their configs may not contain.
#[derive(Args, Debug)]
pub struct ModelSettings {
    /// Number of heads of the image tower
    #[arg(long, value_name = "N")]
    heads: Option<usize>,
    /// Number of heads of the text tower
    #[arg(long, value_name = "N")]
    text_heads: Option<usize>,
    /// Activation function of the MLPs
    #[arg(long, value_enum)]
    activation: Option<ActivationChoice>,
    /// Epsilon of the norms
    #[arg(long)]
    eps: Option<f64>,
    /// Mean of red, green and blue: three numbers from 0 to 1, with commas between them
    #[arg(long, value_name = "R,G,B", value_delimiter = ',', num_args = 1)]
    mean: Option<Vec<f32>>,
    /// Standard deviation of red, green and blue
    #[arg(long, value_name = "R,G,B", value_delimiter = ',', num_args = 1)]
    std: Option<Vec<f32>>,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum ActivationChoice {
    #[value(name = "gelu")]
    Gelu,
    #[value(name = "quick_gelu", alias = "quick-gelu")]
    QuickGelu,
}

impl ModelSettings {
    fn given(&self) -> Result<GivenSettings, CliError> {
        let triple = |name: &str, values: &Option<Vec<f32>>| match values {
            None => Ok(None),
            Some(values) => match values.as_slice().try_into() {
                Ok(triple) => Ok(Some(triple)),
                Err(_length) => {
                    Err(CliError::Usage(format!("--{name} takes three numbers with commas between them")))
                }
            },
        };
        Ok(GivenSettings {
            vision_heads: self.heads,
            text_heads: self.text_heads,
            activation: self.activation.map(|choice| match choice {
                ActivationChoice::Gelu => Activation::Gelu,
                ActivationChoice::QuickGelu => Activation::QuickGelu,
            }),
            eps: self.eps,
            mean: triple("mean", &self.mean)?,
            std: triple("std", &self.std)?,
        })
    }
}

impl PublishedPack {
    pub fn run(&self) -> Result<(), CliError> {
        output::check_free_for_pack(&self.out)?;
        let given = self.settings.given()?;
        let added = self.additions.read()?;
        let pack = PathBuf::from(&self.source);
        let mut draft = match self.repository_name() {
            None if is_pack(&pack) => self.of_pack(&pack, &given)?,
            _ => self.converted(given)?,
        };
        added.add_to(&mut draft)?;
        draft.write(&self.out)
    }

    /// Starts with another pack, whose weights stay as they are.
    fn of_pack(&self, path: &Path, given: &GivenSettings) -> Result<PackDraft, CliError> {
        if self.quant.is_some() || self.tokenizer.is_some() || *given != GivenSettings::default() {
            let reason = "a pack keeps its weights, settings and tokenizer: leave these options out, or name the \
                published weights";
            return Err(CliError::Usage(reason.to_owned()));
        }
        let pack = options::read_pack(path)?;
        let mut manifest = pack.manifest.clone();
        manifest.name = self.name.clone().unwrap_or(manifest.name);
        manifest.licence = self.licence.clone().unwrap_or(manifest.licence);
        Ok(PackDraft::of_writer(manifest, PackWriter::of_pack(pack)))
    }

    /// Converts published weights.
    fn converted(&self, given: GivenSettings) -> Result<PackDraft, CliError> {
        let repository = self.repository_name().map(|name| {
            let usage = || CliError::Usage(format!("hf:{name} is not a model of a hub: write hf:ORG/NAME"));
            Repository::parse(name).ok_or_else(usage)
        });
        let path = match repository.transpose()? {
            Some(repository) => self.fetch(&repository)?,
            None => PathBuf::from(&self.source),
        };
        let checkpoint = CheckpointOnDisk::find(&path)?;
        let (index, reader) = checkpoint.open()?;
        // Words in the name distinguish known models. The repository's name has more of these words than the cache
        // folder's name.
        let name = match self.repository_name() {
            Some(repository) => format!("{repository} {}", checkpoint.name),
            None => checkpoint.name.clone(),
        };
        let detected = detect(index, &checkpoint.config_files, &name, &given)?;
        let tokenizer = self.tokenizer(&detected, &checkpoint)?;
        let quantisation = self.quant.unwrap_or_default().into();
        let source = self.source_name(&checkpoint);
        let manifest = detected.manifest(self.name.clone(), self.licence.clone(), &source, quantisation);
        let manifest = Manifest { settings_given: given != GivenSettings::default(), ..manifest };
        let bar = TerminalProgress::bar(megabytes(checkpoint.bytes()), "MB of weights");
        let converter = Converter::new(detected, quantisation)?;
        let mut writer = reader.convert(converter, |done, _total| bar.reached(megabytes(done)))?;
        drop(bar);
        if let Some(tokenizer) = tokenizer {
            writer.add(pack::TOKENIZER, tokenizer);
        }
        Ok(PackDraft::of_writer(manifest, writer))
    }

    /// Returns ORG/NAME if the source is a model of a hub.
    fn repository_name(&self) -> Option<&str> {
        self.source.strip_prefix("hf:")
    }

    /// Returns the origin of the weights for the manifest, without paths of this machine.
    fn source_name(&self, checkpoint: &CheckpointOnDisk) -> String {
        match self.repository_name() {
            Some(name) => name.to_owned(),
            None => checkpoint.weights.file_name().unwrap_or_default().to_string_lossy().into_owned(),
        }
    }

    /// Returns tokenizer.json: the file that the user named, else CLIP's own if the model has its vocabulary, else
    /// the file beside the weights. `None` for a model without a text tower.
    fn tokenizer(&self, detected: &Detected, checkpoint: &CheckpointOnDisk) -> Result<Option<Vec<u8>>, CliError> {
        if detected.model.text.is_none() {
            return Ok(None);
        }
        if let Some(path) = &self.tokenizer {
            return inputs::read(path).map(Some);
        }
        if detected.has_clip_tokens() {
            return Ok(Some(clip_tokens::tokenizer_json(clip_tokens::MERGES)?));
        }
        let beside_weights = checkpoint.config_files.get(pack::TOKENIZER);
        beside_weights.cloned().map(Some).ok_or_else(|| {
            let of = detected.tokenizer.as_ref().map(|name| format!(" but that of {name}")).unwrap_or_default();
            CliError::Usage(format!(
                "the tokenizer of the model is not CLIP's own{of}: name its tokenizer.json with --tokenizer"
            ))
        })
    }

    /// Downloads the configs and the best weights of a model into the cache folder. Returns the path of the weights.
    fn fetch(&self, repository: &Repository) -> Result<PathBuf, CliError> {
        let from_environment = || std::env::var("HEADLAMP_HUB").ok().filter(|hub| !hub.is_empty());
        let hub = self.hub.clone().or_else(from_environment).unwrap_or_else(|| DEFAULT_HUB.to_owned());
        let folder = options::cache().join("hub").join(&repository.organisation).join(&repository.name);
        output::make_folder(&folder)?;
        let download = |file: &str| Download::new(repository.address(&hub, file), folder.join(file));
        let weights = WEIGHTS_FILES.into_iter().map(|file| folder.join(file)).find(|path| path.is_file());
        for file in CONFIG_FILES {
            let path = folder.join(file);
            let is_damaged = path.is_file() && !is_json(&path);
            // Configs are downloaded before weights. So if the weights are here, all configs are here.
            if weights.is_some() && !is_damaged {
                continue;
            }
            let download = if is_damaged { download(file).replacing() } else { download(file) };
            match download.run(|_done, _total| {}) {
                Ok(()) | Err(DownloadError::Missing(_)) => {}
                Err(err) => return Err(err.into()),
            }
        }
        if let Some(weights) = weights {
            return Ok(weights);
        }
        let mut missing = None;
        for file in WEIGHTS_FILES {
            match fetch_weights(&download(file)) {
                Err(DownloadError::Missing(url)) => missing = missing.or(Some(url)),
                other => return other.map(|()| folder.join(file)).map_err(CliError::from),
            }
        }
        Err(DownloadError::Missing(missing.unwrap_or(hub)).into())
    }
}

/// Tells whether a path leads to a pack. Checkpoints may have the ending `.tar` too ("checkpoint.pth.tar").
fn is_pack(path: &Path) -> bool {
    path.join(pack::MANIFEST).is_file() || Pack::is_archive(path)
}

/// Tells whether a config is readable JSON.
fn is_json(path: &Path) -> bool {
    std::fs::read(path).is_ok_and(|bytes| serde_json::from_slice::<IgnoredAny>(&bytes).is_ok())
}

/// Downloads weights under a progress bar, which appears once their size is known.
fn fetch_weights(download: &Download) -> Result<(), DownloadError> {
    let mut bar: Option<TerminalProgress> = None;
    download.run(|done, total| {
        let bar = bar.get_or_insert_with(|| TerminalProgress::bar(megabytes(total), "MB downloaded"));
        bar.reached(megabytes(done));
    })
}

fn megabytes(bytes: u64) -> usize {
    usize::try_from(bytes / 1_000_000).unwrap_or(usize::MAX)
}
