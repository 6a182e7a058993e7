//! The zero-shot classifier: a unit vector for each class name (docs/PAPERS.md, 1.6).

use std::path::{Path, PathBuf};

use clap::Args;
use safetensors::tensor::TensorView;
use safetensors::{Dtype, SafeTensors};

use super::evaluation::Evaluation;
use crate::checkpoint::pack::sha256_hex;
use crate::cli::error::CliError;
use crate::cli::terminal_progress::TerminalProgress;
use crate::cli::{inputs, output};
use crate::decompose::Decomposition;
use crate::zero_shot;

/// The built-in sentences; {} stands for the class name.
const TEMPLATES: [&str; 7] = [
    "a photo of a {}.",
    "a picture of a {}.",
    "a close-up photo of a {}.",
    "a photo of the {}.",
    "a good photo of a {}.",
    "a drawing of a {}.",
    "{}",
];

/// The name of the tensor in a file of class vectors.
const TENSOR: &str = "classes";

#[derive(Args, Debug)]
pub struct TemplateOptions {
    /// Sentences for class names, one per line, with {} for the name. Default: seven built-in sentences
    #[arg(long, value_name = "FILE")]
    templates: Option<PathBuf>,
}

/// A classifier that compares embeddings with the unit vectors of class names.
pub struct Classifier {
    pub names: Vec<String>,
    /// A unit vector for each class, `[class][embedding]`.
    pub units: Vec<Vec<f32>>,
    /// The number of sentences in the mean of each class.
    pub templates: usize,
    /// SHA-256 of the model, the names and the sentences.
    pub hash: String,
}

impl Classifier {
    /// Embeds the names in every template of the options. With `--out`, the vectors are kept there as
    /// `classes-HASH.safetensors` (tensor `classes`, f32, `[class, embedding]`), and the next run reads them.
    ///
    /// # Errors
    /// [`CliError::Data`] if a template lacks `{}` or the kept file is wrong; [`CliError::Session`] if a name is too
    /// long for the text tower.
    pub fn new(
        evaluation: &Evaluation<'_>,
        templates: &TemplateOptions,
        names: Vec<String>,
    ) -> Result<Self, CliError> {
        let templates = match &templates.templates {
            None => TEMPLATES.map(str::to_owned).to_vec(),
            Some(path) => read_templates(path)?,
        };
        let model = evaluation.session.manifest().results_hash();
        let hash = sha256_hex(format!("{model}\n{}\n\n{}", templates.join("\n"), names.join("\n")).as_bytes());
        let kept = evaluation.options.out.as_ref().map(|out| out.join(format!("classes-{hash:.12}.safetensors")));
        let size = evaluation.session.model().config.embedding;
        let count = templates.len();
        let known = kept.as_deref().filter(|path| path.is_file()).map(|path| read_units(path, names.len(), size));
        let units = match known {
            Some(units) => units?,
            None => {
                let units = embed(evaluation, &names, &templates)?;
                if let Some(path) = kept {
                    output::write(&path, &bytes_of(&units, size)?)?;
                }
                units
            }
        };
        Ok(Self { names, units, templates: count, hash })
    }

    /// Returns the class with the highest score for `embedding`. Among classes with equal scores, the first counts.
    pub fn top(&self, embedding: &[f64]) -> usize {
        let score = |unit: &Vec<f32>| unit.iter().zip(embedding).map(|(a, b)| f64::from(*a) * b).sum::<f64>();
        let scores = self.units.iter().map(score).enumerate();
        scores.fold((0, f64::NEG_INFINITY), |best, next| if next.1 > best.1 { next } else { best }).0
    }

    /// Computes the mean of all classes, `[embedding]`: the contrast of each class.
    pub fn mean(&self) -> Vec<f32> {
        let mut mean = vec![0.0; self.units.first().map_or(0, Vec::len)];
        for unit in &self.units {
            mean.iter_mut()
                .zip(unit)
                .for_each(|(mean, value)| *mean += f64::from(*value) / self.units.len() as f64);
        }
        mean.into_iter().map(|value| value as f32).collect()
    }
}

/// Returns the unit embedding of a picture in f64, `[embedding]`.
pub fn embedding_of(image: &Decomposition<'_>) -> Vec<f64> {
    image.embedding().iter().map(|value| f64::from(*value)).collect()
}

/// Computes the unit vector of each name: the unit mean over all templates.
fn embed(evaluation: &Evaluation<'_>, names: &[String], templates: &[String]) -> Result<Vec<Vec<f32>>, CliError> {
    let progress = TerminalProgress::bar(names.len(), "classes");
    let size = evaluation.session.model().config.embedding;
    let mut units = Vec::with_capacity(names.len());
    for name in names {
        let sentences: Vec<String> = templates.iter().map(|template| template.replace("{}", name)).collect();
        let embeddings = pollster::block_on(evaluation.session.embed_texts(&sentences, |_done| {}))?;
        units.push(zero_shot::ensemble(&embeddings.chunks(size).map(<[f32]>::to_vec).collect::<Vec<_>>()));
        progress.step();
    }
    Ok(units)
}

fn read_templates(path: &Path) -> Result<Vec<String>, CliError> {
    let templates = inputs::pool(path)?.texts;
    match templates.iter().find(|template| !template.contains("{}")) {
        None => Ok(templates),
        Some(template) => {
            let reason = format!("\u{201c}{template}\u{201d} has no {{}} for the name");
            Err(CliError::data(path, reason))
        }
    }
}

fn bytes_of(units: &[Vec<f32>], size: usize) -> Result<Vec<u8>, CliError> {
    let bytes: Vec<u8> = units.iter().flatten().flat_map(|value| value.to_le_bytes()).collect();
    TensorView::new(Dtype::F32, vec![units.len(), size], &bytes)
        .and_then(|view| safetensors::serialize([(TENSOR, view)], None))
        .map_err(|err| CliError::Stdout(std::io::Error::other(err)))
}

fn read_units(path: &Path, classes: usize, size: usize) -> Result<Vec<Vec<f32>>, CliError> {
    let bytes = inputs::read(path)?;
    let wrong = || CliError::data(path, "the file does not contain the classes that its name says: remove it");
    let tensors = SafeTensors::deserialize(&bytes).map_err(|_malformed| wrong())?;
    let view = tensors.tensor(TENSOR).map_err(|_missing| wrong())?;
    if view.dtype() != Dtype::F32 || view.shape() != [classes, size] {
        return Err(wrong());
    }
    let values: Vec<f32> = view.data().as_chunks().0.iter().map(|four| f32::from_le_bytes(*four)).collect();
    Ok(values.chunks(size).map(<[f32]>::to_vec).collect())
}
