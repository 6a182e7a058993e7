//! `headlamp align`: leads an image tower into a text space.

mod features;
mod pairs;
mod report;
mod towers;

use std::path::{Path, PathBuf};
use std::time::Instant;

use clap::Args;
use nalgebra::DMatrix;

use super::options::{DeviceOptions, Opened};
use super::pack::{Quant, is_free_folder};
use super::progress::Progress;
use super::stats::over_pictures;
use super::{CliError, options};
use crate::align::retrieval::{chance, retrieval};
use crate::align::{Learned, Learning, Pairs, learn, split};
use crate::checkpoint::Pack;
use crate::geometry::Framing;
use crate::media::Photo;
use crate::model::ModelError;
use crate::session::EngineError;
use pairs::Captioned;
use report::{Found, Report};
use towers::About;

/// Learn, from pictures with captions, where an image tower's outputs lie in a text space; write the pack of both
#[derive(Args, Debug)]
pub struct Align {
    /// Pack of the image tower: a self-supervised one's, or any other's, whose own texts are then left out
    #[arg(long, value_name = "PACK")]
    tower: PathBuf,
    /// Pack of the text tower. Default: the default pack
    #[arg(long, value_name = "PACK")]
    text: Option<PathBuf>,
    /// Pictures with captions: a table (file, tab, caption), or a folder with captions.tsv or a .txt beside each
    #[arg(long, value_name = "FOLDER|TSV")]
    pairs: PathBuf,
    /// The new pack's folder, new or empty
    #[arg(long, value_name = "DIR")]
    out: PathBuf,
    /// Share of the pictures that are held out, to measure retrieval on
    #[arg(long, value_name = "SHARE", default_value_t = 0.1, value_parser = share)]
    held_out: f64,
    /// Ridge penalty in units of the features' mean variance, or auto: whichever does best on parts held out
    #[arg(long, value_name = "PENALTY|auto", default_value = "auto", value_parser = penalty)]
    ridge: Penalty,
    /// Epochs of the contrastive refinement, at most; 0 leaves the ridge regression as it is
    #[arg(long, value_name = "N", default_value_t = Learning::default().epochs)]
    epochs: usize,
    /// Pairs that are told apart from one another at a time
    #[arg(long, value_name = "N", default_value_t = Learning::default().batch)]
    batch: usize,
    /// Step of the refinement, in units of the weights' own size
    #[arg(long, value_name = "RATE", default_value_t = Learning::default().rate)]
    rate: f64,
    /// Weight decay of the refinement
    #[arg(long, value_name = "DECAY", default_value_t = Learning::default().decay)]
    decay: f64,
    /// What chance follows from
    #[arg(long, value_name = "N", default_value_t)]
    seed: u64,
    /// Subtract the captions' mean from every text, as the default pack's texts have it (those of a text tower that
    /// was not made for pictures all lie close together)
    #[arg(long)]
    centre: bool,
    /// Pictures that head statistics are gathered over. Default: all that were learned from
    #[arg(long, value_name = "N")]
    statistics: Option<usize>,
    /// How matrices are stored
    #[arg(long, value_enum, default_value_t)]
    quant: Quant,
    /// The new pack's name
    #[arg(long)]
    name: Option<String>,
    #[command(flatten)]
    device: DeviceOptions,
    /// One line of JSON
    #[arg(long)]
    json: bool,
}

/// A ridge penalty; none: to be chosen.
#[derive(Clone, Copy, Debug)]
struct Penalty(Option<f64>);

fn penalty(text: &str) -> Result<Penalty, String> {
    match text.parse() {
        _ if text == "auto" => Ok(Penalty(None)),
        Ok(penalty) if f64::is_finite(penalty) && penalty > 0.0 => Ok(Penalty(Some(penalty))),
        _ => Err("it is auto, or a number above 0".to_owned()),
    }
}

fn share(text: &str) -> Result<f64, String> {
    match text.parse() {
        Ok(share) if (0.0..=0.9).contains(&share) => Ok(share),
        _ => Err("it is a number from 0 to 0.9".to_owned()),
    }
}

/// Where the captions lie.
pub struct TextSpace {
    /// Unit vectors, `[caption][embedding]`.
    captions: Vec<f32>,
    embedding: usize,
    is_centred: bool,
    /// A mean that was subtracted here, and that the text pack does not have.
    own_mean: Option<Vec<f32>>,
}

impl Align {
    pub fn run(&self) -> Result<(), CliError> {
        let start = Instant::now();
        is_free_folder(&self.out)?;
        let captioned = Captioned::find(&self.pairs)?;
        let text = self.text.clone().unwrap_or_else(options::default_pack);
        let space = self.embed_captions(&text, &captioned.captions)?;
        let Opened { session, device, threads, .. } = self.device.open(towers::plain(&self.tower)?)?;
        let (rows, skipped) = features::features(&session, threads, &captioned.pictures)?;
        drop(session);
        let readable: Vec<usize> = (0..rows.len()).filter(|picture| rows[*picture].is_some()).collect();
        let pairs = pairs_of(rows, &space, &captioned).of_images(&readable);
        let (training, held_out) = split::held_out(readable.len(), self.held_out, self.seed);
        let learned = self.learn(&pairs.of_images(&training))?;
        let found = Found::of(&learned, &pairs.of_images(&held_out));
        let about = About { name: self.name.clone(), findings: found.in_a_sentence(training.len()) };
        let pack = towers::joined(&self.tower, &text, &space, &learned, self.quant.into(), about)?;
        let gallery: Vec<PathBuf> =
            training.iter().map(|picture| captioned.pictures[readable[*picture]].clone()).collect();
        let gallery = &gallery[..self.statistics.unwrap_or(usize::MAX).min(gallery.len())];
        let (pack, statistics_images) = self.add_statistics(pack, gallery)?;
        pack.write(&self.out)?;
        Report {
            out: &self.out,
            pack: &pack.manifest.name,
            device,
            images: readable.len(),
            captions: captioned.captions.len(),
            training: training.len(),
            held_out: held_out.len(),
            skipped,
            learned: &learned,
            found,
            statistics_images,
            seconds: start.elapsed().as_secs_f64(),
        }
        .print(self.json)
    }

    /// Captions as the text tower of the pack in `text` has them.
    fn embed_captions(&self, text: &Path, captions: &[String]) -> Result<TextSpace, CliError> {
        let Opened { session, .. } = self.device.open(options::read_pack(text)?)?;
        let config = session.model().config.text.as_ref();
        let was_centred = config.ok_or(EngineError::Model(ModelError::NoTextTower))?.centred;
        let progress = Progress::of(captions.len(), "captions");
        let pool = session.embed_pool(captions.to_vec(), |done| progress.reached(done));
        let captions = pollster::block_on(pool)?.embeddings;
        let embedding = session.model().config.embedding;
        if was_centred || !self.centre {
            return Ok(TextSpace { captions, embedding, is_centred: was_centred, own_mean: None });
        }
        let count = (captions.len() / embedding).max(1) as f64;
        let mean_of = |column: usize| {
            captions.iter().skip(column).step_by(embedding).map(|value| f64::from(*value)).sum::<f64>() / count
        };
        let mean: Vec<f32> = (0..embedding).map(|column| mean_of(column) as f32).collect();
        let captions = towers::centred(&captions, &mean);
        Ok(TextSpace { captions, embedding, is_centred: true, own_mean: Some(mean) })
    }

    fn learn(&self, training: &Pairs) -> Result<Learned, CliError> {
        let Self { ridge: Penalty(ridge), epochs, batch, rate, decay, seed, .. } = *self;
        let progress = Progress::of(2 * epochs, "epochs");
        let learning = Learning { ridge, epochs, batch, rate, decay, seed };
        Ok(learn(training, &learning, |done, _most| progress.reached(done))?)
    }

    /// Head statistics over `gallery`: another pass, as they are of the new pack's embedding.
    fn add_statistics(&self, pack: Pack, gallery: &[PathBuf]) -> Result<(Pack, u64), CliError> {
        if gallery.is_empty() {
            return Ok((pack, 0));
        }
        let Opened { session, threads, .. } = self.device.open(pack.clone())?;
        let mut statistics = session.new_statistics();
        let trace = |photo: &Photo| Ok(pollster::block_on(session.trace(photo, Framing::CentreCrop))?);
        over_pictures(gallery, threads, trace, |_path, traced| {
            statistics.push(&session.decompose(&traced));
            Ok(())
        })?;
        let images = statistics.images();
        let bytes = statistics.to_bytes().map_err(EngineError::from)?;
        Ok((towers::with_statistics(pack, bytes)?, images))
    }
}

/// Features and captions as matrices; a picture that could not be read has a row of zeros.
fn pairs_of(rows: features::Rows, space: &TextSpace, captioned: &Captioned) -> Pairs {
    let width = rows.iter().flatten().map(Vec::len).next().unwrap_or(0);
    let flat = rows.into_iter().flat_map(|row| row.unwrap_or_else(|| vec![0.0; width])).map(f64::from);
    let images = DMatrix::from_row_iterator(captioned.pictures.len(), width, flat);
    let captions = space.captions.iter().map(|value| f64::from(*value));
    let captions = DMatrix::from_row_iterator(captioned.captions.len(), space.embedding, captions);
    Pairs { images, captions, pairs: captioned.pairs.clone() }
}

impl Found {
    /// Retrieval on what was held out; none where that is less than two pictures.
    fn of(learned: &Learned, held_out: &Pairs) -> Self {
        if held_out.images.nrows() < 2 {
            return Self::default();
        }
        let of = |projection: &crate::align::Projection| retrieval(&projection.embed(&held_out.images), held_out);
        Self {
            ridge: Some(of(&learned.ridge)),
            aligned: Some(of(&learned.projection)),
            chance: Some(chance(held_out)),
        }
    }
}
