//! `headlamp eval textspan`: how much of the accuracy a few texts for each head keep (docs/PAPERS.md, 1.9:
//! completeness check).

use std::path::PathBuf;

use clap::Args;
use serde::{Deserialize, Serialize};
use serde_json::json;

use super::ablation::{Row, rows};
use super::bench::{Bench, BenchOptions, MeansOptions};
use super::classes::{Labelled, Picture};
use super::classifier::{Classifier, TemplateOptions};
use super::records::Records;
use super::report::{Results, per_cent, table};
use crate::ablate::LATE_LAYERS;
use crate::checkpoint::pack::sha256_hex;
use crate::cli::progress::Progress;
use crate::cli::{CliError, inputs};
use crate::retrieve::Imprint;
use crate::session::pool::Pool;
use crate::textspan::LateHeads;

/// Zero-shot accuracy when every head of the last layers is put together from so many texts alone
///
/// Earlier attention is mean-ablated, MLPs stay. Texts come from the pack's pool or --texts. DIR is as for
/// `headlamp eval ablation`.
#[derive(Args, Debug)]
pub struct Completeness {
    #[command(flatten)]
    bench: BenchOptions,
    #[command(flatten)]
    templates: TemplateOptions,
    #[command(flatten)]
    means: MeansOptions,
    /// The classes' names, one a line: id, tab, name, or the name alone
    #[arg(long, value_name = "FILE")]
    classes: Option<PathBuf>,
    /// Texts to span the heads with, one a line. Default: the pack's pool
    #[arg(long, value_name = "FILE")]
    texts: Option<PathBuf>,
    /// Texts for each head
    #[arg(long, value_name = "M,...", value_delimiter = ',', default_values_t = [0, 1, 2, 5, 10, 20, 30, 40, 50, 60])]
    counts: Vec<usize>,
    /// How many layers are put together from texts
    #[arg(long, value_name = "N", default_value_t = LATE_LAYERS)]
    late_layers: usize,
}

#[derive(Clone, Serialize, Deserialize)]
struct Found {
    class: usize,
    /// The most likely class in each row.
    top: Vec<usize>,
}

#[derive(Serialize)]
struct Curve {
    classes: usize,
    templates: usize,
    pool: usize,
    late_layers: usize,
    /// Nothing replaced; earlier attention mean-ablated; and of each count of texts.
    rows: Vec<Row>,
    /// The counts of the last rows.
    counts: Vec<usize>,
    /// The mean share of the late heads' variance that their texts explain, of each count.
    explained: Vec<f64>,
}

impl Completeness {
    pub fn run(&self) -> Result<(), CliError> {
        let labelled = Labelled::find(&self.bench.data, self.classes.as_deref())?;
        let labels = labelled.hash();
        let Labelled { classes, pictures } = labelled;
        let pictures = self.bench.limited(pictures)?;
        let mut bench = self.bench.open(Some(&self.means))?;
        self.use_pool(&mut bench)?;
        let classifier = Classifier::new(&bench, &self.bench, &self.templates, classes)?;
        let curve_rows = CurveRows::new(&bench, self.late_layers, &self.counts)?;
        let pool = bench.session.pool().map_or(0, |pool| pool.lines.len());
        let lines = bench.session.pool().map(|pool| pool.lines.join("\n")).unwrap_or_default();
        let own = json!({
            "classes": classifier.hash, "labels": labels, "counts": self.counts, "late_layers": self.late_layers,
            "pool": sha256_hex(lines.as_bytes()),
        });
        let records = Records::go_on(self.bench.out.as_deref(), &bench.heading(Curve::NAME, &own)?)?;
        let work = |picture: &Picture| {
            let traced = bench.trace(&picture.path)?;
            let image = Imprint::of(&bench.session.decompose(&traced), &bench.session.model().readout);
            let embeddings = curve_rows.embeddings(&image);
            let top = embeddings.iter().map(|left| classifier.top(left)).collect();
            Ok(Found { class: picture.class, top })
        };
        let gathered = bench.gather(&pictures, |picture| &picture.name, records, work)?;
        let rows = rows(&curve_rows.names(), gathered.records.iter().map(|found| (found.class, &found.top[..])));
        let curve = Curve {
            classes: classifier.names.len(),
            templates: classifier.templates,
            pool,
            late_layers: curve_rows.late.layers,
            rows,
            counts: self.counts.clone(),
            explained: self.counts.iter().map(|count| curve_rows.late.explained(*count)).collect(),
        };
        self.bench.answer(&bench, gathered, curve)
    }

    fn use_pool(&self, bench: &mut Bench) -> Result<(), CliError> {
        if let Some(path) = &self.texts {
            let lines = inputs::pool(path)?;
            let progress = Progress::of(lines.len(), "texts");
            let pool = bench.session.embed_pool(lines, |done| progress.reached(done));
            bench.session.use_pool(Some(pollster::block_on(pool)?));
        }
        bench.session.pool().map(|_pool| ()).ok_or(CliError::NoPool)
    }
}

/// The curve's rows: nothing replaced, earlier attention by its mean, and late heads by so many texts each.
struct CurveRows<'a> {
    late: LateHeads<'a>,
    counts: &'a [usize],
}

impl<'a> CurveRows<'a> {
    fn new(bench: &'a Bench, layers: usize, counts: &'a [usize]) -> Result<Self, CliError> {
        let readout = &bench.session.model().readout;
        let statistics = bench.session.statistics().ok_or(CliError::NoStatistics)?;
        let Pool { embeddings, .. } = bench.session.pool().ok_or(CliError::NoPool)?;
        let most = counts.iter().copied().max().unwrap_or(0);
        let progress = Progress::of(layers.min(readout.layers) * readout.heads, "heads");
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

    /// What is left of the picture's embedding in each row.
    fn embeddings(&self, image: &Imprint) -> Vec<Vec<f64>> {
        let intact = image.embedding.iter().map(|value| f64::from(*value)).collect();
        let replaced = self.late.replace(image);
        let by_texts = self.counts.iter().map(|count| replaced.by_texts(*count));
        [intact, replaced.early.clone()].into_iter().chain(by_texts).collect()
    }
}

impl Results for Curve {
    const NAME: &'static str = "textspan";

    fn tables(&self) -> String {
        let explained = [None, None].into_iter().chain(self.explained.iter().copied().map(Some));
        let rows = self.rows.iter().zip(explained);
        let rows = rows.map(|(row, share)| vec![row.ablated.clone(), per_cent(row.accuracy), per_cent(share)]);
        format!(
            "Zero-shot top-1 accuracy over {} classes, {} templates each; the heads of the last {} layers from texts \
             out of {}, earlier attention by its mean, MLPs as they are.\n\n{}",
            self.classes,
            self.templates,
            self.late_layers,
            self.pool,
            table(&["replaced", "accuracy, %", "variance explained, %"], rows)
        )
    }
}
