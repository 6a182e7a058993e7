//! `headlamp eval`: the papers' tables (docs/PAPERS.md), from the data sets themselves.
//!
//! `docs/CLI.md` says which layouts are read, `docs/REPRODUCTION.md` which figures to hold the results against.
//! Each evaluation keeps what it found of every picture in `--out` as it comes ([`records`]), and adds up at
//! the end.

mod ablation;
mod bench;
mod classes;
mod classifier;
mod completeness;
mod davis;
mod discovery;
mod masks;
mod records;
mod report;
mod segmentation;
mod voc;
mod waterbirds;

use clap::Subcommand;

use super::CliError;

/// Reproduce the tables of "Interpreting CLIP's Image Representation via Text-Based Decomposition", and DAVIS and
/// object discovery as "Is ImageNet worth 1 video?" has them
#[derive(Subcommand, Debug)]
pub enum Eval {
    Ablation(ablation::AblationTable),
    Textspan(completeness::Completeness),
    Segmentation(segmentation::SegmentationTable),
    Waterbirds(waterbirds::Waterbirds),
    Davis(davis::DavisTable),
    Discovery(discovery::DiscoveryTable),
}

impl Eval {
    pub fn run(&self) -> Result<(), CliError> {
        match self {
            Self::Ablation(table) => table.run(),
            Self::Textspan(curve) => curve.run(),
            Self::Segmentation(table) => table.run(),
            Self::Waterbirds(table) => table.run(),
            Self::Davis(table) => table.run(),
            Self::Discovery(table) => table.run(),
        }
    }
}
