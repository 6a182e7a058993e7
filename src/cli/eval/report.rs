//! An evaluation's answer, as JSON and as Markdown.

use serde::Serialize;

use crate::cli::output;
use crate::cli::stats::Skipped;

/// What one evaluation adds to the answer.
pub trait Results: Serialize {
    const NAME: &'static str;
    /// What its records are of.
    const THING: &'static str = "picture";

    /// Its tables, in Markdown.
    fn tables(&self) -> String;
}

/// The answer.
#[derive(Serialize)]
pub struct Report<'a, T> {
    pub eval: &'static str,
    pub pack: &'a str,
    pub device: &'a str,
    /// SHA-256
    pub weights: &'a str,
    pub data: String,
    pub images: usize,
    /// Pictures that an earlier run had done.
    pub resumed: usize,
    pub skipped: Vec<Skipped>,
    /// Pictures behind the means; null where none are needed.
    pub statistics_images: Option<u64>,
    #[serde(flatten)]
    pub results: T,
    pub seconds: f64,
}

impl<T: Results> Report<'_, T> {
    /// The answer as people read it.
    pub fn markdown(&self) -> String {
        let images = output::count(self.images as u64, T::THING);
        let skipped = match self.skipped.len() {
            0 => String::new(),
            count => format!(", {count} skipped"),
        };
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

/// A table: what its columns hold, and its rows. All columns but the first are numbers.
pub fn table(columns: &[&str], rows: impl IntoIterator<Item = Vec<String>>) -> String {
    let line = |cells: &[String]| format!("| {} |\n", cells.join(" | "));
    let head: Vec<String> = columns.iter().map(|column| (*column).to_owned()).collect();
    let rule: Vec<String> =
        (0..columns.len()).map(|column| if column == 0 { "---" } else { "---:" }.to_owned()).collect();
    let mut table = line(&head) + &line(&rule);
    rows.into_iter().for_each(|row| table += &line(&row));
    table
}

/// A share in per cent, without the sign; a dash where there is none.
pub fn per_cent(share: impl Into<Option<f64>>) -> String {
    share.into().map_or_else(|| "–".to_owned(), |share| format!("{:.2}", share * 100.0))
}

/// A head as people write it: layer.head.
pub fn head_name((layer, head): &(usize, usize)) -> String {
    format!("{layer}.{head}")
}
