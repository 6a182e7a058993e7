//! `headlamp eval`: the tables of the paper (papers.md, Paper 1), from the data sets themselves.
//!
//! `docs/CLI.md` says which layouts are read, `docs/REPRODUCTION.md` which figures to hold the results against.
//! Each evaluation keeps what it found of every picture in `--out` as it comes ([`records`]), and adds up at
//! the end.

mod ablation;
mod bench;
mod classes;
mod classifier;
mod completeness;
mod masks;
mod records;
mod report;
mod segmentation;
mod waterbirds;

use clap::Subcommand;

use super::CliError;

/// Reproduce the tables of "Interpreting CLIP's Image Representation via Text-Based Decomposition"
#[derive(Subcommand, Debug)]
pub enum Eval {
    Ablation(ablation::AblationTable),
    Textspan(completeness::Completeness),
    Segmentation(segmentation::SegmentationTable),
    Waterbirds(waterbirds::Waterbirds),
}

impl Eval {
    pub fn run(&self) -> Result<(), CliError> {
        match self {
            Self::Ablation(table) => table.run(),
            Self::Textspan(curve) => curve.run(),
            Self::Segmentation(table) => table.run(),
            Self::Waterbirds(table) => table.run(),
        }
    }
}
