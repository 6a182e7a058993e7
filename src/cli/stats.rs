//! `headlamp stats`: gathers what a gallery of pictures says about each head, and merges it.

use std::path::{Path, PathBuf};
use std::str::FromStr;
use std::time::Instant;

use clap::{Args, Subcommand};
use serde::Serialize;

use super::options::{ModelOptions, Opened};
use super::progress::Progress;
use super::{CliError, inputs, output, pictures};
use crate::geometry::Framing;
use crate::media::Photo;
use crate::session::EngineError;
use crate::statistics::Statistics;

/// Gather head statistics over the pictures in a folder and the folders in it, or merge statistics
#[derive(Args, Debug)]
#[command(args_conflicts_with_subcommands = true, subcommand_negates_reqs = true)]
pub struct Stats {
    #[command(subcommand)]
    task: Option<Task>,
    /// Pictures, and folders of them
    #[arg(value_name = "FOLDER", required = true)]
    folder: Option<PathBuf>,
    /// The statistics file, new
    #[arg(long, value_name = "FILE", required = true)]
    out: Option<PathBuf>,
    /// Only the first N pictures, by path
    #[arg(long, value_name = "N")]
    limit: Option<usize>,
    /// Only every N-th picture, from the I-th on: machine I of N
    #[arg(long, value_name = "I/N")]
    part: Option<Part>,
    #[command(flatten)]
    model: ModelOptions,
    /// One line of JSON
    #[arg(long)]
    json: bool,
}

#[derive(Subcommand, Debug)]
enum Task {
    /// Make one statistics file of several, as if their pictures had been gathered together
    Merge(Merge),
}

#[derive(Args, Debug)]
struct Merge {
    /// Statistics files of one model
    #[arg(required = true, value_name = "FILE")]
    files: Vec<PathBuf>,
    /// The statistics file, new
    #[arg(long, value_name = "FILE")]
    out: PathBuf,
    /// One line of JSON
    #[arg(long)]
    json: bool,
}

/// One machine's share of the pictures.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Part {
    /// From 0.
    index: usize,
    of: usize,
}

/// The answer.
#[derive(Serialize)]
struct Gathered<'a> {
    out: &'a Path,
    images: u64,
    skipped: Vec<Skipped>,
    seconds: f64,
}

/// A picture that could not be read.
#[derive(Serialize)]
pub struct Skipped {
    pub image: String,
    pub error: String,
}

impl Stats {
    pub fn run(&self) -> Result<(), CliError> {
        match (&self.task, &self.folder, &self.out) {
            (Some(Task::Merge(merge)), ..) => merge.run(),
            (None, Some(folder), Some(out)) => self.gather(folder, out),
            // clap asks for both before it comes to this.
            (None, ..) => Err(CliError::Usage("name a folder of pictures and an --out".to_owned())),
        }
    }

    fn gather(&self, folder: &Path, out: &Path) -> Result<(), CliError> {
        output::is_free(out)?;
        let start = Instant::now();
        let images = self.pictures(folder)?;
        let Opened { session, threads, .. } = self.model.open()?;
        let mut statistics = session.new_statistics();
        // Framed as in training: that is what the heads' texts are about.
        let trace = |photo: &Photo| Ok(pollster::block_on(session.trace(photo, Framing::CentreCrop))?);
        let skipped = over_pictures(&images, threads, trace, |_path, traced| {
            statistics.push(&session.decompose(&traced));
            Ok(())
        })?;
        write(&statistics, out)?;
        let images = statistics.images();
        Gathered { out, images, skipped, seconds: start.elapsed().as_secs_f64() }.print(self.json)
    }

    /// This machine's share of the pictures in `folder`.
    fn pictures(&self, folder: &Path) -> Result<Vec<PathBuf>, CliError> {
        let mut images = pictures::beneath(folder)?;
        images.truncate(self.limit.unwrap_or(usize::MAX));
        let Part { index, of } = self.part.unwrap_or(Part { index: 0, of: 1 });
        let images: Vec<PathBuf> = images.into_iter().skip(index).step_by(of).collect();
        if images.is_empty() {
            return Err(CliError::NoPictures(folder.to_owned()));
        }
        Ok(images)
    }
}

/// Does `work` on each of `images`, on so many threads, and `take`s the results in order; images that cannot be
/// read are complained of and listed.
///
/// # Errors
/// Where it fails for another reason than its picture, and where no picture could be read.
pub fn over_pictures<R: Send>(
    images: &[PathBuf],
    threads: usize,
    work: impl Fn(&Photo) -> Result<R, CliError> + Sync,
    mut take: impl FnMut(&Path, R) -> Result<(), CliError>,
) -> Result<Vec<Skipped>, CliError> {
    let progress = Progress::of(images.len(), "pictures");
    let mut skipped = Vec::new();
    pictures::each(
        images,
        threads,
        |_path, photo, _seconds| work(photo),
        |path, result| {
            progress.step();
            match result {
                Ok(result) => take(path, result)?,
                Err(error) if error.is_of_picture() => {
                    progress.complain(&format!("skipped: {error}"));
                    skipped.push(Skipped { image: path.display().to_string(), error: error.to_string() });
                }
                Err(error) => return Err(error),
            }
            Ok(())
        },
    )?;
    if skipped.len() == images.len() && !images.is_empty() {
        return Err(CliError::NoneRead(images.len()));
    }
    Ok(skipped)
}

impl Merge {
    fn run(&self) -> Result<(), CliError> {
        output::is_free(&self.out)?;
        let start = Instant::now();
        let mut merged: Option<Statistics> = None;
        for path in &self.files {
            let of_file = |source| CliError::Statistics { path: path.clone(), source };
            let statistics = Statistics::from_bytes(&inputs::read(path)?).map_err(of_file)?;
            match &mut merged {
                None => merged = Some(statistics),
                Some(merged) => merged.merge(&statistics).map_err(of_file)?,
            }
        }
        let merged = merged.ok_or_else(|| CliError::Usage("name the files to merge".to_owned()))?;
        write(&merged, &self.out)?;
        let seconds = start.elapsed().as_secs_f64();
        Gathered { out: &self.out, images: merged.images(), skipped: Vec::new(), seconds }.print(self.json)
    }
}

fn write(statistics: &Statistics, path: &Path) -> Result<(), CliError> {
    output::write(path, &statistics.to_bytes().map_err(EngineError::from)?)
}

impl Gathered<'_> {
    fn print(&self, json: bool) -> Result<(), CliError> {
        if json {
            return output::print_json(self);
        }
        let Self { out, images, skipped, seconds } = self;
        let skipped = match skipped.len() {
            0 => String::new(),
            count => format!(", {count} skipped"),
        };
        let images = output::count(*images, "picture");
        output::print(&format!("{}: statistics over {images}{skipped}, {seconds:.1} s", out.display()))
    }
}

impl FromStr for Part {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let numbers = text.split_once('/').and_then(|(index, of)| Some((index.parse().ok()?, of.parse().ok()?)));
        match numbers {
            Some((index, of)) if (1..=of).contains(&index) => Ok(Self { index: index - 1, of }),
            _ => Err("write it like 3/8, the third of eight parts".to_owned()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_part_is_counted_from_one() {
        assert_eq!("3/8".parse(), Ok(Part { index: 2, of: 8 }));
        for wrong in ["0/8", "9/8", "1/0", "3", "3/", "a/b", "-1/4"] {
            assert!(wrong.parse::<Part>().is_err(), "{wrong}");
        }
    }
}
