//! Zero-shot accuracy over labelled pictures: the parts that `eval ablation` and `eval textspan` share.

use std::path::PathBuf;

use clap::Args;
use serde::{Deserialize, Serialize};

use super::classifier::{Classifier, TemplateOptions};
use super::evaluation::{Evaluation, EvaluationOptions, MeansOptions};
use super::labelled_pictures::{LabelledPicture, LabelledPictures};
use crate::cli::error::CliError;

#[derive(Args, Debug)]
pub struct AccuracyOptions {
    #[command(flatten)]
    evaluation: EvaluationOptions,
    #[command(flatten)]
    pub templates: TemplateOptions,
    #[command(flatten)]
    means: MeansOptions,
    /// Names of the classes, one per line: id, tab, name, or the name alone
    #[arg(long, value_name = "FILE")]
    classes: Option<PathBuf>,
}

/// An evaluation with its labelled pictures.
pub struct AccuracyEvaluation<'a> {
    pub evaluation: Evaluation<'a>,
    pub pictures: Vec<LabelledPicture>,
    /// Names of the classes.
    pub classes: Vec<String>,
    /// SHA-256 of all pictures and their classes, before `--limit`.
    pub labels_hash: String,
}

impl AccuracyOptions {
    /// Finds the pictures, and opens the model.
    ///
    /// # Errors
    /// [`CliError::Data`] if the data set is not as expected, and as [`EvaluationOptions::open`].
    pub fn open(&self) -> Result<AccuracyEvaluation<'_>, CliError> {
        let labelled = LabelledPictures::find(&self.evaluation.data, self.classes.as_deref())?;
        let labels_hash = labelled.hash();
        let LabelledPictures { classes, pictures } = labelled;
        let pictures = self.evaluation.limited(pictures)?;
        let evaluation = self.evaluation.open(Some(&self.means))?;
        Ok(AccuracyEvaluation { evaluation, pictures, classes, labels_hash })
    }
}

/// The classes that the model finds for one picture, with different components replaced.
#[derive(Clone, Serialize, Deserialize)]
pub struct TopClasses {
    /// The true class.
    class: usize,
    /// The most likely class in each row of the table.
    top: Vec<usize>,
}

impl TopClasses {
    /// Classifies the embeddings of a picture, one for each row of the table.
    pub fn new(picture: &LabelledPicture, classifier: &Classifier, embeddings: &[Vec<f64>]) -> Self {
        let top = embeddings.iter().map(|embedding| classifier.top(embedding)).collect();
        Self { class: picture.class, top }
    }
}

#[derive(Serialize)]
pub struct AccuracyRow {
    /// The components that are replaced.
    pub ablated: String,
    pub right: u64,
    /// Top-1 accuracy, 0 to 1.
    pub accuracy: f64,
}

/// Computes the accuracy in each row of the table; `names` are the names of the rows.
pub fn accuracy_rows(names: Vec<String>, pictures: &[TopClasses]) -> Vec<AccuracyRow> {
    let row = |(index, ablated): (usize, String)| {
        let is_right = |picture: &&TopClasses| picture.top.get(index) == Some(&picture.class);
        let right = pictures.iter().filter(is_right).count() as u64;
        AccuracyRow { ablated, right, accuracy: right as f64 / pictures.len().max(1) as f64 }
    };
    names.into_iter().enumerate().map(row).collect()
}
