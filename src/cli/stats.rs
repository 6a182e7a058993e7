//! `headlamp stats`: gathers head statistics over a gallery of pictures, and merges them (docs/PAPERS.md, 1.8).

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::str::FromStr;
use std::time::Instant;

use clap::{Args, Subcommand};
use serde::Serialize;

use super::error::CliError;
use super::options::{ModelOptions, OpenModel};
use super::output::{AnswerFormat, CommandAnswer};
use super::parallel::{SkippedPicture, on_readable_pictures};
use super::{inputs, output, pictures};
use crate::checkpoint::pack::sha256_hex;
use crate::geometry::Framing;
use crate::media::Photo;
use crate::session::{Session, SessionError};
use crate::statistics::Statistics;

/// Gather head statistics over the pictures in a folder and the folders in it, or merge statistics
#[derive(Args, Debug)]
#[command(args_conflicts_with_subcommands = true, subcommand_negates_reqs = true)]
pub struct Stats {
    #[command(subcommand)]
    task: Option<StatsTask>,
    /// Folder of pictures; folders inside it count too
    #[arg(value_name = "FOLDER", required = true)]
    folder: Option<PathBuf>,
    /// New file for the statistics
    #[arg(long, value_name = "FILE", required = true)]
    out: Option<PathBuf>,
    /// Only the first N pictures, by path
    #[arg(long, value_name = "N")]
    limit: Option<usize>,
    /// Only every N-th picture, starting with the I-th: the share of machine I of N
    #[arg(long, value_name = "I/N")]
    part: Option<MachineShare>,
    #[command(flatten)]
    model: ModelOptions,
    #[command(flatten)]
    format: AnswerFormat,
}

#[derive(Subcommand, Debug)]
enum StatsTask {
    /// Merge several statistics files into one, as if their pictures had been gathered together
    Merge(MergeStatistics),
}

#[derive(Args, Debug)]
struct MergeStatistics {
    /// Statistics files of one model
    #[arg(required = true, value_name = "FILE")]
    files: Vec<PathBuf>,
    /// New file for the statistics
    #[arg(long, value_name = "FILE")]
    out: PathBuf,
    #[command(flatten)]
    format: AnswerFormat,
}

/// The share of the pictures that one of several machines works on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct MachineShare {
    /// From 0.
    machine: usize,
    machines: usize,
}

#[derive(Serialize)]
struct StatsAnswer<'a> {
    out: &'a Path,
    images: u64,
    skipped: Vec<SkippedPicture>,
    seconds: f64,
}

impl Stats {
    pub fn run(&self) -> Result<(), CliError> {
        match (&self.task, &self.folder, &self.out) {
            (Some(StatsTask::Merge(merge)), ..) => merge.run(),
            (None, Some(folder), Some(out)) => self.gather(folder, out),
            // clap requires both already.
            (None, ..) => Err(CliError::Usage("name a folder of pictures and an --out".to_owned())),
        }
    }

    fn gather(&self, folder: &Path, out: &Path) -> Result<(), CliError> {
        output::check_free_file(out)?;
        let start = Instant::now();
        let images = self.pictures(folder)?;
        let OpenModel { session, threads, .. } = self.model.open()?;
        let (statistics, skipped) = gather_statistics(&session, threads, &images)?;
        write(&statistics, out)?;
        let (images, seconds) = (statistics.images(), start.elapsed().as_secs_f64());
        self.format.print(&StatsAnswer { out, images, skipped, seconds })
    }

    /// Lists this machine's share of the pictures in `folder`.
    fn pictures(&self, folder: &Path) -> Result<Vec<PathBuf>, CliError> {
        let mut images = pictures::in_all_folders(folder)?;
        images.truncate(self.limit.unwrap_or(usize::MAX));
        let MachineShare { machine, machines } = self.part.unwrap_or(MachineShare { machine: 0, machines: 1 });
        let images: Vec<PathBuf> = images.into_iter().skip(machine).step_by(machines).collect();
        if images.is_empty() {
            return Err(CliError::NoPictures(folder.to_owned()));
        }
        Ok(images)
    }
}

/// Gathers head statistics over the pictures. Pictures that cannot be read are returned.
///
/// # Errors
/// As [`on_readable_pictures`].
pub fn gather_statistics(
    session: &Session,
    threads: usize,
    images: &[PathBuf],
) -> Result<(Statistics, Vec<SkippedPicture>), CliError> {
    let mut statistics = session.new_statistics();
    // Models are trained on the centre crop. The texts of the heads hold for this framing.
    let trace = |photo: &Photo| Ok(pollster::block_on(session.trace(photo, Framing::CentreCrop))?);
    let skipped = on_readable_pictures(images, threads, trace, |_path, traced| {
        statistics.push(&session.decompose(&traced));
        Ok(())
    })?;
    Ok((statistics, skipped))
}

impl MergeStatistics {
    fn run(&self) -> Result<(), CliError> {
        output::check_free_file(&self.out)?;
        let start = Instant::now();
        let mut merged: Option<Statistics> = None;
        let mut file_of_hash = HashMap::new();
        for path in &self.files {
            let of_file = |source| CliError::Statistics { path: path.clone(), source };
            let bytes = inputs::read(path)?;
            if let Some(other) = file_of_hash.insert(sha256_hex(&bytes), path) {
                let reason = format!("the same statistics as {}: its pictures would count twice", other.display());
                return Err(CliError::data(path, reason));
            }
            let statistics = Statistics::from_bytes(&bytes).map_err(of_file)?;
            match &mut merged {
                None => merged = Some(statistics),
                Some(merged) => merged.merge(&statistics).map_err(of_file)?,
            }
        }
        let merged = merged.ok_or_else(|| CliError::Usage("name the files to merge".to_owned()))?;
        write(&merged, &self.out)?;
        let (images, seconds) = (merged.images(), start.elapsed().as_secs_f64());
        self.format.print(&StatsAnswer { out: &self.out, images, skipped: Vec::new(), seconds })
    }
}

fn write(statistics: &Statistics, path: &Path) -> Result<(), CliError> {
    output::write(path, &statistics.to_bytes().map_err(SessionError::from)?)
}

impl CommandAnswer for StatsAnswer<'_> {
    fn in_words(&self) -> String {
        let Self { out, images, skipped, seconds } = self;
        let (images, skipped) = (output::count(*images, "picture"), output::skipped(skipped.len()));
        format!("{}: statistics over {images}{skipped}, {seconds:.1} s", out.display())
    }
}

impl FromStr for MachineShare {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let numbers = text.split_once('/').and_then(|(a, b)| Some((a.parse::<usize>().ok()?, b.parse().ok()?)));
        match numbers {
            Some((machine, machines)) if (1..=machines).contains(&machine) => {
                Ok(Self { machine: machine - 1, machines })
            }
            _ => Err("write for example 3/8 for the third of eight parts".to_owned()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn machines_are_counted_from_one() {
        assert_eq!("3/8".parse(), Ok(MachineShare { machine: 2, machines: 8 }));
        for wrong in ["0/8", "9/8", "1/0", "3", "3/", "a/b", "-1/4"] {
            assert!(wrong.parse::<MachineShare>().is_err(), "{wrong}");
        }
    }
}
