//! Converts published weights to a pack, from the person's disk or from a hub. The weights are read part by part, so
//! that memory never holds all of them.

use std::ops::Range;

use js_sys::{ArrayBuffer, Uint8Array};
use wasm_bindgen::JsCast as _;
use wasm_bindgen_futures::JsFuture;
use web_sys::Blob;

use super::archive;
use super::download::{self, DownloadError};
use crate::checkpoint::detect::{GivenSettings, detect};
use crate::checkpoint::hub::{DEFAULT_HUB, Repository, WEIGHTS_FILES};
use crate::checkpoint::index::{IndexReader, IndexStep, TensorIndex};
use crate::checkpoint::{
    CONFIG_FILES, CheckpointError, ConfigFiles, Converter, Manifest, Pack, Quantisation, clip_tokens, pack,
};
use crate::model::Activation;
use crate::protocol::{LoadModel, ModelSettings, ModelSource, Storage, is_archive};
use crate::session::memory::{self, NoRoomForModel};

/// The number of bytes that are read at a time. A request per tensor would take long, and tensors follow one another
/// in the file.
const AHEAD: u64 = 8 << 20;

/// Why weights could not be converted to a pack.
#[derive(Debug, thiserror::Error)]
pub(super) enum ImportError {
    #[error(transparent)]
    Download(#[from] DownloadError),
    #[error(transparent)]
    Checkpoint(#[from] CheckpointError),
    #[error(transparent)]
    NoRoom(#[from] NoRoomForModel),
    #[error(
        "none of these files holds weights: choose a .safetensors, .bin, .pt or .pth file, and its config.json with it"
    )]
    NoWeights,
    #[error("{0:?} is not a model name: write ORGANISATION/NAME")]
    NoRepository(String),
    #[error("{0} has no weights that headlamp reads (it looked for {looked})", looked = WEIGHTS_FILES.join(", "))]
    NoModel(String),
    #[error("{0} could not be read: choose it again")]
    Unreadable(String),
    #[error("the model's tokenizer is not CLIP's own: choose its tokenizer.json together with the weights")]
    NoTokenizer,
}

/// Reads published weights and converts them to a pack, or reads a pack in one file. `progress` receives the bytes done
/// and the bytes in total.
///
/// # Errors
/// [`ImportError::NoRoom`], before any weights are read, if the model needs more memory than the task allows.
pub(super) async fn pack(
    LoadModel { source, storage, settings, room, .. }: &LoadModel,
    files: &[Blob],
    mut progress: impl FnMut(u64, u64),
) -> Result<Pack, ImportError> {
    if let ModelSource::Files { names } = source
        && let Some((name, file)) = names.iter().zip(files).find(|(name, _file)| is_archive(name))
    {
        return Ok(archive::of_file(name, file, *room, progress).await?);
    }
    let PublishedWeights { mut weights, companions, name } = match source {
        ModelSource::Files { names } => PublishedWeights::of_files(names, files).await?,
        ModelSource::Hub { repository, hub } => PublishedWeights::of_hub(repository, hub.as_deref()).await?,
    };
    let index = weights.open().await?;
    let detected = detect(index, &companions, &name, &given_settings(settings))?;
    let quantisation = (*storage).into();
    let tokenizer = match companions.get(pack::TOKENIZER) {
        _ if detected.model.text.is_none() => None,
        _ if detected.has_clip_tokens() => {
            Some(clip_tokens::tokenizer_json(&download::small(clip_tokens::MERGES_PATH).await?)?)
        }
        Some(tokenizer) => Some(tokenizer.clone()),
        None => return Err(ImportError::NoTokenizer),
    };
    let settings_given = *settings != ModelSettings::default();
    let manifest = Manifest { settings_given, ..detected.manifest(None, None, &name, quantisation) };
    memory::check(pack::file_length(&detected.model, quantisation), manifest.parameters(), *room)?;
    let mut converter = Converter::new(detected, quantisation)?;
    while let Some(range) = converter.wanted() {
        let end = range.end;
        converter.push(weights.read(range).await?)?;
        progress(end, weights.length);
    }
    let mut writer = converter.finish()?;
    if let Some(tokenizer) = tokenizer {
        writer.add(pack::TOKENIZER, tokenizer);
    }
    Ok(writer.finish(manifest)?)
}

impl From<Storage> for Quantisation {
    fn from(storage: Storage) -> Self {
        match storage {
            Storage::Q8 => Self::Q8,
            Storage::Q4 => Self::Q4,
            Storage::F16 => Self::F16,
        }
    }
}

/// Converts the settings that the person gave to the type that the detection takes.
fn given_settings(settings: &ModelSettings) -> GivenSettings {
    let activation = |quick| if quick { Activation::QuickGelu } else { Activation::Gelu };
    GivenSettings {
        vision_heads: settings.vision_heads,
        text_heads: settings.text_heads,
        activation: settings.quick_gelu.map(activation),
        ..GivenSettings::default()
    }
}

/// Published weights, with their configs and tokenizer.
struct PublishedWeights {
    weights: RangeReader,
    companions: ConfigFiles,
    name: String,
}

impl PublishedWeights {
    async fn of_files(names: &[String], files: &[Blob]) -> Result<Self, ImportError> {
        let mut weights = None;
        let mut companions = ConfigFiles::new();
        for (name, file) in names.iter().zip(files) {
            let extension = name.rsplit('.').next().unwrap_or_default();
            if CONFIG_FILES.contains(&name.as_str()) {
                companions.insert(name.clone(), part(name, file, 0..file.size() as u64).await?);
            } else if matches!(extension, "safetensors" | "bin" | "pt" | "pth") {
                weights =
                    Some(RangeReader::new(name.clone(), WeightsPlace::Local(file.clone()), file.size() as u64));
            }
        }
        let weights = weights.ok_or(ImportError::NoWeights)?;
        Ok(Self { name: weights.name.clone(), weights, companions })
    }

    async fn of_hub(repository: &str, hub: Option<&str>) -> Result<Self, ImportError> {
        let no_repository = || ImportError::NoRepository(repository.to_owned());
        let parsed = Repository::parse(repository.trim()).ok_or_else(no_repository)?;
        let address = |file: &str| parsed.address(hub.unwrap_or(DEFAULT_HUB), file);
        let mut companions = ConfigFiles::new();
        for file in CONFIG_FILES {
            match download::small(&address(file)).await {
                Ok(bytes) => {
                    companions.insert(file.to_owned(), bytes);
                }
                Err(DownloadError::Missing { .. }) => {}
                Err(err) => return Err(err.into()),
            }
        }
        for file in WEIGHTS_FILES {
            let url = address(file);
            match download::length(&url).await {
                Ok(length) => {
                    let weights = RangeReader::new(file.to_owned(), WeightsPlace::Remote(url), length);
                    return Ok(Self { weights, companions, name: parsed.to_string() });
                }
                Err(DownloadError::Missing { .. }) => {}
                Err(err) => return Err(err.into()),
            }
        }
        Err(ImportError::NoModel(parsed.to_string()))
    }
}

/// The place that a file is read from.
enum WeightsPlace {
    Local(Blob),
    Remote(String),
}

/// A file that is read part by part, mostly in order.
struct RangeReader {
    name: String,
    place: WeightsPlace,
    length: u64,
    /// The position of `buffered` in the file.
    start: u64,
    /// The bytes that were read last, and some bytes after them.
    buffered: Vec<u8>,
}

impl RangeReader {
    fn new(name: String, place: WeightsPlace, length: u64) -> Self {
        Self { name, place, length, start: 0, buffered: Vec::new() }
    }

    /// Reads the index of the tensors in the file.
    async fn open(&mut self) -> Result<TensorIndex, ImportError> {
        let mut reader = IndexReader::new(self.name.clone(), self.length);
        loop {
            let wanted = reader.wanted();
            match reader.push(self.read(wanted).await?)? {
                IndexStep::Unfinished(next) => reader = next,
                IndexStep::Finished(index) => return Ok(index),
            }
        }
    }

    /// Reads the bytes of `range`, up to the end of the file.
    async fn read(&mut self, range: Range<u64>) -> Result<&[u8], ImportError> {
        let range = range.start.min(self.length)..range.end.min(self.length);
        if range.start < self.start || range.end > self.start + self.buffered.len() as u64 {
            let further = range.start..range.end.max(range.start + AHEAD).min(self.length);
            // Free the old bytes first: memory may not hold both.
            self.buffered = Vec::new();
            self.buffered = match &self.place {
                WeightsPlace::Local(file) => part(&self.name, file, further).await?,
                WeightsPlace::Remote(url) => download::part(url, further).await?,
            };
            self.start = range.start;
        }
        let from = usize::try_from(range.start - self.start).unwrap_or(usize::MAX);
        let length = usize::try_from(range.end - range.start).unwrap_or(usize::MAX);
        let found = from.checked_add(length).and_then(|to| self.buffered.get(from..to));
        found.ok_or_else(|| ImportError::Unreadable(self.name.clone()))
    }
}

/// Reads a part of a file on the person's disk.
async fn part(name: &str, file: &Blob, range: Range<u64>) -> Result<Vec<u8>, ImportError> {
    let unreadable = |_err| ImportError::Unreadable(name.to_owned());
    let part = file.slice_with_f64_and_f64(range.start as f64, range.end as f64).map_err(unreadable)?;
    let buffer: ArrayBuffer = JsFuture::from(part.array_buffer()).await.map_err(unreadable)?.unchecked_into();
    Ok(Uint8Array::new(&buffer).to_vec())
}
