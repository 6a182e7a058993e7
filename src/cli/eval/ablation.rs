//! `headlamp eval ablation`: zero-shot accuracy with components replaced by their means (the paper's Table 1 and
//! Figure 2).

use std::path::PathBuf;

use clap::Args;
use serde::{Deserialize, Serialize};
use serde_json::json;

use super::bench::{Bench, BenchOptions, MeansOptions};
use super::classes::Labelled;
use super::classifier::{Classifier, TemplateOptions};
use super::records::Records;
use super::report::{Results, per_cent, table};
use crate::ablate::{Ablation, MeanContributions, Study};
use crate::cli::CliError;
use crate::decompose::Decomposition;

/// Zero-shot accuracy with nothing, all MLPs, CLS-to-CLS attention, both, and the attention of the first layers
/// mean-ablated
///
/// DIR holds a folder of pictures for each class (ImageNet: WordNet ids), or pictures and labels.tsv (file, tab,
/// class). The classes' names are in --classes, DIR/classes.tsv (id, tab, name) or DIR/classnames.txt (one a line,
/// in the order of the folders).
#[derive(Args, Debug)]
pub struct AblationTable {
    #[command(flatten)]
    bench: BenchOptions,
    #[command(flatten)]
    templates: TemplateOptions,
    #[command(flatten)]
    means: MeansOptions,
    /// The classes' names, one a line: id, tab, name, or the name alone
    #[arg(long, value_name = "FILE")]
    classes: Option<PathBuf>,
}

/// What was found of one picture.
#[derive(Clone, Serialize, Deserialize)]
struct Found {
    class: usize,
    /// The most likely class under each row's ablation.
    top: Vec<usize>,
}

/// The table.
#[derive(Serialize)]
struct Table {
    classes: usize,
    templates: usize,
    rows: Vec<Row>,
}

#[derive(Serialize)]
pub struct Row {
    /// What is replaced.
    pub ablated: String,
    pub right: u64,
    /// Top-1, 0 to 1.
    pub accuracy: f64,
}

impl AblationTable {
    pub fn run(&self) -> Result<(), CliError> {
        let labelled = Labelled::find(&self.bench.data, self.classes.as_deref())?;
        let labels = labelled.hash();
        let Labelled { classes, pictures } = labelled;
        let pictures = self.bench.limited(pictures)?;
        let bench = self.bench.open(Some(&self.means))?;
        let classifier = Classifier::new(&bench, &self.bench, &self.templates, classes)?;
        let ablations = Ablations::new(&bench)?;
        let heading = bench.heading(Table::NAME, &json!({"classes": classifier.hash, "labels": labels}))?;
        let records = Records::go_on(self.bench.out.as_deref(), &heading)?;
        let work = |picture: &super::classes::Picture| {
            let traced = bench.trace(&picture.path)?;
            let image = bench.session.decompose(&traced);
            let top = ablations.embeddings(&image).iter().map(|left| classifier.top(left)).collect();
            Ok(Found { class: picture.class, top })
        };
        let gathered = bench.gather(&pictures, |picture| &picture.name, records, work)?;
        let rows = rows(&ablations.names(), gathered.records.iter().map(|found| (found.class, &found.top[..])));
        let table = Table { classes: classifier.names.len(), templates: classifier.templates, rows };
        self.bench.answer(&bench, gathered, table)
    }
}

/// Accuracies of rows that are called `names`; of each picture its class and its top class in every row.
pub fn rows<'a>(names: &[String], found: impl Iterator<Item = (usize, &'a [usize])>) -> Vec<Row> {
    let mut right = vec![0_u64; names.len()];
    let mut pictures = 0_u64;
    for (class, top) in found {
        pictures += 1;
        right.iter_mut().zip(top).for_each(|(right, top)| *right += u64::from(*top == class));
    }
    let row = |(ablated, right): (&String, u64)| Row {
        ablated: ablated.clone(),
        right,
        accuracy: right as f64 / pictures.max(1) as f64,
    };
    names.iter().zip(right).map(row).collect()
}

/// The ablations of the table.
struct Ablations {
    means: MeanContributions,
    mlps: Ablation,
    cls_to_cls: Ablation,
    /// One of each layer.
    attentions: Vec<Ablation>,
}

impl Ablations {
    fn new(bench: &Bench) -> Result<Self, CliError> {
        let (layers, heads) = (bench.session.model().readout.layers, bench.session.model().readout.heads);
        let of_layer =
            |layer| Ablation { heads: (0..heads).map(|head| (layer, head)).collect(), ..Ablation::default() };
        Ok(Self {
            means: bench.means()?,
            mlps: Ablation::of_study(Study::Mlps, layers, heads),
            cls_to_cls: Ablation::of_study(Study::ClsToCls, layers, heads),
            attentions: (0..layers).map(of_layer).collect(),
        })
    }

    fn names(&self) -> Vec<String> {
        let fixed = ["nothing", "all MLPs", "CLS-to-CLS attention", "all MLPs and CLS-to-CLS attention"];
        let first = (1..=self.attentions.len()).map(|count| match count {
            1 => "attention of layer 0".to_owned(),
            count => format!("attention of layers 0 to {}", count - 1),
        });
        fixed.into_iter().map(str::to_owned).chain(first).collect()
    }

    /// What is left of the picture's embedding in each row. What is replaced in one row and in another has
    /// nothing in common, so the shifts add up.
    fn embeddings(&self, image: &Decomposition<'_>) -> Vec<Vec<f64>> {
        let intact: Vec<f64> = image.embedding().iter().map(|value| f64::from(*value)).collect();
        let mlps = self.mlps.shift(image, &self.means);
        let cls_to_cls = self.cls_to_cls.shift(image, &self.means);
        let mut rows = vec![intact.clone(), sum(&intact, &mlps), sum(&intact, &cls_to_cls)];
        rows.push(sum(&rows[1], &cls_to_cls));
        let mut left = intact;
        for attention in &self.attentions {
            left = sum(&left, &attention.shift(image, &self.means));
            rows.push(left.clone());
        }
        rows
    }
}

fn sum(a: &[f64], b: &[f64]) -> Vec<f64> {
    a.iter().zip(b).map(|(a, b)| a + b).collect()
}

impl Results for Table {
    const NAME: &'static str = "ablation";

    fn tables(&self) -> String {
        let rows = self.rows.iter().map(|row| vec![row.ablated.clone(), per_cent(row.accuracy)]);
        format!(
            "Zero-shot top-1 accuracy over {} classes, {} templates each.\n\n{}",
            self.classes,
            self.templates,
            table(&["mean-ablated", "accuracy, %"], rows)
        )
    }
}
