//! The zero-shot classifier (docs/PAPERS.md, 1.6): a unit vector for each class name.

use std::path::{Path, PathBuf};

use clap::Args;
use safetensors::tensor::TensorView;
use safetensors::{Dtype, SafeTensors};

use super::bench::{Bench, BenchOptions};
use crate::checkpoint::pack::sha256_hex;
use crate::cli::progress::Progress;
use crate::cli::{CliError, inputs, output};
use crate::zero_shot;

/// Sentences that a bare class name is put into.
const TEMPLATES: [&str; 7] = [
    "a photo of a {}.",
    "a picture of a {}.",
    "a close-up photo of a {}.",
    "a photo of the {}.",
    "a good photo of a {}.",
    "a drawing of a {}.",
    "{}",
];

/// The tensor of a classifier's file.
const TENSOR: &str = "classes";

#[derive(Args, Debug)]
pub struct TemplateOptions {
    /// Sentences for class names, one a line, {} where the name goes. Default: seven built-in ones
    #[arg(long, value_name = "FILE")]
    templates: Option<PathBuf>,
}

/// Classes as the model sees them.
pub struct Classifier {
    pub names: Vec<String>,
    /// A unit vector each, `[class][embedding]`.
    pub units: Vec<Vec<f32>>,
    /// How many sentences each is the mean of.
    pub templates: usize,
    /// SHA-256 of the model, the names and the sentences.
    pub hash: String,
}

impl Classifier {
    /// Embeds the names in every template of the options. With `--out` the vectors are kept there as
    /// `classes-HASH.safetensors`, `classes` `[class, embedding]` in f32, and read from there the next time.
    ///
    /// # Errors
    /// Where the file of templates is none, or a name is too long for the text tower.
    pub fn new(
        bench: &Bench,
        options: &BenchOptions,
        templates: &TemplateOptions,
        names: Vec<String>,
    ) -> Result<Self, CliError> {
        let templates = match &templates.templates {
            None => TEMPLATES.map(str::to_owned).to_vec(),
            Some(path) => templates_of(path)?,
        };
        let model = bench.session.manifest().results_hash();
        let hash = sha256_hex(format!("{model}\n{}\n\n{}", templates.join("\n"), names.join("\n")).as_bytes());
        let kept = options.out.as_ref().map(|out| out.join(format!("classes-{hash:.12}.safetensors")));
        let size = bench.session.model().config.embedding;
        let count = templates.len();
        let known = kept.as_deref().filter(|path| path.is_file()).map(|path| read(path, names.len(), size));
        let units = match known {
            Some(units) => units?,
            None => {
                let units = embed(bench, &names, &templates)?;
                if let Some(path) = kept {
                    output::write(&path, &bytes_of(&units, size)?)?;
                }
                units
            }
        };
        Ok(Self { names, units, templates: count, hash })
    }

    /// The class that is most like `embedding`, the first of equals.
    pub fn top(&self, embedding: &[f64]) -> usize {
        let score = |unit: &Vec<f32>| unit.iter().zip(embedding).map(|(a, b)| f64::from(*a) * b).sum::<f64>();
        let scores = self.units.iter().map(score).enumerate();
        scores.fold((0, f64::NEG_INFINITY), |best, next| if next.1 > best.1 { next } else { best }).0
    }

    /// The mean of all classes, `[embedding]`: what a class is held against.
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

fn embed(bench: &Bench, names: &[String], templates: &[String]) -> Result<Vec<Vec<f32>>, CliError> {
    let progress = Progress::of(names.len(), "classes");
    let size = bench.session.model().config.embedding;
    let mut units = Vec::with_capacity(names.len());
    for name in names {
        let sentences = templates.iter().map(|template| template.replace("{}", name)).collect();
        let pool = pollster::block_on(bench.session.embed_pool(sentences, |_done| {}))?;
        units.push(zero_shot::ensemble(&pool.embeddings.chunks(size).map(<[f32]>::to_vec).collect::<Vec<_>>()));
        progress.step();
    }
    Ok(units)
}

fn templates_of(path: &Path) -> Result<Vec<String>, CliError> {
    let templates = inputs::pool(path)?;
    match templates.iter().find(|template| !template.contains("{}")) {
        None => Ok(templates),
        Some(template) => {
            let reason = format!("\u{201c}{template}\u{201d} has no {{}} where the name goes");
            Err(CliError::Data { path: path.to_owned(), reason })
        }
    }
}

fn bytes_of(units: &[Vec<f32>], size: usize) -> Result<Vec<u8>, CliError> {
    let bytes: Vec<u8> = units.iter().flatten().flat_map(|value| value.to_le_bytes()).collect();
    TensorView::new(Dtype::F32, vec![units.len(), size], &bytes)
        .and_then(|view| safetensors::serialize([(TENSOR, view)], None))
        .map_err(|err| CliError::Stdout(std::io::Error::other(err)))
}

fn read(path: &Path, classes: usize, size: usize) -> Result<Vec<Vec<f32>>, CliError> {
    let bytes = inputs::read(path)?;
    let reason = "it does not hold the classes that it is named after: remove it".to_owned();
    let wrong = || CliError::Data { path: path.to_owned(), reason: reason.clone() };
    let tensors = SafeTensors::deserialize(&bytes).map_err(|_malformed| wrong())?;
    let view = tensors.tensor(TENSOR).map_err(|_missing| wrong())?;
    if view.dtype() != Dtype::F32 || view.shape() != [classes, size] {
        return Err(wrong());
    }
    let values: Vec<f32> = view.data().as_chunks().0.iter().map(|four| f32::from_le_bytes(*four)).collect();
    Ok(values.chunks(size).map(<[f32]>::to_vec).collect())
}
