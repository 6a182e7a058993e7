//! The parts that all evaluations share: their options, the open model, and the work on all pictures.

use std::path::{Path, PathBuf};
use std::time::Instant;

use clap::Args;
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

use super::records::Records;
use super::report::{EvaluationReport, EvaluationResults};
use crate::ablate::MeanContributions;
use crate::checkpoint::pack::sha256_hex;
use crate::cli::error::CliError;
use crate::cli::options::{ModelOptions, OpenModel};
use crate::cli::output::AnswerFormat;
use crate::cli::parallel::{SkippedPicture, skipping_unreadable};
use crate::cli::terminal_progress::TerminalProgress;
use crate::cli::{inputs, output, pictures};
use crate::geometry::Framing;
use crate::session::{Session, SessionError, Traced};
use crate::statistics::Statistics;

#[derive(Args, Debug)]
pub struct EvaluationOptions {
    /// Folder or file of the data set
    #[arg(long, value_name = "DIR")]
    pub data: PathBuf,
    /// Folder for results.json, results.md and the unfinished work; the same command continues there
    #[arg(long, value_name = "DIR")]
    pub out: Option<PathBuf>,
    /// Only N pictures, spread evenly over all of them
    #[arg(long, value_name = "N")]
    pub limit: Option<usize>,
    #[command(flatten)]
    model: ModelOptions,
    #[command(flatten)]
    format: AnswerFormat,
}

/// The source of the mean contributions of the components.
#[derive(Args, Debug)]
pub struct MeansOptions {
    /// Head statistics from `headlamp stats`. Default: the pack's own
    #[arg(long, value_name = "FILE")]
    statistics: Option<PathBuf>,
}

/// An evaluation with its open model.
pub struct Evaluation<'a> {
    pub options: &'a EvaluationOptions,
    pub session: Session,
    /// Absolute path of the data set.
    data: String,
    device: String,
    threads: usize,
    /// Whether the results depend on the mean contributions of components.
    with_means: bool,
    start: Instant,
}

/// The records of all pictures that could be read.
pub struct GatheredRecords<R> {
    /// In the order of the items, without those that were skipped.
    pub records: Vec<R>,
    /// For each record, the index of its item.
    pub items: Vec<usize>,
    /// Number of records of an earlier run.
    resumed: usize,
    skipped: Vec<SkippedPicture>,
}

impl EvaluationOptions {
    /// Opens the model, with the statistics that `means` names.
    ///
    /// # Errors
    /// If the pack or the statistics cannot be used; [`CliError::NoStatistics`] if means are needed and neither the
    /// pack nor `means` has statistics.
    pub fn open(&self, means: Option<&MeansOptions>) -> Result<Evaluation<'_>, CliError> {
        let start = Instant::now();
        if let Some(out) = &self.out {
            output::make_folder(out)?;
        }
        let OpenModel { mut session, device, threads, .. } = self.model.open()?;
        if let Some(MeansOptions { statistics }) = means {
            if let Some(path) = statistics {
                inputs::use_statistics(&mut session, path)?;
            }
            session.statistics().ok_or(CliError::NoStatistics)?;
        }
        let data = self.data.canonicalize().unwrap_or_else(|_missing| self.data.clone());
        let (data, with_means) = (data.display().to_string(), means.is_some());
        Ok(Evaluation { options: self, session, data, device, threads, with_means, start })
    }

    /// Returns as many of `items` as `--limit` says, spread evenly over all.
    ///
    /// # Errors
    /// [`CliError::NoPictures`] if none is left.
    pub fn limited<T>(&self, items: Vec<T>) -> Result<Vec<T>, CliError> {
        let all = items.len();
        let limit = self.limit.unwrap_or(all).min(all);
        if limit == 0 {
            return Err(CliError::NoPictures(self.data.clone()));
        }
        // Item i is kept if i * limit / all, rounded down, is larger than for item i - 1.
        let is_kept = |index: usize| index == 0 || index * limit / all != (index - 1) * limit / all;
        let kept = items.into_iter().enumerate().filter(|(index, _item)| is_kept(*index));
        Ok(kept.map(|(_index, item)| item).collect())
    }
}

impl Evaluation<'_> {
    /// Returns the statistics that the results depend on.
    fn statistics(&self) -> Option<&Statistics> {
        self.session.statistics().filter(|_statistics| self.with_means)
    }

    /// Computes the mean contribution of every component.
    ///
    /// # Errors
    /// [`CliError::NoStatistics`].
    pub fn means(&self) -> Result<MeanContributions, CliError> {
        let statistics = self.session.statistics().ok_or(CliError::NoStatistics)?;
        let _spinner = TerminalProgress::spinner("computing the means of the components");
        Ok(MeanContributions::new(&self.session.model().readout, statistics))
    }

    /// Returns everything that the record of a picture depends on: the data set, the model, the means, and `own`.
    fn heading(&self, eval: &str, own: &Value) -> Result<Value, CliError> {
        let bytes = self.statistics().map(Statistics::to_bytes).transpose().map_err(SessionError::from)?;
        let statistics = bytes.map(|bytes| sha256_hex(&bytes));
        let model = self.session.manifest().results_hash();
        Ok(json!({"eval": eval, "data": self.data, "model": model, "statistics": statistics, "own": own}))
    }

    /// Reads a picture and runs the model on its centre crop.
    ///
    /// # Errors
    /// If the picture cannot be read, or the device fails.
    pub fn trace(&self, path: &Path) -> Result<Traced, CliError> {
        let photo = pictures::read_guarded(path)?;
        Ok(pollster::block_on(self.session.trace(&photo, Framing::CentreCrop))?)
    }

    /// Computes the record of each item with `work`, several at the same time. Records of an earlier run in `--out`
    /// are used again if `eval`, `own`, the data set, the model and the means are the same. A picture that cannot be
    /// read is reported on stderr and left out.
    ///
    /// # Errors
    /// The first error that no single picture caused; [`CliError::NoPictureReadable`] if no record is left.
    pub fn gather<T: Sync, R: Serialize + DeserializeOwned + Clone + Send>(
        &self,
        eval: &str,
        own: &Value,
        items: &[T],
        name: impl Fn(&T) -> &str,
        work: impl Fn(&T) -> Result<R, CliError> + Sync,
    ) -> Result<GatheredRecords<R>, CliError> {
        let mut records = Records::resume(self.options.out.as_deref(), &self.heading(eval, own)?)?;
        let to_do: Vec<&T> = items.iter().filter(|item| records.get(name(item)).is_none()).collect();
        let resumed = items.len() - to_do.len();
        let progress = TerminalProgress::bar(items.len(), "done");
        progress.reached(resumed);
        let skipped = skipping_unreadable(
            &to_do,
            self.threads,
            &progress,
            |item| name(item).to_owned(),
            |item| work(item),
            |item, record| records.add(name(item), record),
        )?;
        let record_of = |(index, item): (usize, &T)| Some((index, records.get(name(item))?.clone()));
        let (items_with_record, records): (Vec<usize>, Vec<R>) =
            items.iter().enumerate().filter_map(record_of).unzip();
        if records.is_empty() {
            return Err(CliError::NoPictureReadable(items.len()));
        }
        Ok(GatheredRecords { records, items: items_with_record, resumed, skipped })
    }

    /// Writes the results into `--out`, and prints them.
    ///
    /// # Errors
    /// If they cannot be written.
    pub fn answer<T: EvaluationResults, R>(
        &self,
        gathered: GatheredRecords<R>,
        results: T,
    ) -> Result<(), CliError> {
        let report = EvaluationReport {
            eval: T::NAME,
            pack: &self.session.manifest().name,
            device: &self.device,
            weights: self.session.manifest().weights_hash(),
            data: self.options.data.display().to_string(),
            images: gathered.records.len(),
            resumed: gathered.resumed,
            skipped: gathered.skipped,
            statistics_images: self.statistics().map(Statistics::images),
            results,
            seconds: self.start.elapsed().as_secs_f64(),
        };
        if let Some(out) = &self.options.out {
            let pretty = serde_json::to_vec_pretty(&report).map_err(|err| CliError::Stdout(err.into()))?;
            output::write(&out.join("results.json"), &pretty)?;
            output::write(&out.join("results.md"), report.markdown().as_bytes())?;
        }
        self.options.format.print(&report)
    }
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;

    #[derive(Parser)]
    struct Arguments {
        #[command(flatten)]
        options: EvaluationOptions,
    }

    #[test]
    fn a_limit_spreads_evenly_over_all_items() {
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
