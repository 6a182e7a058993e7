//! The text embeddings that an image tower learns to match.

use std::path::Path;

use crate::cli::error::CliError;
use crate::cli::options::{self, DeviceOptions, OpenModel};
use crate::cli::terminal_progress::TerminalProgress;
use crate::model::ModelError;
use crate::session::SessionError;
use crate::zero_shot::normalised;

/// The captions in the space of the text tower.
pub struct TextSpace {
    /// Unit vectors, `[caption][embedding]`.
    pub captions: Vec<f32>,
    /// Width of the embedding.
    pub embedding: usize,
    /// Whether a mean was subtracted from the texts, here or in the text pack.
    pub is_centred: bool,
    /// The mean that was subtracted here, `[embedding]`; `None` if the text pack subtracts a mean itself, or if no mean
    /// is subtracted.
    pub own_mean: Option<Vec<f32>>,
}

impl TextSpace {
    /// Embeds captions with the text tower of the pack in `text`. With `centre`, subtracts the mean of the captions,
    /// unless the pack subtracts one already.
    ///
    /// # Errors
    /// [`CliError::NoPack`], [`CliError::Checkpoint`]; [`CliError::Session`] if the pack has no text tower.
    pub fn embed(device: DeviceOptions, text: &Path, captions: &[String], centre: bool) -> Result<Self, CliError> {
        let OpenModel { session, .. } = device.open(options::read_pack(text)?)?;
        let config = session.model().config.text.as_ref();
        let was_centred = config.ok_or(SessionError::Model(ModelError::NoTextTower))?.centred;
        let progress = TerminalProgress::bar(captions.len(), "captions");
        let captions = pollster::block_on(session.embed_texts(captions, |done| progress.reached(done)))?;
        let embedding = session.model().config.embedding;
        if was_centred || !centre {
            return Ok(Self { captions, embedding, is_centred: was_centred, own_mean: None });
        }
        let count = (captions.len() / embedding).max(1) as f64;
        let mean_of = |column: usize| {
            captions.iter().skip(column).step_by(embedding).map(|value| f64::from(*value)).sum::<f64>() / count
        };
        let mean: Vec<f32> = (0..embedding).map(|column| mean_of(column) as f32).collect();
        let captions = centred(&captions, &mean);
        Ok(Self { captions, embedding, is_centred: true, own_mean: Some(mean) })
    }
}

/// Computes `normalise(unit - mean)` of each unit vector, `[text][embedding]`.
pub fn centred(units: &[f32], mean: &[f32]) -> Vec<f32> {
    let centre = |unit: &[f32]| normalised(&unit.iter().zip(mean).map(|(x, mean)| x - mean).collect::<Vec<_>>());
    units.chunks(mean.len()).flat_map(centre).collect()
}
