//! An open model, and the questions that can be asked of it: the same for the page's worker, the command-line
//! tool and the tests.

pub mod completeness;
pub mod cues;
pub mod device;
mod directions;
mod error;
pub mod gallery;
pub mod hands;
mod labels;
pub mod pool;
mod probe;
pub mod video;

pub use self::error::EngineError;

use std::collections::HashMap;
use std::sync::Arc;

use tokenizers::Tokenizer;

use self::directions::Directions;
use self::labels::Labels;
use self::pool::Pool;
use crate::ablate::{Ablation, MeanParts};
use crate::checkpoint::{CheckpointError, Manifest, Pack, pack};
use crate::decompose::{Decomposition, Direction, Parts, Trace};
use crate::geometry::{CropFromPhoto, Framing};
use crate::media::{self, Photo};
use crate::model::{Backend, Crop, Model, ModelError};
use crate::protocol::{Attribution, HeadLabel};
use crate::segment::{self, SoftMap};
use crate::statistics::{Statistics, StatisticsError};
use crate::textspan::textspan;
use crate::track::Features;
use crate::zero_shot;

/// Phrases whose embeddings are kept. A user types some dozens; more than this is a program.
const CACHED_TEXTS: usize = 4096;

/// Texts of a pool that are embedded between two words of progress.
const POOL_BATCH: usize = 128;

/// An open pack.
pub struct Session {
    manifest: Manifest,
    model: Model,
    /// None where the model has no text tower.
    tokenizer: Option<Tokenizer>,
    backend: Backend,
    pack_pool: Option<Pool>,
    own_pool: Option<Pool>,
    pack_statistics: Option<Statistics>,
    own_statistics: Option<Statistics>,
    texts: HashMap<String, Vec<f32>>,
    directions: Directions,
    labels: Labels,
}

/// A photo that went through the model.
pub struct Traced {
    pub frame: CropFromPhoto,
    pub trace: Trace,
}

/// What the model made of the patches of a photo, or of a video's frame.
pub struct Featured {
    pub frame: CropFromPhoto,
    pub features: Features,
}

impl Session {
    /// Loads a pack's model onto a device, or for the CPU's kernels.
    ///
    /// # Errors
    /// Names the file or tensor of the pack that is malformed.
    pub fn open(mut pack: Pack, backend: impl Into<Backend>) -> Result<Self, EngineError> {
        let backend = backend.into();
        let has_text = pack.manifest.model.text.is_some();
        let tokenizer = pack.bytes(pack::TOKENIZER).filter(|_file| has_text).map(tokenizer_of).transpose()?;
        let mut weights = pack.weights()?;
        let manifest = pack.manifest.clone();
        let model = Model::load(manifest.model.clone(), &mut weights, &backend)?;
        drop(weights);
        let statistics = pack.bytes(pack::STATISTICS);
        let of_model = |bytes| Statistics::of_model(bytes, manifest.weights_hash(), &model.readout);
        let pack_statistics = statistics.map(of_model).transpose()?;
        Ok(Self {
            pack_pool: Pool::of_pack(&pack)?,
            own_pool: None,
            pack_statistics,
            own_statistics: None,
            texts: HashMap::new(),
            directions: Directions::default(),
            labels: Labels::new(model.readout.layers, model.readout.heads),
            manifest,
            model,
            tokenizer,
            backend,
        })
    }

    pub fn manifest(&self) -> &Manifest {
        &self.manifest
    }

    /// What the model runs on.
    pub fn backend(&self) -> &Backend {
        &self.backend
    }

    pub fn model(&self) -> &Model {
        &self.model
    }

    /// Shows the model a photo.
    ///
    /// # Errors
    /// Where the device fails.
    pub async fn trace(&self, photo: &Photo, framing: Framing) -> Result<Traced, EngineError> {
        let (frame, crop) = self.crop(photo, framing)?;
        Ok(Traced { frame, trace: self.model.vision.trace(&crop).await? })
    }

    /// [`Self::trace`], and beside it the attention rollout from layer `first` on, `[row][column]`.
    ///
    /// # Errors
    /// Where the device fails.
    pub async fn trace_with_rollout(
        &self,
        photo: &Photo,
        framing: Framing,
        first: usize,
    ) -> Result<(Traced, Vec<f32>), EngineError> {
        let (frame, crop) = self.crop(photo, framing)?;
        let (trace, rollout) = self.model.vision.trace_with_rollout(&crop, first).await?;
        Ok((Traced { frame, trace }, rollout))
    }

    /// What the model makes of a photo's patches.
    ///
    /// # Errors
    /// Where the device fails.
    pub async fn features(&self, photo: &Photo, framing: Framing) -> Result<Featured, EngineError> {
        let (frame, crop) = self.crop(photo, framing)?;
        Ok(Featured { frame, features: self.model.vision.features(&crop).await? })
    }

    /// [`Self::trace`] and [`Self::features`] of one run.
    ///
    /// # Errors
    /// Where the device fails.
    pub async fn trace_with_features(
        &self,
        photo: &Photo,
        framing: Framing,
    ) -> Result<(Traced, Features), EngineError> {
        let (frame, crop) = self.crop(photo, framing)?;
        let (trace, features) = self.model.vision.trace_with_features(&crop).await?;
        Ok((Traced { frame, trace }, features))
    }

    /// What of a photo the model is shown, and how.
    ///
    /// # Errors
    /// Where the photo cannot be resampled.
    pub fn crop(&self, photo: &Photo, framing: Framing) -> Result<(CropFromPhoto, Crop), EngineError> {
        let config = &self.model.config.vision;
        let frame = CropFromPhoto::new(photo.size, framing, config.image_size, config.patch, config.long_side);
        let crop = media::crop(photo, &frame, config.mean, config.std)?;
        Ok((frame, crop))
    }

    /// The photo's embedding, taken apart.
    pub fn decompose<'a>(&'a self, traced: &'a Traced) -> Decomposition<'a> {
        Decomposition::new(&self.model.readout, &traced.trace)
    }

    /// A text as the residual stream sees it.
    pub fn direction(&self, text: &[f32]) -> Arc<Direction> {
        self.directions.of(&self.model.readout, text)
    }

    /// Whether the model has a measure for phrases.
    pub fn has_text(&self) -> bool {
        self.model.text.is_some()
    }

    /// Unit vectors of phrases: verbatim, or each the unit mean of the phrase in every template.
    ///
    /// # Errors
    /// Where the model has no text tower, a phrase is too long for the text tower, or the device fails.
    pub async fn embed(&mut self, phrases: &[String], templates: bool) -> Result<Vec<Vec<f32>>, EngineError> {
        let variants = |phrase: &String| {
            if templates { zero_shot::templated(phrase) } else { vec![phrase.clone()] }
        };
        self.embed_new(phrases.iter().flat_map(variants)).await?;
        let unit = |phrase: &String| self.texts.get(phrase).cloned().unwrap_or_default();
        Ok(phrases
            .iter()
            .map(|phrase| zero_shot::ensemble(&variants(phrase).iter().map(unit).collect::<Vec<_>>()))
            .collect())
    }

    /// Embeds the texts that are not in the cache yet.
    async fn embed_new(&mut self, texts: impl Iterator<Item = String>) -> Result<(), EngineError> {
        if self.texts.len() > CACHED_TEXTS {
            self.texts.clear();
        }
        let mut new: Vec<String> = texts.filter(|text| !self.texts.contains_key(text)).collect();
        new.sort();
        new.dedup();
        if new.is_empty() {
            return Ok(());
        }
        let tokens = self.tokens(&new)?;
        let units = self.model.text_tower()?.embed(&tokens).await?;
        self.texts.extend(new.into_iter().zip(units));
        Ok(())
    }

    fn tokens(&self, texts: &[String]) -> Result<Vec<Vec<u32>>, EngineError> {
        let text = self.model.config.text.as_ref().zip(self.tokenizer.as_ref());
        let (config, tokenizer) = text.ok_or(ModelError::NoTextTower)?;
        let context = config.context;
        texts
            .iter()
            .map(|text| {
                let encoding = tokenizer.encode(text.as_str(), true);
                let encoding = encoding.map_err(|err| EngineError::Tokenizer(err.to_string()))?;
                if encoding.len() > context {
                    return Err(EngineError::LongText {
                        start: text.chars().take(40).collect(),
                        tokens: encoding.len(),
                        context,
                    });
                }
                Ok(encoding.get_ids().to_vec())
            })
            .collect()
    }

    /// Scores texts (`units`, as [`Self::embed`] gives them) and divides each score among the components. The
    /// score is that of the embedding which the device computed; with an ablation, the sum of what is left.
    ///
    /// # Errors
    /// With an ablation, where there are no statistics to take means from, or the model has no such component.
    pub fn attribute(
        &self,
        traced: &Traced,
        texts: &[String],
        units: &[Vec<f32>],
        ablation: &Ablation,
    ) -> Result<Attribution, EngineError> {
        let decomposition = self.decompose(traced);
        let embedding = decomposition.embedding();
        let parts = units.iter().map(|unit| self.parts(&decomposition, &self.direction(unit), ablation));
        let parts = parts.collect::<Result<Vec<Parts>, EngineError>>()?;
        let intact: Vec<f32> = units.iter().map(|unit| zero_shot::dot(&embedding, unit) as f32).collect();
        let left = || parts.iter().map(|parts| parts.total() as f32).collect();
        let (scores, intact) = if ablation.is_none() { (intact, None) } else { (left(), Some(intact)) };
        let (layers, heads) = (self.model.readout.layers, self.model.readout.heads);
        let of_head =
            |layer: usize, head: usize| parts.iter().map(|parts| parts.heads[layer][head] as f32).collect();
        Ok(Attribution {
            texts: texts.to_vec(),
            probabilities: zero_shot::probabilities(&scores, self.model.logit_scale),
            scores,
            heads: (0..layers).map(|layer| (0..heads).map(|head| of_head(layer, head)).collect()).collect(),
            mlps: (0..layers).map(|layer| parts.iter().map(|parts| parts.mlps[layer] as f32).collect()).collect(),
            embedding: parts.iter().map(|parts| parts.embedding as f32).collect(),
            intact,
        })
    }

    fn parts(
        &self,
        image: &Decomposition<'_>,
        direction: &Direction,
        ablation: &Ablation,
    ) -> Result<Parts, EngineError> {
        if ablation.is_none() {
            return Ok(image.parts(direction));
        }
        Ok(ablation.parts(image, direction, &self.means(direction, ablation)?))
    }

    /// The means that an ablation puts in place of components.
    fn means(&self, direction: &Direction, ablation: &Ablation) -> Result<MeanParts, EngineError> {
        let readout = &self.model.readout;
        if !ablation.fits(readout.layers, readout.heads) {
            return Err(EngineError::NoComponent);
        }
        let statistics = self.statistics().ok_or(EngineError::NoStatistics)?;
        Ok(MeanParts::new(readout, statistics, direction))
    }

    /// Where a head looks, patch by patch: its contribution to a text, or without one its CLS attention.
    ///
    /// # Errors
    /// [`EngineError::NoHead`].
    pub fn head_map(
        &self,
        traced: &Traced,
        layer: usize,
        head: usize,
        text: Option<&[f32]>,
    ) -> Result<Vec<f32>, EngineError> {
        self.has_head(layer, head)?;
        let decomposition = self.decompose(traced);
        Ok(match text {
            None => decomposition.attention(layer, head).to_vec(),
            Some(text) => decomposition.head_tokens(&self.direction(text), layer, head)
                [traced.trace.leading_tokens..]
                .iter()
                .map(|value| *value as f32)
                .collect(),
        })
    }

    /// Segments by a text against the mean of others. Scores are linear in the text, so the contrast's mean
    /// score is the score of its mean text.
    ///
    /// # Errors
    /// As [`Self::attribute`].
    pub fn segment(
        &self,
        traced: &Traced,
        text: &[f32],
        contrast: &[Vec<f32>],
        ablation: &Ablation,
    ) -> Result<SoftMap, EngineError> {
        let difference = less_mean(text, contrast);
        let (image, direction) = (self.decompose(traced), self.direction(&difference));
        let patches = match ablation.is_none() {
            true => image.patches(&direction),
            false => ablation.patches(&image, &direction, &self.means(&direction, ablation)?),
        };
        Ok(segment::soft_map(&patches, traced.trace.grid, self.model.config.vision.patch))
    }

    /// Each patch's part in the score of a text beyond the mean of others: what [`Self::segment`] upsamples.
    pub fn patch_scores(&self, traced: &Traced, text: &[f32], contrast: &[Vec<f32>]) -> Vec<f64> {
        self.decompose(traced).patches(&self.direction(&less_mean(text, contrast)))
    }

    /// The phrases to segment against: the user's, and by choice the built-in background.
    pub fn contrast(phrase: &str, against: &[String], background: bool) -> Vec<String> {
        let built_in = segment::background_for(phrase).filter(|_text| background);
        let all = against.iter().cloned().chain(built_in);
        all.filter(|other| other != phrase).collect()
    }

    /// The texts that span a head's outputs, most telling first.
    ///
    /// # Errors
    /// Where there is no such head, no pool, or no statistics.
    pub fn label_head(&self, layer: usize, head: usize, count: usize) -> Result<Vec<HeadLabel>, EngineError> {
        self.has_head(layer, head)?;
        let statistics = self.statistics().ok_or(EngineError::NoStatistics)?;
        let pool = self.pool().ok_or(EngineError::NoPool)?;
        let readout = &self.model.readout;
        let basis = readout.head_basis(layer, head);
        let moments = statistics.head(layer, head);
        let picks = textspan(&basis, moments, &pool.embeddings, readout.head_width(), count);
        let label = |text: usize, explained: f64| HeadLabel {
            text: pool.lines[text].clone(),
            variance_explained: explained as f32,
        };
        Ok(picks.into_iter().map(|pick| label(pick.text, pick.explained)).collect())
    }

    /// [`Self::label_head`] of a head that somebody looks at, found once.
    ///
    /// # Errors
    /// As [`Self::label_head`].
    pub fn labels(&mut self, layer: usize, head: usize, count: usize) -> Result<Vec<HeadLabel>, EngineError> {
        let labels = self.find_labels(layer, head, count)?;
        self.labels.look_at((layer, head));
        Ok(labels)
    }

    /// [`Self::labels`] of every head, `[layer][head]`.
    ///
    /// # Errors
    /// Where there is no pool, or no statistics.
    pub fn labels_of_all_heads(&mut self, count: usize) -> Result<Vec<Vec<Vec<HeadLabel>>>, EngineError> {
        let (layers, heads) = (self.model.readout.layers, self.model.readout.heads);
        let mut layer = |layer| (0..heads).map(|head| self.find_labels(layer, head, count)).collect();
        (0..layers).map(&mut layer).collect()
    }

    /// Finds the texts of one more head, as many as of the head that somebody looked at last and the nearest to that
    /// first. False where there is none to find.
    pub fn find_next_labels(&mut self) -> bool {
        let Some(((layer, head), count)) = self.labels.next() else { return false };
        self.find_labels(layer, head, count).is_ok()
    }

    fn find_labels(&mut self, layer: usize, head: usize, count: usize) -> Result<Vec<HeadLabel>, EngineError> {
        if let Some(labels) = self.labels.of((layer, head), count) {
            return Ok(labels);
        }
        // As many as of other heads, or those would have to be found again.
        let most = count.max(self.labels.count());
        let mut labels = self.label_head(layer, head, most)?;
        self.labels.keep((layer, head), labels.clone(), most);
        labels.truncate(count);
        Ok(labels)
    }

    /// Whether the model has a head.
    ///
    /// # Errors
    /// [`EngineError::NoHead`].
    pub fn has_head(&self, layer: usize, head: usize) -> Result<(), EngineError> {
        let (layers, heads) = (self.model.readout.layers, self.model.readout.heads);
        if layer < layers && head < heads {
            return Ok(());
        }
        Err(EngineError::NoHead { layer, head, layers, heads })
    }

    /// Embeds a pool of texts; `progress` hears how many are done.
    ///
    /// # Errors
    /// Where a text is too long for the text tower, or the device fails.
    pub async fn embed_pool(
        &self,
        lines: Vec<String>,
        mut progress: impl FnMut(usize),
    ) -> Result<Pool, EngineError> {
        let mut embeddings = Vec::with_capacity(lines.len() * self.model.config.embedding);
        for (index, batch) in lines.chunks(POOL_BATCH).enumerate() {
            let tokens = self.tokens(batch)?;
            embeddings.extend(self.model.text_tower()?.embed(&tokens).await?.concat());
            progress((index * POOL_BATCH + batch.len()).min(lines.len()));
        }
        Ok(Pool { lines, embeddings })
    }

    /// Labels heads from `pool` from now on; none: from the pack's own.
    pub fn use_pool(&mut self, pool: Option<Pool>) {
        self.own_pool = pool;
        self.labels.forget();
    }

    /// Statistics that were gathered elsewhere, read from their file.
    ///
    /// # Errors
    /// Where the bytes are no statistics file, or one of another model.
    pub fn read_statistics(&self, bytes: &[u8]) -> Result<Statistics, StatisticsError> {
        Statistics::of_model(bytes, self.manifest.weights_hash(), &self.model.readout)
    }

    /// Labels heads from `statistics` from now on; none: from the pack's own.
    pub fn use_statistics(&mut self, statistics: Option<Statistics>) {
        self.own_statistics = statistics;
        self.labels.forget();
    }

    /// The pool in use.
    pub fn pool(&self) -> Option<&Pool> {
        self.own_pool.as_ref().or(self.pack_pool.as_ref())
    }

    /// The statistics in use.
    pub fn statistics(&self) -> Option<&Statistics> {
        self.own_statistics.as_ref().or(self.pack_statistics.as_ref())
    }

    /// Statistics of this model over no image yet.
    pub fn new_statistics(&self) -> Statistics {
        Statistics::new(&self.model.readout, self.manifest.weights_hash())
    }
}

/// A text less the mean of others.
fn less_mean(text: &[f32], others: &[Vec<f32>]) -> Vec<f32> {
    let mut difference = text.to_vec();
    for other in others {
        for (value, other) in difference.iter_mut().zip(other) {
            *value -= other / others.len() as f32;
        }
    }
    difference
}

/// A pack's tokenizer, which neither pads nor cuts.
fn tokenizer_of(file: &[u8]) -> Result<Tokenizer, EngineError> {
    let unusable = |err: tokenizers::Error| EngineError::Tokenizer(err.to_string());
    let mut tokenizer = Tokenizer::from_bytes(file).map_err(unusable)?;
    tokenizer.with_padding(None);
    tokenizer.with_truncation(None).map_err(unusable)?;
    Ok(tokenizer)
}

/// The texts of a pool as a user gives them.
///
/// # Errors
/// [`CheckpointError::Malformed`] where none is left.
pub fn pool_lines(file: &str, text: &str) -> Result<Vec<String>, CheckpointError> {
    let lines = pool::lines(text);
    if lines.is_empty() {
        let reason = "it holds no text".to_owned();
        return Err(CheckpointError::Malformed { file: file.to_owned(), kind: "text pool", reason });
    }
    Ok(lines)
}
