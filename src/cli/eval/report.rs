//! The answer of an evaluation, as JSON and as Markdown.

use serde::Serialize;

use crate::cli::output::{self, CommandAnswer};
use crate::cli::parallel::SkippedPicture;

/// The results of one kind of evaluation.
pub trait EvaluationResults: Serialize {
    /// The name of the evaluation on the command line.
    const NAME: &'static str;
    /// The thing that each record is about.
    const RECORD_OF: &'static str = "picture";

    /// Returns the tables in Markdown.
    fn tables(&self) -> String;
}

/// The answer of an evaluation.
#[derive(Serialize)]
pub struct EvaluationReport<'a, T> {
    pub eval: &'static str,
    pub pack: &'a str,
    pub device: &'a str,
    /// SHA-256 of the weights.
    pub weights: &'a str,
    pub data: String,
    pub images: usize,
    /// Number of pictures that an earlier run had finished.
    pub resumed: usize,
    pub skipped: Vec<SkippedPicture>,
    /// Number of pictures behind the means; `None` if no means are needed.
    pub statistics_images: Option<u64>,
    #[serde(flatten)]
    pub results: T,
    pub seconds: f64,
}

impl<T: EvaluationResults> EvaluationReport<'_, T> {
    /// Returns the answer as Markdown.
    pub fn markdown(&self) -> String {
        let images = output::count(self.images as u64, T::RECORD_OF);
        let skipped = output::skipped(self.skipped.len());
        let means = match self.statistics_images {
            Some(count) => format!("; means over {}", output::count(count, "picture")),
            None => String::new(),
        };
        let Self { eval, pack, device, data, .. } = self;
        format!(
            "# headlamp eval {eval}\n\n{pack} on {data}: {images}{skipped}{means}. {device}, {:.0} s.\n\n{}",
            self.seconds,
            self.results.tables()
        )
    }
}

impl<T: EvaluationResults> CommandAnswer for EvaluationReport<'_, T> {
    fn in_words(&self) -> String {
        self.markdown().trim_end().to_owned()
    }
}

/// Formats a table in Markdown. All columns except the first hold numbers.
pub fn table(columns: &[&str], rows: impl IntoIterator<Item = Vec<String>>) -> String {
    let line = |cells: &[String]| format!("| {} |\n", cells.join(" | "));
    let head: Vec<String> = columns.iter().map(|column| (*column).to_owned()).collect();
    let alignment: Vec<String> =
        (0..columns.len()).map(|column| if column == 0 { "---" } else { "---:" }.to_owned()).collect();
    let mut table = line(&head) + &line(&alignment);
    rows.into_iter().for_each(|row| table += &line(&row));
    table
}

/// Formats a share in per cent without the sign; `None` becomes a dash.
pub fn per_cent(share: impl Into<Option<f64>>) -> String {
    share.into().map_or_else(|| "–".to_owned(), |share| format!("{:.2}", share * 100.0))
}

/// Formats a head as layer.head.
pub fn head_name((layer, head): &(usize, usize)) -> String {
    format!("{layer}.{head}")
}
