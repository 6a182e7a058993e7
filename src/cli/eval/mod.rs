//! `headlamp eval`: computes the tables of the papers (docs/PAPERS.md) from the data sets.
//!
//! `docs/CLI.md` describes the layouts of the data sets, `docs/REPRODUCTION.md` lists the published figures. Each
//! evaluation keeps a record of each picture in `--out` ([`records`]) and summarises the records at the end.

mod ablation;
mod accuracy;
mod classifier;
mod davis;
mod discovery;
mod evaluation;
mod imagenet_segmentation;
mod labelled_pictures;
mod records;
mod report;
mod segmentation;
mod textspan;
mod voc;
mod waterbirds;

use clap::Subcommand;

use super::error::CliError;

/// Compute the tables of "Interpreting CLIP's Image Representation via Text-Based Decomposition", and the DAVIS and
/// object discovery figures of "Is ImageNet worth 1 video?"
#[derive(Subcommand, Debug)]
pub enum Eval {
    Ablation(ablation::EvalAblation),
    Textspan(textspan::EvalTextspan),
    Segmentation(segmentation::EvalSegmentation),
    Waterbirds(waterbirds::EvalWaterbirds),
    Davis(davis::EvalDavis),
    Discovery(discovery::EvalDiscovery),
}

impl Eval {
    pub fn run(&self) -> Result<(), CliError> {
        match self {
            Self::Ablation(eval) => eval.run(),
            Self::Textspan(eval) => eval.run(),
            Self::Segmentation(eval) => eval.run(),
            Self::Waterbirds(eval) => eval.run(),
            Self::Davis(eval) => eval.run(),
            Self::Discovery(eval) => eval.run(),
        }
    }
}
