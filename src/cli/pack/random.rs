//! `headlamp pack random`: a tiny model with random weights, for tests.

use std::path::PathBuf;

use clap::Args;

use super::draft::PackDraft;
use crate::checkpoint::random_model::{self, RandomWeights};
use crate::checkpoint::{Quantisation, pack, random_model_texts};
use crate::cli::error::CliError;
use crate::cli::output;
use crate::decompose::Decomposition;
use crate::session::pool_texts::PoolTexts;
use crate::session::{Session, SessionError};
use crate::statistics::Statistics;

/// Number of random pictures behind the head statistics.
const GALLERY: usize = 40;

#[derive(Args, Debug)]
pub struct RandomPack {
    /// Seed of the weights
    #[arg(long, value_name = "N", default_value_t)]
    seed: u64,
    /// Folder for the pack, new or empty; or a new file NAME.headlamp.tar
    #[arg(long, value_name = "DIR|FILE")]
    out: PathBuf,
}

impl RandomPack {
    pub fn run(&self) -> Result<(), CliError> {
        output::check_free_for_pack(&self.out)?;
        let mut random = RandomWeights::new(self.seed);
        let manifest = random_model::manifest(self.seed, Quantisation::Q8);
        let tokenizer = random_model_texts::tokenizer().to_string().into_bytes();
        let mut draft = PackDraft::new(manifest, &mut random, tokenizer)?;
        let session = draft.open()?;
        let texts = PoolTexts::parse(&random_model_texts::pool_file()).map_err(|err| err.of_file(pack::POOL))?;
        draft.add_pool(&session, texts)?;
        let statistics = random_statistics(&session, &mut random)?;
        draft.writer.add(pack::STATISTICS, statistics.to_bytes().map_err(SessionError::from)?);
        draft.write(&self.out)
    }
}

/// Gathers head statistics over random pictures.
fn random_statistics(session: &Session, random: &mut RandomWeights) -> Result<Statistics, CliError> {
    let model = session.model();
    let mut statistics = session.new_statistics();
    for _picture in 0..GALLERY {
        let crop = random_model::crop(model.config.vision.image_size, random);
        let trace = pollster::block_on(model.vision.trace(&crop)).map_err(SessionError::from)?;
        statistics.push(&Decomposition::new(&model.readout, &trace));
    }
    Ok(statistics)
}
