//! `headlamp align`: learns a projection from an image tower into a text space (docs/PAPERS.md, 3).

mod captions;
mod features;
mod report;
mod text_space;
mod towers;

use std::path::PathBuf;
use std::time::Instant;

use clap::Args;
use nalgebra::DMatrix;

use super::error::CliError;
use super::options::{self, DeviceOptions, OpenModel, WeightStorage};
use super::output::{self, AnswerFormat};
use super::stats::gather_statistics;
use super::terminal_progress::TerminalProgress;
use crate::align::{LearnedProjection, LearningOptions, Pairs, learn, split};
use crate::checkpoint::Pack;
use crate::session::SessionError;
use captions::CaptionedPictures;
use features::FeatureRows;
use report::{AlignAnswer, HeldOutRetrieval};
use text_space::TextSpace;
use towers::PackDescription;

/// Learn a projection from an image tower into a text space; write a pack with both towers
#[derive(Args, Debug)]
pub struct Align {
    /// Pack of the image tower, of a self-supervised or any other model; texts in this pack are left out
    #[arg(long, value_name = "PACK")]
    tower: PathBuf,
    /// Pack of the text tower. Default: the default pack
    #[arg(long, value_name = "PACK")]
    text: Option<PathBuf>,
    /// Pictures with captions: a table (file, tab, caption), or a folder with captions.tsv or a .txt beside each picture
    #[arg(long, value_name = "FOLDER|TSV")]
    pairs: PathBuf,
    /// Folder for the new pack, new or empty
    #[arg(long, value_name = "DIR")]
    out: PathBuf,
    /// Share of the pictures that are held out to measure retrieval
    #[arg(long, value_name = "SHARE", default_value_t = 0.1, value_parser = parse_share)]
    held_out: f64,
    /// Ridge penalty in units of the features' mean variance, or auto: the best one in cross-validation
    #[arg(long, value_name = "PENALTY|auto", default_value = "auto", value_parser = parse_penalty)]
    ridge: RidgePenalty,
    /// Highest number of epochs of the contrastive refinement; 0 keeps the ridge regression as it is
    #[arg(long, value_name = "N", default_value_t = LearningOptions::default().epochs)]
    epochs: usize,
    /// Number of pairs in a batch of the contrastive refinement
    #[arg(long, value_name = "N", default_value_t = LearningOptions::default().batch)]
    batch: usize,
    /// Step size of the refinement, relative to the size of the weights
    #[arg(long, value_name = "RATE", default_value_t = LearningOptions::default().rate)]
    rate: f64,
    /// Weight decay of the refinement
    #[arg(long, value_name = "DECAY", default_value_t = LearningOptions::default().decay)]
    decay: f64,
    /// Seed of the random choices
    #[arg(long, value_name = "N", default_value_t)]
    seed: u64,
    /// Subtract the mean of the captions from every text, as the default pack does (a text tower that was not trained
    /// with pictures puts all texts close together)
    #[arg(long)]
    centre: bool,
    /// Number of pictures for the head statistics. Default: all training pictures
    #[arg(long, value_name = "N")]
    statistics: Option<usize>,
    /// How matrices are stored
    #[arg(long, value_enum, default_value_t)]
    quant: WeightStorage,
    /// Name of the new pack
    #[arg(long)]
    name: Option<String>,
    #[command(flatten)]
    device: DeviceOptions,
    #[command(flatten)]
    format: AnswerFormat,
}

/// A ridge penalty; `None` means that cross-validation chooses.
#[derive(Clone, Copy, Debug)]
struct RidgePenalty(Option<f64>);

fn parse_penalty(text: &str) -> Result<RidgePenalty, String> {
    match text.parse() {
        _ if text == "auto" => Ok(RidgePenalty(None)),
        Ok(penalty) if f64::is_finite(penalty) && penalty > 0.0 => Ok(RidgePenalty(Some(penalty))),
        _ => Err("not auto, and not a number above 0".to_owned()),
    }
}

fn parse_share(text: &str) -> Result<f64, String> {
    match text.parse() {
        Ok(share) if (0.0..=0.9).contains(&share) => Ok(share),
        _ => Err("not a number from 0 to 0.9".to_owned()),
    }
}

impl Align {
    pub fn run(&self) -> Result<(), CliError> {
        let start = Instant::now();
        output::check_free_for_pack(&self.out)?;
        let captioned = CaptionedPictures::find(&self.pairs)?;
        let text = self.text.clone().unwrap_or_else(options::default_pack);
        let space = TextSpace::embed(self.device, &text, &captioned.captions, self.centre)?;
        let OpenModel { session, device, threads, .. } = self.device.open(towers::without_texts(&self.tower)?)?;
        let (rows, skipped) = features::features(&session, threads, &captioned.pictures)?;
        drop(session);
        let readable: Vec<usize> = (0..rows.len()).filter(|picture| rows[*picture].is_some()).collect();
        let pairs = pairs_of(rows, &space, &captioned).of_images(&readable);
        let (training, held_out) = split::held_out(readable.len(), self.held_out, self.seed);
        let learned = self.learn(&pairs.of_images(&training))?;
        let retrieval = HeldOutRetrieval::measure(&learned, &pairs.of_images(&held_out));
        let description =
            PackDescription { name: self.name.clone(), findings: retrieval.in_a_sentence(training.len()) };
        let pack = towers::joined(&self.tower, &text, &space, &learned, self.quant.into(), description)?;
        let gallery: Vec<PathBuf> =
            training.iter().map(|picture| captioned.pictures[readable[*picture]].clone()).collect();
        let gallery = &gallery[..self.statistics.unwrap_or(usize::MAX).min(gallery.len())];
        let (pack, statistics_images) = self.add_statistics(pack, gallery)?;
        pack.write(&self.out)?;
        self.format.print(&AlignAnswer {
            out: &self.out,
            pack: &pack.manifest.name,
            device,
            images: readable.len(),
            captions: captioned.captions.len(),
            training: training.len(),
            held_out: held_out.len(),
            skipped,
            ridge: (&learned).into(),
            epochs: learned.epochs,
            losses: &learned.losses,
            logit_scale: learned.logit_scale,
            retrieval,
            statistics_images,
            seconds: start.elapsed().as_secs_f64(),
        })
    }

    fn learn(&self, training: &Pairs) -> Result<LearnedProjection, CliError> {
        let Self { ridge: RidgePenalty(ridge), epochs, batch, rate, decay, seed, .. } = *self;
        let progress = TerminalProgress::bar(2 * epochs, "epochs");
        let learning = LearningOptions { ridge, epochs, batch, rate, decay, seed };
        Ok(learn(training, &learning, |done, _most| progress.reached(done))?)
    }

    /// Adds head statistics over `gallery` to the pack. The pictures go through the model again, because statistics
    /// depend on the embedding of the new pack. Also returns the number of pictures.
    fn add_statistics(&self, pack: Pack, gallery: &[PathBuf]) -> Result<(Pack, u64), CliError> {
        if gallery.is_empty() {
            return Ok((pack, 0));
        }
        let OpenModel { session, threads, .. } = self.device.open(pack.clone())?;
        let (statistics, _skipped) = gather_statistics(&session, threads, gallery)?;
        let bytes = statistics.to_bytes().map_err(SessionError::from)?;
        Ok((towers::with_statistics(pack, bytes)?, statistics.images()))
    }
}

/// Puts features and captions into matrices. A picture that could not be read has a row of zeros.
fn pairs_of(rows: FeatureRows, space: &TextSpace, captioned: &CaptionedPictures) -> Pairs {
    let width = rows.iter().flatten().map(Vec::len).next().unwrap_or(0);
    let flat = rows.into_iter().flat_map(|row| row.unwrap_or_else(|| vec![0.0; width])).map(f64::from);
    let images = DMatrix::from_row_iterator(captioned.pictures.len(), width, flat);
    let captions = space.captions.iter().map(|value| f64::from(*value));
    let captions = DMatrix::from_row_iterator(captioned.captions.len(), space.embedding, captions);
    Pairs { images, captions, pairs: captioned.pairs.clone() }
}
