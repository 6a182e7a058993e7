//! What all evaluations share: their options, the open model, and the way through the pictures.

use std::path::{Path, PathBuf};
use std::time::Instant;

use clap::Args;
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

use super::records::Records;
use super::report::{Report, Results};
use crate::ablate::MeanContributions;
use crate::checkpoint::pack::sha256_hex;
use crate::cli::options::{ModelOptions, Opened};
use crate::cli::progress::Progress;
use crate::cli::stats::Skipped;
use crate::cli::{CliError, inputs, output, pictures};
use crate::geometry::Framing;
use crate::session::{EngineError, Session, Traced};
use crate::statistics::Statistics;

#[derive(Args, Debug)]
pub struct BenchOptions {
    /// The data set
    #[arg(long, value_name = "DIR")]
    pub data: PathBuf,
    /// Folder for results.json, results.md and the work in progress; the same command goes on there
    #[arg(long, value_name = "DIR")]
    pub out: Option<PathBuf>,
    /// Only N pictures, spread evenly over all of them
    #[arg(long, value_name = "N")]
    pub limit: Option<usize>,
    #[command(flatten)]
    model: ModelOptions,
    /// One line of JSON
    #[arg(long)]
    json: bool,
}

/// Where means of components come from.
#[derive(Args, Debug)]
pub struct MeansOptions {
    /// Head statistics that `headlamp stats` gathered. Default: the pack's own
    #[arg(long, value_name = "FILE")]
    statistics: Option<PathBuf>,
}

/// The open model.
pub struct Bench {
    pub session: Session,
    /// Where the pictures are.
    data: String,
    device: String,
    threads: usize,
    /// Whether results depend on means of components.
    with_means: bool,
    start: Instant,
}

/// What came of the way through the pictures.
pub struct Gathered<R> {
    /// In the order of the items; those that were skipped are left out.
    pub records: Vec<R>,
    resumed: usize,
    skipped: Vec<Skipped>,
}

impl BenchOptions {
    /// Opens the model, with the statistics in use that `means` asks for.
    ///
    /// # Errors
    /// Where the pack or the statistics cannot be used; [`CliError::NoStatistics`] where means are needed and
    /// there are none.
    pub fn open(&self, means: Option<&MeansOptions>) -> Result<Bench, CliError> {
        let start = Instant::now();
        if let Some(out) = &self.out {
            std::fs::create_dir_all(out).map_err(CliError::io("make", out))?;
        }
        let Opened { mut session, device, threads, .. } = self.model.open()?;
        if let Some(MeansOptions { statistics }) = means {
            if let Some(path) = statistics {
                let own = inputs::statistics(&session, path, &inputs::read(path)?)?;
                session.use_statistics(Some(own));
            }
            session.statistics().ok_or(CliError::NoStatistics)?;
        }
        let data = self.data.canonicalize().unwrap_or_else(|_missing| self.data.clone());
        let (data, with_means) = (data.display().to_string(), means.is_some());
        Ok(Bench { session, data, device, threads, with_means, start })
    }

    /// So many of `items` as `--limit` says, spread evenly over all.
    ///
    /// # Errors
    /// [`CliError::NoPictures`] where none is left.
    pub fn limited<T>(&self, items: Vec<T>) -> Result<Vec<T>, CliError> {
        let all = items.len();
        let limit = self.limit.unwrap_or(all).min(all);
        if limit == 0 {
            return Err(CliError::NoPictures(self.data.clone()));
        }
        // Item i stays where i * limit / all steps up.
        let stays = |index: usize| index == 0 || index * limit / all != (index - 1) * limit / all;
        Ok(items
            .into_iter()
            .enumerate()
            .filter(|(index, _item)| stays(*index))
            .map(|(_index, item)| item)
            .collect())
    }

    /// Writes the results into `--out` and prints them.
    ///
    /// # Errors
    /// Where they cannot be written.
    pub fn answer<T: Results, R>(&self, bench: &Bench, gathered: Gathered<R>, results: T) -> Result<(), CliError> {
        let report = Report {
            eval: T::NAME,
            pack: &bench.session.manifest().name,
            device: &bench.device,
            weights: bench.session.manifest().weights_hash(),
            data: self.data.display().to_string(),
            images: gathered.records.len(),
            resumed: gathered.resumed,
            skipped: gathered.skipped,
            statistics_images: bench.statistics().map(Statistics::images),
            results,
            seconds: bench.start.elapsed().as_secs_f64(),
        };
        if let Some(out) = &self.out {
            let pretty = serde_json::to_vec_pretty(&report).map_err(|err| CliError::Stdout(err.into()))?;
            output::write(&out.join("results.json"), &pretty)?;
            output::write(&out.join("results.md"), report.markdown().as_bytes())?;
        }
        if self.json { output::print_json(&report) } else { output::print(report.markdown().trim_end()) }
    }
}

impl Bench {
    /// The statistics that results depend on.
    fn statistics(&self) -> Option<&Statistics> {
        self.session.statistics().filter(|_statistics| self.with_means)
    }

    /// Every component's mean contribution.
    ///
    /// # Errors
    /// [`CliError::NoStatistics`].
    pub fn means(&self) -> Result<MeanContributions, CliError> {
        let statistics = self.session.statistics().ok_or(CliError::NoStatistics)?;
        let _busy = Progress::busy("taking the components' means");
        Ok(MeanContributions::new(&self.session.model().readout, statistics))
    }

    /// What a picture's record depends on: where it is, the model, the means, and what `own` adds.
    ///
    /// # Errors
    /// Should the statistics not be writable.
    pub fn heading(&self, eval: &str, own: &Value) -> Result<Value, CliError> {
        let bytes = self.statistics().map(Statistics::to_bytes).transpose().map_err(EngineError::from)?;
        let statistics = bytes.map(|bytes| sha256_hex(&bytes));
        let model = self.session.manifest().results_hash();
        Ok(json!({"eval": eval, "data": self.data, "model": model, "statistics": statistics, "own": own}))
    }

    /// Shows the model the picture in a file.
    ///
    /// # Errors
    /// Where it cannot be read, or the device fails.
    pub fn trace(&self, path: &Path) -> Result<Traced, CliError> {
        let photo = pictures::read_guarded(path)?;
        Ok(pollster::block_on(self.session.trace(&photo, Framing::CentreCrop))?)
    }

    /// Does `work` on each of `items` that `records` does not know yet, several side by side. A picture that
    /// cannot be read is complained of and left out.
    ///
    /// # Errors
    /// Where it fails for another reason than its picture, and where no picture could be read.
    pub fn gather<T: Sync, R: Serialize + DeserializeOwned + Clone + Send>(
        &self,
        items: &[T],
        name: impl Fn(&T) -> &str,
        mut records: Records<R>,
        work: impl Fn(&T) -> Result<R, CliError> + Sync,
    ) -> Result<Gathered<R>, CliError> {
        let to_do: Vec<&T> = items.iter().filter(|item| records.get(name(item)).is_none()).collect();
        let resumed = items.len() - to_do.len();
        let progress = Progress::of(items.len(), "done");
        progress.reached(resumed);
        let mut skipped = Vec::new();
        pictures::side_by_side(
            &to_do,
            self.threads,
            |item| work(item),
            |item, result| {
                progress.step();
                match result {
                    Ok(record) => records.add(name(item), record)?,
                    Err(error) if error.is_of_picture() => {
                        progress.complain(&format!("skipped: {error}"));
                        skipped.push(Skipped { image: name(item).to_owned(), error: error.to_string() });
                    }
                    Err(error) => return Err(error),
                }
                Ok(())
            },
        )?;
        let found: Vec<R> = items.iter().filter_map(|item| records.get(name(item))).cloned().collect();
        if found.is_empty() {
            return Err(CliError::NoneRead(items.len()));
        }
        Ok(Gathered { records: found, resumed, skipped })
    }
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;

    #[derive(Parser)]
    struct Arguments {
        #[command(flatten)]
        options: BenchOptions,
    }

    #[test]
    fn a_limit_takes_from_all_over() {
        let limited = |limit: &str| {
            let arguments = Arguments::parse_from(["", "--data", "x", "--limit", limit]);
            arguments.options.limited((0..10).collect()).ok()
        };
        assert_eq!(limited("3").unwrap(), [0, 4, 7]);
        assert_eq!(limited("10").unwrap().len(), 10);
        assert_eq!(limited("99").unwrap().len(), 10);
        assert_eq!(limited("0"), None);
    }
}
