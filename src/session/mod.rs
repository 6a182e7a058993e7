//! An open model, and every question that it answers. The browser's worker, the command-line tool and the tests use the
//! same [`Session`].

pub mod completeness;
pub mod cues;
pub mod device;
mod directions;
mod error;
pub mod gallery;
pub mod helpers;
mod labels;
pub mod memory;
mod naming;
pub mod pack_to_save;
pub mod pool;
pub mod pool_embedding;
pub mod pool_texts;
mod probe;
pub mod video;

pub use self::error::SessionError;

use std::collections::HashMap;
use std::sync::Arc;

use tokenizers::Tokenizer;

use self::directions::Directions;
use self::labels::LabelCache;
use self::pool::Pool;
use self::pool_texts::PoolTexts;
use crate::ablate::{Ablation, MeanParts};
use crate::checkpoint::{Manifest, Pack, pack};
use crate::decompose::{Decomposition, Direction, Parts, Readout, Trace};
use crate::geometry::{CropFromPhoto, Framing};
use crate::media::{self, Photo};
use crate::model::{Backend, Crop, Model, ModelError};
use crate::protocol::{Attribution, HeadLabel, MeanAttribution};
use crate::segment::{self, SoftMap};
use crate::statistics::{Statistics, StatisticsError};
use crate::textspan::textspan;
use crate::track::Features;
use crate::zero_shot;

/// The number of phrases whose embeddings are cached. A person types a few dozen; only a program sends more.
const CACHED_TEXTS: usize = 4096;

/// The number of texts that are embedded between two progress reports.
const TEXT_BATCH: usize = 128;

/// An open model with its texts and statistics.
pub struct Session {
    manifest: Manifest,
    model: Model,
    /// `None` if the model has no text tower.
    tokenizer: Option<Tokenizer>,
    backend: Backend,
    pack_pool: Option<Pool>,
    own_pool: Option<Pool>,
    pack_statistics: Option<Statistics>,
    own_statistics: Option<Statistics>,
    texts: HashMap<String, Vec<f32>>,
    directions: Directions,
    labels: LabelCache,
}

/// The trace of a photo: the results of one run that the decomposition needs.
pub struct Traced {
    pub frame: CropFromPhoto,
    pub trace: Trace,
}

/// The features of a photo's or a frame's patches.
pub struct PhotoFeatures {
    pub frame: CropFromPhoto,
    pub features: Features,
}

impl Session {
    /// Loads a pack's model on a device, or for the CPU's kernels.
    ///
    /// # Errors
    /// If a file or tensor of the pack is malformed; the error names it.
    pub fn open(mut pack: Pack, backend: impl Into<Backend>) -> Result<Self, SessionError> {
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
            labels: LabelCache::new(model.readout.layers, model.readout.heads),
            manifest,
            model,
            tokenizer,
            backend,
        })
    }

    pub fn manifest(&self) -> &Manifest {
        &self.manifest
    }

    /// Returns the backend that runs the model.
    pub fn backend(&self) -> &Backend {
        &self.backend
    }

    pub fn model(&self) -> &Model {
        &self.model
    }

    /// Runs the model on a photo.
    ///
    /// # Errors
    /// If the device fails.
    pub async fn trace(&self, photo: &Photo, framing: Framing) -> Result<Traced, SessionError> {
        let (frame, crop) = self.crop(photo, framing)?;
        Ok(Traced { frame, trace: self.model.vision.trace(&crop).await? })
    }

    /// Runs [`Self::trace`], and also returns the attention rollout from layer `first` on, `[row][column]`.
    ///
    /// # Errors
    /// If the device fails.
    pub async fn trace_with_rollout(
        &self,
        photo: &Photo,
        framing: Framing,
        first: usize,
    ) -> Result<(Traced, Vec<f32>), SessionError> {
        let (frame, crop) = self.crop(photo, framing)?;
        let (trace, rollout) = self.model.vision.trace_with_rollout(&crop, first).await?;
        Ok((Traced { frame, trace }, rollout))
    }

    /// Computes the features of a photo's patches.
    ///
    /// # Errors
    /// If the device fails.
    pub async fn features(&self, photo: &Photo, framing: Framing) -> Result<PhotoFeatures, SessionError> {
        let (frame, crop) = self.crop(photo, framing)?;
        Ok(PhotoFeatures { frame, features: self.model.vision.features(&crop).await? })
    }

    /// Computes the tokens of a photo's patches after a block, for mask propagation.
    ///
    /// # Errors
    /// If the model has no such block, or the device fails.
    pub async fn tokens_after(
        &self,
        photo: &Photo,
        framing: Framing,
        layer: usize,
    ) -> Result<PhotoFeatures, SessionError> {
        let (frame, crop) = self.crop(photo, framing)?;
        Ok(PhotoFeatures { frame, features: self.model.vision.tokens_after(&crop, layer).await? })
    }

    /// Computes [`Self::trace`] and [`Self::features`] in one run.
    ///
    /// # Errors
    /// If the device fails.
    pub async fn trace_with_features(
        &self,
        photo: &Photo,
        framing: Framing,
    ) -> Result<(Traced, Features), SessionError> {
        let (frame, crop) = self.crop(photo, framing)?;
        let (trace, features) = self.model.vision.trace_with_features(&crop).await?;
        Ok((Traced { frame, trace }, features))
    }

    /// Frames a photo and resamples the crop for the model.
    ///
    /// # Errors
    /// If the photo cannot be resampled.
    pub fn crop(&self, photo: &Photo, framing: Framing) -> Result<(CropFromPhoto, Crop), SessionError> {
        let config = &self.model.config.vision;
        let frame = CropFromPhoto::new(photo.size, framing, config.image_size, config.patch, config.long_side);
        let crop = media::crop(photo, &frame, config.mean, config.std)?;
        Ok((frame, crop))
    }

    /// Decomposes the photo's embedding (docs/PAPERS.md, 1.1).
    pub fn decompose<'a>(&'a self, traced: &'a Traced) -> Decomposition<'a> {
        Decomposition::new(&self.model.readout, &traced.trace)
    }

    /// Returns a text contracted with every output matrix, for scores of components.
    pub fn direction(&self, text: &[f32]) -> Arc<Direction> {
        self.directions.of(&self.model.readout, text)
    }

    /// Returns whether the model has a text tower.
    pub fn has_text(&self) -> bool {
        self.model.text.is_some()
    }

    /// Embeds phrases as unit vectors. With `templates`, a phrase's vector is the unit mean over all templates
    /// (docs/PAPERS.md, 1.6).
    ///
    /// # Errors
    /// If the model has no text tower, a phrase is too long, or the device fails.
    pub async fn embed(&mut self, phrases: &[String], templates: bool) -> Result<Vec<Vec<f32>>, SessionError> {
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

    /// Embeds the texts that are not cached yet.
    async fn embed_new(&mut self, texts: impl Iterator<Item = String>) -> Result<(), SessionError> {
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

    fn tokens(&self, texts: &[impl AsRef<str>]) -> Result<Vec<Vec<u32>>, SessionError> {
        let text = self.model.config.text.as_ref().zip(self.tokenizer.as_ref());
        let (config, tokenizer) = text.ok_or(ModelError::NoTextTower)?;
        let context = config.context;
        texts
            .iter()
            .map(|text| {
                let text = text.as_ref();
                let encoding = tokenizer.encode(text, true);
                let encoding = encoding.map_err(|err| SessionError::Tokenizer(err.to_string()))?;
                if encoding.len() > context {
                    return Err(SessionError::LongText {
                        start: text.chars().take(40).collect(),
                        tokens: encoding.len(),
                        context,
                    });
                }
                Ok(encoding.get_ids().to_vec())
            })
            .collect()
    }

    /// Scores texts (`units`, from [`Self::embed`]) and divides each score among the components. Without an ablation,
    /// the score is the cosine with the embedding that the device computed. With an ablation, the score is the sum
    /// over the components. With head statistics, the result also has the mean part of every component.
    ///
    /// # Errors
    /// With an ablation: if there are no statistics for the means, or the model has no such component.
    pub fn attribute(
        &self,
        traced: &Traced,
        texts: &[String],
        units: &[Vec<f32>],
        ablation: &Ablation,
    ) -> Result<Attribution, SessionError> {
        let decomposition = self.decompose(traced);
        let embedding = decomposition.embedding();
        let directions: Vec<Arc<Direction>> = units.iter().map(|unit| self.direction(unit)).collect();
        let means = self.statistics().map(|statistics| {
            let of_text = |direction: &Arc<Direction>| MeanParts::new(&self.model.readout, statistics, direction);
            directions.iter().map(of_text).collect::<Vec<MeanParts>>()
        });
        let parts: Vec<Parts> = if ablation.is_none() {
            directions.iter().map(|direction| decomposition.parts(direction)).collect()
        } else {
            self.has_components(ablation)?;
            let means = means.as_ref().ok_or(SessionError::NoStatistics)?;
            let of_text = directions.iter().zip(means);
            of_text.map(|(direction, means)| ablation.parts(&decomposition, direction, means)).collect()
        };
        let intact: Vec<f32> = units.iter().map(|unit| zero_shot::dot(&embedding, unit) as f32).collect();
        let left = || parts.iter().map(|parts| parts.total() as f32).collect();
        let (scores, intact) = if ablation.is_none() { (intact, None) } else { (left(), Some(intact)) };
        let MeanAttribution { heads, mlps, embedding } =
            by_text(&self.model.readout, &parts.iter().collect::<Vec<_>>());
        let means = means
            .map(|means| by_text(&self.model.readout, &means.iter().map(MeanParts::parts).collect::<Vec<_>>()));
        Ok(Attribution {
            texts: texts.to_vec(),
            probabilities: zero_shot::probabilities(&scores, self.model.logit_scale),
            scores,
            heads,
            mlps,
            embedding,
            intact,
            means,
        })
    }

    /// Returns the means that replace the ablated components (docs/PAPERS.md, 1.11).
    fn means(&self, direction: &Direction, ablation: &Ablation) -> Result<MeanParts, SessionError> {
        self.has_components(ablation)?;
        let statistics = self.statistics().ok_or(SessionError::NoStatistics)?;
        Ok(MeanParts::new(&self.model.readout, statistics, direction))
    }

    /// Checks that the model has all components of an ablation.
    fn has_components(&self, ablation: &Ablation) -> Result<(), SessionError> {
        let readout = &self.model.readout;
        if ablation.fits(readout.layers, readout.heads) { Ok(()) } else { Err(SessionError::NoComponent) }
    }

    /// Returns one value per patch, rows first: the contribution of `heads` together to a text's score or, without a
    /// text, the mean of the heads' CLS attention.
    ///
    /// # Errors
    /// [`SessionError::NoHead`].
    pub fn map_heads(
        &self,
        traced: &Traced,
        heads: &[(usize, usize)],
        text: Option<&[f32]>,
    ) -> Result<Vec<f32>, SessionError> {
        self.has_heads(heads)?;
        let decomposition = self.decompose(traced);
        let map = match text {
            Some(text) => {
                decomposition.patches_of(&self.direction(text), |layer, head| heads.contains(&(layer, head)))
            }
            None => {
                let mut sum = vec![0.0; traced.trace.grid.len()];
                for (layer, head) in heads {
                    let attention = decomposition.attention(*layer, *head);
                    sum.iter_mut().zip(attention).for_each(|(sum, weight)| *sum += f64::from(*weight));
                }
                sum.iter().map(|sum| sum / heads.len().max(1) as f64).collect()
            }
        };
        Ok(map.into_iter().map(|value| value as f32).collect())
    }

    /// Segments by a text against the mean of other texts. Scores are linear in the text, so the mean score of the
    /// other texts is the score of their mean (docs/PAPERS.md, 1.10).
    ///
    /// # Errors
    /// As [`Self::attribute`].
    pub fn segment(
        &self,
        traced: &Traced,
        text: &[f32],
        contrast: &[Vec<f32>],
        ablation: &Ablation,
    ) -> Result<SoftMap, SessionError> {
        let difference = minus_mean(text, contrast);
        let (image, direction) = (self.decompose(traced), self.direction(&difference));
        let patches = match ablation.is_none() {
            true => image.patches(&direction),
            false => ablation.patches(&image, &direction, &self.means(&direction, ablation)?),
        };
        Ok(segment::soft_map(&patches, traced.trace.grid, self.model.config.vision.patch))
    }

    /// Returns each patch's contribution to the score of a text minus the mean of other texts, before upsampling.
    pub fn patch_scores(&self, traced: &Traced, text: &[f32], contrast: &[Vec<f32>]) -> Vec<f64> {
        self.decompose(traced).patches(&self.direction(&minus_mean(text, contrast)))
    }

    /// Returns the phrases to segment against: the person's phrases and, if `background` is set, the built-in
    /// backgrounds.
    pub fn contrast(phrase: &str, against: &[String], background: bool) -> Vec<String> {
        let built_in = segment::background_for(phrase).filter(|_text| background);
        let all = against.iter().cloned().chain(built_in);
        all.filter(|other| other != phrase).collect()
    }

    /// Finds the texts that span a head's outputs, the text that explains the most variance first (docs/PAPERS.md,
    /// 1.7).
    ///
    /// # Errors
    /// If there is no such head, no pool, or no statistics.
    pub fn label_head(&self, layer: usize, head: usize, count: usize) -> Result<Vec<HeadLabel>, SessionError> {
        self.has_head(layer, head)?;
        let statistics = self.statistics().ok_or(SessionError::NoStatistics)?;
        let pool = self.pool().ok_or(SessionError::NoPool)?;
        let readout = &self.model.readout;
        let basis = readout.head_basis(layer, head);
        let moments = statistics.head(layer, head);
        let picks = textspan(&basis, moments, &pool.embeddings, readout.head_width(), count);
        let label = |text: usize, explained: f64| HeadLabel {
            text: pool.texts.texts[text].clone(),
            property: pool.texts.property_of(text).map(str::to_owned),
            variance_explained: explained as f32,
        };
        Ok(picks.into_iter().map(|pick| label(pick.text, pick.explained)).collect())
    }

    /// Returns [`Self::label_head`] of the head that the person looks at; caches the result.
    ///
    /// # Errors
    /// As [`Self::label_head`].
    pub fn labels(&mut self, layer: usize, head: usize, count: usize) -> Result<Vec<HeadLabel>, SessionError> {
        let labels = self.find_labels(layer, head, count)?;
        self.labels.look_at((layer, head));
        Ok(labels)
    }

    /// Returns the texts of every head, `[layer][head]`; caches them.
    ///
    /// # Errors
    /// If there is no pool, or no statistics.
    pub fn labels_of_all_heads(&mut self, count: usize) -> Result<Vec<Vec<Vec<HeadLabel>>>, SessionError> {
        let (layers, heads) = (self.model.readout.layers, self.model.readout.heads);
        let mut layer = |layer| (0..heads).map(|head| self.find_labels(layer, head, count)).collect();
        (0..layers).map(&mut layer).collect()
    }

    fn find_labels(&mut self, layer: usize, head: usize, count: usize) -> Result<Vec<HeadLabel>, SessionError> {
        if let Some(labels) = self.labels.of((layer, head), count) {
            return Ok(labels);
        }
        // At least as many texts as the other heads have: the cache drops heads with another count.
        let most = count.max(self.labels.count());
        let mut labels = self.label_head(layer, head, most)?;
        self.labels.keep((layer, head), labels.clone(), most);
        labels.truncate(count);
        Ok(labels)
    }

    /// Checks that the model has a head.
    ///
    /// # Errors
    /// [`SessionError::NoHead`].
    pub fn has_head(&self, layer: usize, head: usize) -> Result<(), SessionError> {
        let (layers, heads) = (self.model.readout.layers, self.model.readout.heads);
        if layer < layers && head < heads {
            return Ok(());
        }
        Err(SessionError::NoHead { layer, head, layers, heads })
    }

    /// Checks that the model has all these heads, (layer, head).
    ///
    /// # Errors
    /// [`SessionError::NoHead`] for the first head that the model does not have.
    pub fn has_heads(&self, heads: &[(usize, usize)]) -> Result<(), SessionError> {
        heads.iter().try_for_each(|(layer, head)| self.has_head(*layer, *head))
    }

    /// Embeds many texts as unit vectors, `[text][embedding]`, without templates. `progress` receives the number of
    /// texts that are done.
    ///
    /// # Errors
    /// If a text is too long for the text tower, or the device fails.
    pub async fn embed_texts(
        &self,
        texts: &[String],
        mut progress: impl FnMut(usize),
    ) -> Result<Vec<f32>, SessionError> {
        let mut embeddings = Vec::with_capacity(texts.len() * self.model.config.embedding);
        for (index, batch) in texts.chunks(TEXT_BATCH).enumerate() {
            let tokens = self.tokens(batch)?;
            embeddings.extend(self.model.text_tower()?.embed(&tokens).await?.concat());
            progress((index * TEXT_BATCH + batch.len()).min(texts.len()));
        }
        Ok(embeddings)
    }

    /// Embeds the texts of a pool.
    ///
    /// # Errors
    /// As [`Self::embed_texts`].
    pub async fn embed_pool(&self, texts: PoolTexts, progress: impl FnMut(usize)) -> Result<Pool, SessionError> {
        let embeddings = self.embed_texts(&texts.texts, progress).await?;
        Ok(Pool { texts, embeddings })
    }

    /// Uses `pool` for head labels from now on, or the pack's own pool if `None`.
    pub fn use_pool(&mut self, pool: Option<Pool>) {
        self.own_pool = pool;
        self.labels.forget();
    }

    /// Reads a file of head statistics.
    ///
    /// # Errors
    /// If the bytes are no statistics file, or belong to another model.
    pub fn read_statistics(&self, bytes: &[u8]) -> Result<Statistics, StatisticsError> {
        Statistics::of_model(bytes, self.manifest.weights_hash(), &self.model.readout)
    }

    /// Uses `statistics` for head labels from now on, or the pack's own statistics if `None`.
    pub fn use_statistics(&mut self, statistics: Option<Statistics>) {
        self.own_statistics = statistics;
        self.labels.forget();
    }

    /// Returns the pool in use.
    pub fn pool(&self) -> Option<&Pool> {
        self.own_pool.as_ref().or(self.pack_pool.as_ref())
    }

    /// Returns whether the pack has a pool of its own.
    pub fn has_pack_pool(&self) -> bool {
        self.pack_pool.is_some()
    }

    /// Checks that the text tower can read a text.
    ///
    /// # Errors
    /// If the text is too long, or the model has no text tower.
    pub fn check_text(&self, text: &str) -> Result<(), SessionError> {
        self.tokens(std::slice::from_ref(&text)).map(|_tokens| ())
    }

    /// Returns the statistics in use.
    pub fn statistics(&self) -> Option<&Statistics> {
        self.own_statistics.as_ref().or(self.pack_statistics.as_ref())
    }

    /// Creates statistics of this model over no images.
    pub fn new_statistics(&self) -> Statistics {
        Statistics::new(&self.model.readout, self.manifest.weights_hash())
    }
}

/// Rearranges the parts of several texts: the text becomes the last index of each array.
fn by_text(readout: &Readout, texts: &[&Parts]) -> MeanAttribution {
    let each = |part: &dyn Fn(&Parts) -> f64| texts.iter().map(|parts| part(parts) as f32).collect::<Vec<f32>>();
    let layer = |layer: usize| (0..readout.heads).map(|head| each(&|parts| parts.heads[layer][head])).collect();
    MeanAttribution {
        heads: (0..readout.layers).map(layer).collect(),
        mlps: (0..readout.layers).map(|layer| each(&|parts| parts.mlps[layer])).collect(),
        embedding: each(&|parts| parts.embedding),
    }
}

/// Returns a text minus the mean of other texts.
fn minus_mean(text: &[f32], others: &[Vec<f32>]) -> Vec<f32> {
    let mut difference = text.to_vec();
    for other in others {
        for (value, other) in difference.iter_mut().zip(other) {
            *value -= other / others.len() as f32;
        }
    }
    difference
}

/// Reads a pack's tokenizer, without padding and truncation.
fn tokenizer_of(file: &[u8]) -> Result<Tokenizer, SessionError> {
    let unusable = |err: tokenizers::Error| SessionError::Tokenizer(err.to_string());
    let mut tokenizer = Tokenizer::from_bytes(file).map_err(unusable)?;
    tokenizer.with_padding(None);
    tokenizer.with_truncation(None).map_err(unusable)?;
    Ok(tokenizer)
}
