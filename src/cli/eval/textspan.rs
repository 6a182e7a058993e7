//! `headlamp eval textspan`: the accuracy that remains when each head is reconstructed from a few texts (docs/PAPERS.md,
//! 1.9).

use std::path::PathBuf;

use clap::Args;
use serde::Serialize;
use serde_json::json;

use super::accuracy::{AccuracyEvaluation, AccuracyOptions, AccuracyRow, TopClasses, accuracy_rows};
use super::classifier::Classifier;
use super::evaluation::Evaluation;
use super::report::{EvaluationResults, per_cent, table};
use crate::ablate::LATE_LAYERS;
use crate::checkpoint::pack::sha256_hex;
use crate::cli::error::CliError;
use crate::cli::inputs;
use crate::cli::terminal_progress::TerminalProgress;
use crate::retrieve::PictureCodes;
use crate::session::pool::Pool;
use crate::textspan::LateHeads;

/// Zero-shot accuracy when every head of the last layers is reconstructed from a number of texts
///
/// The attention of earlier layers is mean-ablated, MLPs stay as they are. Texts come from the pack's pool or from
/// --texts. DIR is as for `headlamp eval ablation`.
#[derive(Args, Debug)]
pub struct EvalTextspan {
    #[command(flatten)]
    accuracy: AccuracyOptions,
    /// Texts to span the heads with, one per line. Default: the pack's pool
    #[arg(long, value_name = "FILE")]
    texts: Option<PathBuf>,
    /// Numbers of texts for each head
    #[arg(long, value_name = "M,...", value_delimiter = ',', default_values_t = [0, 1, 2, 5, 10, 20, 30, 40, 50, 60])]
    counts: Vec<usize>,
    /// Number of last layers whose heads are reconstructed
    #[arg(long, value_name = "N", default_value_t = LATE_LAYERS)]
    late_layers: usize,
}

#[derive(Serialize)]
struct TextspanResults {
    classes: usize,
    templates: usize,
    pool: usize,
    late_layers: usize,
    /// Nothing replaced; earlier attention mean-ablated; then one row for each count of texts.
    rows: Vec<AccuracyRow>,
    /// The counts of the rows from the third on.
    counts: Vec<usize>,
    /// For each count, the share of variance that the texts explain, as a mean over the late heads.
    explained: Vec<f64>,
}

impl EvalTextspan {
    pub fn run(&self) -> Result<(), CliError> {
        let AccuracyEvaluation { mut evaluation, pictures, classes, labels_hash } = self.accuracy.open()?;
        if let Some(path) = &self.texts {
            inputs::use_pool(&mut evaluation.session, inputs::pool(path)?)?;
        }
        let Pool { texts, .. } = evaluation.session.pool().ok_or(CliError::NoPool)?;
        let (pool, pool_hash) = (texts.len(), sha256_hex(texts.texts.join("\n").as_bytes()));
        let classifier = Classifier::new(&evaluation, &self.accuracy.templates, classes)?;
        let curve = TextspanCurve::new(&evaluation, self.late_layers, &self.counts)?;
        let own = json!({
            "classes": classifier.hash, "labels": labels_hash, "counts": self.counts,
            "late_layers": self.late_layers, "pool": pool_hash,
        });
        let gathered = evaluation.gather(
            TextspanResults::NAME,
            &own,
            &pictures,
            |picture| &picture.name,
            |picture| {
                let traced = evaluation.trace(&picture.path)?;
                let session = &evaluation.session;
                let image = PictureCodes::of(&session.decompose(&traced), &session.model().readout);
                Ok(TopClasses::new(picture, &classifier, &curve.embeddings(&image)))
            },
        )?;
        let results = TextspanResults {
            classes: classifier.names.len(),
            templates: classifier.templates,
            pool,
            late_layers: curve.late.layers,
            rows: accuracy_rows(curve.names(), &gathered.records),
            counts: self.counts.clone(),
            explained: self.counts.iter().map(|count| curve.late.explained(*count)).collect(),
        };
        evaluation.answer(gathered, results)
    }
}

/// The rows of the curve: nothing replaced, earlier attention mean-ablated, and late heads from each count of texts.
struct TextspanCurve<'a> {
    late: LateHeads<'a>,
    counts: &'a [usize],
}

impl<'a> TextspanCurve<'a> {
    fn new(evaluation: &'a Evaluation<'_>, layers: usize, counts: &'a [usize]) -> Result<Self, CliError> {
        let session = &evaluation.session;
        let readout = &session.model().readout;
        let statistics = session.statistics().ok_or(CliError::NoStatistics)?;
        let Pool { embeddings, .. } = session.pool().ok_or(CliError::NoPool)?;
        let most = counts.iter().copied().max().unwrap_or(0);
        let progress = TerminalProgress::bar(layers.min(readout.layers) * readout.heads, "heads");
        let late = LateHeads::new(readout, statistics, embeddings, layers, most, || progress.step());
        Ok(Self { late, counts })
    }

    fn names(&self) -> Vec<String> {
        let counts = self.counts.iter().map(|count| match count {
            0 => "late heads by their means".to_owned(),
            1 => "late heads by 1 text each".to_owned(),
            count => format!("late heads by {count} texts each"),
        });
        ["nothing", "earlier attention by its mean"].into_iter().map(str::to_owned).chain(counts).collect()
    }

    /// Computes the embedding of the picture in each row, `[row][embedding]`.
    fn embeddings(&self, image: &PictureCodes) -> Vec<Vec<f64>> {
        let intact = image.embedding.iter().map(|value| f64::from(*value)).collect();
        let replaced = self.late.replace(image);
        let by_texts = self.counts.iter().map(|count| replaced.by_texts(*count));
        [intact, replaced.early.clone()].into_iter().chain(by_texts).collect()
    }
}

impl EvaluationResults for TextspanResults {
    const NAME: &'static str = "textspan";

    fn tables(&self) -> String {
        let explained = [None, None].into_iter().chain(self.explained.iter().copied().map(Some));
        let rows = self.rows.iter().zip(explained);
        let rows = rows.map(|(row, share)| vec![row.ablated.clone(), per_cent(row.accuracy), per_cent(share)]);
        format!(
            "Zero-shot top-1 accuracy over {} classes, {} templates each. The heads of the last {} layers are \
             reconstructed from texts out of {}, earlier attention is replaced by its mean, MLPs stay as they are.\n\n{}",
            self.classes,
            self.templates,
            self.late_layers,
            self.pool,
            table(&["replaced", "accuracy, %", "variance explained, %"], rows)
        )
    }
}
