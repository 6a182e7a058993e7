//! `headlamp eval ablation`: zero-shot accuracy with components replaced by their means (docs/PAPERS.md, 1.11; Table 1
//! and Figure 2 of the paper).

use clap::Args;
use serde::Serialize;
use serde_json::json;

use super::accuracy::{AccuracyEvaluation, AccuracyOptions, AccuracyRow, TopClasses, accuracy_rows};
use super::classifier::{Classifier, embedding_of};
use super::evaluation::Evaluation;
use super::report::{EvaluationResults, per_cent, table};
use crate::ablate::{Ablation, MeanContributions, Study};
use crate::cli::error::CliError;
use crate::decompose::Decomposition;

/// Zero-shot accuracy with mean-ablation of nothing, of all MLPs, of CLS-to-CLS attention, of both, and of the
/// attention of the first layers
///
/// DIR holds a folder of pictures for each class (ImageNet: WordNet ids), or pictures and labels.tsv (file, tab,
/// class). The names of the classes are in --classes, in DIR/classes.tsv (id, tab, name) or in DIR/classnames.txt
/// (one per line, in the order of the folders).
#[derive(Args, Debug)]
pub struct EvalAblation {
    #[command(flatten)]
    accuracy: AccuracyOptions,
}

#[derive(Serialize)]
struct AblationResults {
    classes: usize,
    templates: usize,
    rows: Vec<AccuracyRow>,
}

impl EvalAblation {
    pub fn run(&self) -> Result<(), CliError> {
        let AccuracyEvaluation { evaluation, pictures, classes, labels_hash } = self.accuracy.open()?;
        let classifier = Classifier::new(&evaluation, &self.accuracy.templates, classes)?;
        let ablations = TableAblations::new(&evaluation)?;
        let own = json!({"classes": classifier.hash, "labels": labels_hash});
        let gathered = evaluation.gather(
            AblationResults::NAME,
            &own,
            &pictures,
            |picture| &picture.name,
            |picture| {
                let traced = evaluation.trace(&picture.path)?;
                let embeddings = ablations.embeddings(&evaluation.session.decompose(&traced));
                Ok(TopClasses::new(picture, &classifier, &embeddings))
            },
        )?;
        let rows = accuracy_rows(ablations.names(), &gathered.records);
        let results = AblationResults { classes: classifier.names.len(), templates: classifier.templates, rows };
        evaluation.answer(gathered, results)
    }
}

/// The ablations in the rows of the table.
struct TableAblations {
    means: MeanContributions,
    mlps: Ablation,
    cls_to_cls: Ablation,
    /// The attention of each layer.
    attentions: Vec<Ablation>,
}

impl TableAblations {
    fn new(evaluation: &Evaluation<'_>) -> Result<Self, CliError> {
        let readout = &evaluation.session.model().readout;
        let (layers, heads) = (readout.layers, readout.heads);
        let of_layer =
            |layer| Ablation { heads: (0..heads).map(|head| (layer, head)).collect(), ..Ablation::default() };
        Ok(Self {
            means: evaluation.means()?,
            mlps: Ablation::of_study(Study::Mlps, layers, heads),
            cls_to_cls: Ablation::of_study(Study::ClsToCls, layers, heads),
            attentions: (0..layers).map(of_layer).collect(),
        })
    }

    fn names(&self) -> Vec<String> {
        let fixed = ["nothing", "all MLPs", "CLS-to-CLS attention", "all MLPs and CLS-to-CLS attention"];
        let first_layers = (1..=self.attentions.len()).map(|count| match count {
            1 => "attention of layer 0".to_owned(),
            count => format!("attention of layers 0 to {}", count - 1),
        });
        fixed.into_iter().map(str::to_owned).chain(first_layers).collect()
    }

    /// Computes the embedding of the picture in each row, `[row][embedding]`. The ablations of different rows have no
    /// component in common, so their shifts can be added.
    fn embeddings(&self, image: &Decomposition<'_>) -> Vec<Vec<f64>> {
        let intact = embedding_of(image);
        let mlps = self.mlps.shift(image, &self.means);
        let cls_to_cls = self.cls_to_cls.shift(image, &self.means);
        let mut rows = vec![intact.clone(), sum(&intact, &mlps), sum(&intact, &cls_to_cls)];
        rows.push(sum(&rows[1], &cls_to_cls));
        let mut ablated = intact;
        for attention in &self.attentions {
            ablated = sum(&ablated, &attention.shift(image, &self.means));
            rows.push(ablated.clone());
        }
        rows
    }
}

fn sum(a: &[f64], b: &[f64]) -> Vec<f64> {
    a.iter().zip(b).map(|(a, b)| a + b).collect()
}

impl EvaluationResults for AblationResults {
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
