//! The packs of an alignment: an image tower without texts, a text tower, and the new pack with both.

use std::collections::BTreeMap;
use std::path::Path;

use super::text_space::{TextSpace, centred};
use crate::align::LearnedProjection;
use crate::checkpoint::pack::{self, PackWeights};
use crate::checkpoint::{CheckpointError, Manifest, Pack, PackWriter, Quantisation, StoredWeights};
use crate::cli::error::CliError;
use crate::cli::options;
use crate::model::{ModelConfig, TensorError, TensorSource, TextConfig, VisionConfig};
use crate::session::pool::Pool;

/// Reads the image tower of the pack in `folder` without its projection and texts. Its embedding is the CLS token after
/// the final norm.
///
/// # Errors
/// [`CliError::NoPack`] or [`CliError::Checkpoint`].
pub fn without_texts(folder: &Path) -> Result<Pack, CliError> {
    let mut pack = options::read_pack(folder)?;
    let ModelConfig { vision, .. } = pack.manifest.model;
    let embedding = vision.width;
    let vision = VisionConfig { projection: false, projection_bias: false, ..vision };
    pack.manifest.model = ModelConfig { vision, text: None, embedding };
    // These files belong to the embedding with the projection.
    for file in [pack::STATISTICS, pack::POOL, pack::POOL_EMBEDDINGS] {
        pack.take(file);
    }
    Ok(pack)
}

/// Makes the pack with both towers and the projection between them, without statistics.
///
/// # Errors
/// [`CliError::Checkpoint`] if a pack cannot be read.
pub fn joined(
    tower: &Path,
    text: &Path,
    space: &TextSpace,
    learned: &LearnedProjection,
    quantisation: Quantisation,
    description: PackDescription,
) -> Result<Pack, CliError> {
    let (mut tower, mut text) = (without_texts(tower)?, options::read_pack(text)?);
    let config = ModelConfig {
        vision: VisionConfig { projection: true, projection_bias: true, ..tower.manifest.model.vision.clone() },
        text: text.manifest.model.text.clone().map(|config| TextConfig { centred: space.is_centred, ..config }),
        embedding: text.manifest.model.embedding,
    };
    let pool = Pool::of_pack(&text)?.map(|pool| match &space.own_mean {
        Some(mean) => Pool { embeddings: centred(&pool.embeddings, mean), ..pool },
        None => pool,
    });
    let manifest = description.manifest(&tower.manifest, &text.manifest, config.clone(), quantisation);
    let tokenizer =
        text.take(pack::TOKENIZER).ok_or_else(|| CheckpointError::MissingFile(pack::TOKENIZER.into()))?;
    let mut source =
        JoinedTensors { learned: tensors(learned, space), tower: tower.weights()?, text: text.weights()? };
    let mut writer = PackWriter::new(&config, &mut source, quantisation)?;
    writer.add(pack::TOKENIZER, tokenizer);
    if let Some(pool) = pool {
        pool.to_files()?.into_iter().for_each(|(name, bytes)| writer.add(name, bytes));
    }
    Ok(writer.finish(manifest)?)
}

/// Adds head statistics to the finished pack.
///
/// # Errors
/// As [`PackWriter::finish`].
pub fn with_statistics(mut pack: Pack, statistics: Vec<u8>) -> Result<Pack, CliError> {
    let manifest = pack.manifest.clone();
    let weights = pack.take(pack::WEIGHTS).ok_or_else(|| CheckpointError::MissingFile(pack::WEIGHTS.into()))?;
    let storages = manifest.storages.clone();
    let mut writer = PackWriter::of_weights(StoredWeights { bytes: weights, storages });
    for file in &manifest.files {
        if let Some(bytes) = pack.take(&file.path) {
            writer.add(&file.path, bytes);
        }
    }
    writer.add(pack::STATISTICS, statistics);
    Ok(writer.finish(manifest)?)
}

/// The name and the description of the new pack.
pub struct PackDescription {
    pub name: Option<String>,
    /// The number of training pictures, and the measured retrieval.
    pub findings: String,
}

impl PackDescription {
    fn manifest(
        self,
        tower: &Manifest,
        text: &Manifest,
        model: ModelConfig,
        quantisation: Quantisation,
    ) -> Manifest {
        let from = |which: &str, manifest: &Manifest| {
            let steps = manifest.provenance.iter().map(|step| format!("{which}: {step}")).collect::<Vec<_>>();
            steps.into_iter()
        };
        let name = self.name.unwrap_or_else(|| format!("{} with the texts of {}", tower.name, text.name));
        let description = format!(
            "An image tower with a projection into a text space, learned by headlamp align. {}",
            self.findings
        );
        let learned = format!("projection and logit scale: headlamp align. {}", self.findings);
        Manifest {
            format: pack::FORMAT,
            name,
            description,
            licence: format!("{} (image tower); {} (text tower)", tower.licence, text.licence),
            provenance: from("image tower", tower).chain(from("text tower", text)).chain([learned]).collect(),
            source: None,
            settings_given: false,
            propagation_layer: None,
            quantisation,
            storages: Vec::new(),
            model,
            files: Vec::new(),
        }
    }
}

/// Returns the learned tensors by their names in a pack.
fn tensors(learned: &LearnedProjection, space: &TextSpace) -> BTreeMap<&'static str, Vec<f32>> {
    let LearnedProjection { projection, logit_scale, .. } = learned;
    // A pack stores rows first, nalgebra columns first.
    let weight = projection.weight.transpose().iter().map(|value| *value as f32).collect();
    let bias = projection.bias.iter().map(|value| *value as f32).collect();
    let mut tensors = BTreeMap::from([
        ("vision.projection.weight", weight),
        ("vision.projection.bias", bias),
        ("logit_scale", vec![*logit_scale as f32]),
    ]);
    if let Some(mean) = &space.own_mean {
        tensors.insert("text.mean", mean.clone());
    }
    tensors
}

/// The tensors of both towers and of the projection between them.
struct JoinedTensors {
    learned: BTreeMap<&'static str, Vec<f32>>,
    tower: PackWeights,
    text: PackWeights,
}

impl TensorSource for JoinedTensors {
    fn tensor(&mut self, name: &str, shape: &[usize]) -> Result<Vec<f32>, TensorError> {
        match self.learned.get(name) {
            Some(values) => Ok(values.clone()),
            None if name.starts_with("vision.") => self.tower.tensor(name, shape),
            None => self.text.tensor(name, shape),
        }
    }
}
