//! `headlamp pack from`: published weights become a pack.

use std::path::{Path, PathBuf};

use clap::{Args, ValueEnum};
use serde::de::IgnoredAny;

use super::download::{Download, DownloadError};
use super::pack::{Quant, is_free_folder};
use super::progress::Progress;
use super::{CliError, inputs, options, output};
use crate::checkpoint::detect::{Detected, GivenSettings, detect};
use crate::checkpoint::hub::{DEFAULT_HUB, Repository, WEIGHTS_FILES};
use crate::checkpoint::on_disk::CheckpointOnDisk;
use crate::checkpoint::{CONFIG_FILES, Converter, Manifest, clip_tokens, pack};
use crate::model::Activation;

#[derive(Args, Debug)]
pub struct FromRecipe {
    /// Weights (.safetensors, .bin, .pt, .pth), a folder with weights and their configs, or hf:ORG/NAME
    source: String,
    /// How matrices are stored
    #[arg(long, value_enum, default_value_t)]
    quant: Quant,
    /// The pack's name. Default: the known model's, else the source's
    #[arg(long)]
    name: Option<String>,
    /// The weights' licence. Default: the known model's
    #[arg(long)]
    licence: Option<String>,
    #[command(flatten)]
    answers: AnswerOptions,
    /// The text tower's tokenizer.json, where it is not CLIP's own. Default: the one beside the weights
    #[arg(long, value_name = "FILE")]
    tokenizer: Option<PathBuf>,
    /// The hub that hf: asks. Default: $HEADLAMP_HUB, else Hugging Face's
    #[arg(long, value_name = "URL")]
    hub: Option<String>,
    /// The pack's folder, new or empty
    #[arg(long, value_name = "DIR")]
    out: PathBuf,
}

/// What neither the weights nor their configs may tell.
#[derive(Args, Debug)]
pub struct AnswerOptions {
    /// Heads of the image tower
    #[arg(long, value_name = "N")]
    heads: Option<usize>,
    /// Heads of the text tower
    #[arg(long, value_name = "N")]
    text_heads: Option<usize>,
    /// What the MLPs compute
    #[arg(long, value_enum)]
    activation: Option<ActivationChoice>,
    /// The norms' epsilon
    #[arg(long)]
    eps: Option<f64>,
    /// Mean of red, green and blue: three numbers from 0 to 1, with commas
    #[arg(long, value_name = "R,G,B", value_delimiter = ',', num_args = 1)]
    mean: Option<Vec<f32>>,
    /// Deviation of red, green and blue
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

impl AnswerOptions {
    fn answers(&self) -> Result<GivenSettings, CliError> {
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

impl FromRecipe {
    pub fn run(&self) -> Result<(), CliError> {
        is_free_folder(&self.out)?;
        let answers = self.answers.answers()?;
        let repository = self.source.strip_prefix("hf:").map(|name| {
            let usage = || CliError::Usage(format!("hf:{name} is no model of a hub: it reads hf:ORG/NAME"));
            Repository::parse(name).ok_or_else(usage)
        });
        let path = match repository.transpose()? {
            Some(repository) => self.fetch(&repository)?,
            None => PathBuf::from(&self.source),
        };
        let checkpoint = CheckpointOnDisk::find(&path)?;
        let (index, reader) = checkpoint.open()?;
        // A cache's folders say less than the hub does, a disk's further folders nothing of the model.
        let name = match self.source.strip_prefix("hf:") {
            Some(repository) => format!("{repository} {}", checkpoint.name),
            None => checkpoint.name.clone(),
        };
        let detected = detect(index, &checkpoint.config_files, &name, &answers)?;
        let tokenizer = self.tokenizer(&detected, &checkpoint)?;
        let quantisation = self.quant.into();
        let source = self.source_name(&checkpoint);
        let manifest = detected.manifest(self.name.clone(), self.licence.clone(), &source, quantisation);
        let manifest = Manifest { settings_given: answers != GivenSettings::default(), ..manifest };
        let bar = Progress::of(megabytes(checkpoint.bytes()), "MB of weights");
        let converter = Converter::new(detected, quantisation)?;
        let mut writer = reader.convert(converter, |done, _total| bar.reached(megabytes(done)))?;
        drop(bar);
        if let Some(tokenizer) = tokenizer {
            writer.add(pack::TOKENIZER, tokenizer);
        }
        let pack = writer.finish(manifest)?;
        pack.write(&self.out)?;
        let (name, bytes) = (&pack.manifest.name, output::bytes(pack.manifest.bytes()));
        output::print(&format!("{}: {name}, {bytes}", self.out.display()))
    }

    /// Where the weights are from, without what only this machine knows.
    fn source_name(&self, checkpoint: &CheckpointOnDisk) -> String {
        match self.source.strip_prefix("hf:") {
            Some(name) => name.to_owned(),
            None => checkpoint.weights.file_name().unwrap_or_default().to_string_lossy().into_owned(),
        }
    }

    /// The named tokenizer, CLIP's where the model is of its vocabulary, or the one beside the weights; none for a
    /// model without texts.
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
        let beside = checkpoint.config_files.get(pack::TOKENIZER);
        beside.cloned().map(Some).ok_or_else(|| {
            let of = detected.tokenizer.as_ref().map(|name| format!(" ({name}'s)")).unwrap_or_default();
            CliError::Usage(format!(
                "the model's tokenizer is not CLIP's own{of}: name its tokenizer.json with --tokenizer"
            ))
        })
    }

    /// Downloads a model's configs and the best of its weights; the folder that they lie in.
    fn fetch(&self, repository: &Repository) -> Result<PathBuf, CliError> {
        let set = || std::env::var("HEADLAMP_HUB").ok().filter(|hub| !hub.is_empty());
        let hub = self.hub.clone().or_else(set).unwrap_or_else(|| DEFAULT_HUB.to_owned());
        let folder = options::cache().join("hub").join(&repository.organisation).join(&repository.name);
        std::fs::create_dir_all(&folder).map_err(CliError::io("make", &folder))?;
        let download = |file: &str| Download::new(repository.address(&hub, file), folder.join(file));
        let weights = WEIGHTS_FILES.into_iter().map(|file| folder.join(file)).find(|path| path.is_file());
        for file in CONFIG_FILES {
            let path = folder.join(file);
            let is_damaged = path.is_file() && !is_json(&path);
            // Configs come before weights, so where weights are, all of it is.
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

/// Whether a config can be read: one that cannot is fetched again.
fn is_json(path: &Path) -> bool {
    std::fs::read(path).is_ok_and(|bytes| serde_json::from_slice::<IgnoredAny>(&bytes).is_ok())
}

/// Downloads weights under a bar, which is there only once their length is known.
fn fetch_weights(download: &Download) -> Result<(), DownloadError> {
    let mut bar: Option<Progress> = None;
    download.run(|done, total| {
        let bar = bar.get_or_insert_with(|| Progress::of(megabytes(total), "MB downloaded"));
        bar.reached(megabytes(done));
    })
}

fn megabytes(bytes: u64) -> usize {
    usize::try_from(bytes / 1_000_000).unwrap_or(usize::MAX)
}
