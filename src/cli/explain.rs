//! `headlamp explain`: scores of phrases, and the part of each component in the scores (docs/PAPERS.md, 1.1).

use std::collections::HashMap;
use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::time::Instant;

use clap::Args;
use clap::builder::NonEmptyStringValueParser;
use serde::Serialize;

use super::error::CliError;
use super::options::{FramingOptions, ModelOptions, OpenModel, PhraseOptions};
use super::terminal_progress::TerminalProgress;
use super::{output, parallel, pictures};
use crate::ablate::Ablation;
use crate::geometry::Framing;
use crate::media::Photo;
use crate::protocol::Attribution;
use crate::session::Session;

/// Number of heads in the text for people.
const STRONGEST: usize = 5;
/// Number of texts that label each of these heads.
const LABELS: usize = 3;

/// Score phrases against pictures, and divide each score among the model's components
#[derive(Args, Debug)]
pub struct Explain {
    /// Pictures, or folders of pictures (without the folders inside them)
    #[arg(required = true, value_name = "IMAGE")]
    images: Vec<PathBuf>,
    /// A phrase; give several to compare them
    #[arg(long = "text", value_name = "TEXT", required = true, value_parser = NonEmptyStringValueParser::new())]
    texts: Vec<String>,
    #[command(flatten)]
    phrases: PhraseOptions,
    #[command(flatten)]
    framing: FramingOptions,
    #[command(flatten)]
    model: ModelOptions,
    /// Print one line of JSON for each picture
    #[arg(long)]
    json: bool,
}

/// The answer for one picture.
#[derive(Serialize)]
struct Explanation<'a> {
    /// The picture's path; only if the command is about several pictures.
    #[serde(skip_serializing_if = "Option::is_none")]
    image: Option<String>,
    pack: &'a str,
    device: &'a str,
    #[serde(flatten)]
    attribution: Attribution,
    /// The part of each patch in the first text's score, `[row][column]`.
    patches: Vec<Vec<f32>>,
    residual: f64,
    seconds: ExplainSeconds,
}

#[derive(Serialize)]
struct ExplainSeconds {
    /// Opening the model and embedding the texts; done once for all pictures.
    load: f64,
    decode: f64,
    encode: f64,
    decompose: f64,
}

/// The line of JSON for a picture that failed among several.
#[derive(Serialize)]
struct FailedPicture {
    image: String,
    error: String,
}

impl Explain {
    pub fn run(&self) -> Result<(), CliError> {
        let (images, is_several) = self.pictures()?;
        let explainer = Explainer::new(self)?;
        let progress = is_several.then(|| TerminalProgress::bar(images.len(), "pictures"));
        let without_bar = |print: &dyn Fn() -> Result<(), CliError>| match &progress {
            Some(progress) => progress.hidden_while(print),
            None => print(),
        };
        let mut failed = false;
        let mut labels = HeadTexts::default();
        let explain = |path: &Path, photo: &Photo, decode: f64| {
            let image = is_several.then(|| path.display().to_string());
            explainer.explain(photo, image, decode)
        };
        parallel::on_pictures(&images, explainer.threads, explain, |path, explained| {
            match explained {
                Ok(explanation) => {
                    let answer = self.answer(&explainer, &explanation, &mut labels)?;
                    without_bar(&|| output::print(&answer))?;
                }
                Err(error) if is_several && error.is_of_picture() => {
                    failed = true;
                    without_bar(&|| self.print_failure(path, &error))?;
                }
                Err(error) => return Err(error),
            }
            progress.iter().for_each(TerminalProgress::step);
            Ok(())
        })?;
        if failed { Err(CliError::AlreadyReported) } else { Ok(()) }
    }

    /// Lists the pictures. The second value tells whether the command is about several pictures: then each answer
    /// names its picture.
    fn pictures(&self) -> Result<(Vec<PathBuf>, bool), CliError> {
        let mut pictures = Vec::new();
        for image in &self.images {
            if image.is_dir() {
                pictures.extend(pictures::in_folder(image)?);
            } else {
                pictures.push(image.clone());
            }
        }
        let is_several = self.images.len() > 1 || self.images.iter().any(|image| image.is_dir());
        Ok((pictures, is_several))
    }

    fn answer(
        &self,
        explainer: &Explainer,
        explanation: &Explanation<'_>,
        labels: &mut HeadTexts,
    ) -> Result<String, CliError> {
        if self.json { output::json(explanation) } else { explainer.in_words(explanation, labels) }
    }

    fn print_failure(&self, path: &Path, error: &CliError) -> Result<(), CliError> {
        output::complain(error);
        if !self.json {
            return Ok(());
        }
        let failed = FailedPicture { image: path.display().to_string(), error: error.to_string() };
        output::print(&output::json(&failed)?)
    }
}

/// The texts of the heads that were labelled so far, by `(layer, head)`; one line for each head.
type HeadTexts = HashMap<(usize, usize), String>;

/// The open model with the embedded texts.
struct Explainer {
    session: Session,
    device: String,
    threads: usize,
    texts: Vec<String>,
    /// A unit vector for each text, `[text][embedding]`.
    units: Vec<Vec<f32>>,
    framing: Framing,
    load_seconds: f64,
}

impl Explainer {
    fn new(arguments: &Explain) -> Result<Self, CliError> {
        let OpenModel { mut session, device, threads, seconds } = arguments.model.open()?;
        let start = Instant::now();
        let texts = arguments.texts.clone();
        let units = pollster::block_on(session.embed(&texts, arguments.phrases.templates))?;
        let load_seconds = seconds + start.elapsed().as_secs_f64();
        let framing = arguments.framing.framing();
        Ok(Self { session, device, threads, texts, units, framing, load_seconds })
    }

    fn explain(&self, photo: &Photo, image: Option<String>, decode: f64) -> Result<Explanation<'_>, CliError> {
        let start = Instant::now();
        let traced = pollster::block_on(self.session.trace(photo, self.framing))?;
        let encode = start.elapsed().as_secs_f64();
        let start = Instant::now();
        let attribution = self.session.attribute(&traced, &self.texts, &self.units, &Ablation::default())?;
        let decomposition = self.session.decompose(&traced);
        let residual = decomposition.residual();
        let first = self.units.first().map(Vec::as_slice).unwrap_or_default();
        let patches = decomposition.patches(&self.session.direction(first));
        let in_row = |row: &[f64]| row.iter().map(|value| *value as f32).collect();
        let patches = patches.chunks(traced.trace.grid.columns).map(in_row).collect();
        let decompose = start.elapsed().as_secs_f64();
        Ok(Explanation {
            image,
            pack: &self.session.manifest().name,
            device: &self.device,
            attribution,
            patches,
            residual,
            seconds: ExplainSeconds { load: self.load_seconds, decode, encode, decompose },
        })
    }

    /// Returns the answer as text for people.
    fn in_words(&self, explanation: &Explanation<'_>, labels: &mut HeadTexts) -> Result<String, CliError> {
        let Explanation { image, pack, device, attribution, residual, seconds, .. } = explanation;
        let mut words = String::new();
        let mut line = |line: String| {
            // Writing to a string does not fail.
            let _never = writeln!(words, "{line}");
        };
        if let Some(image) = image {
            line(image.clone());
        }
        line(format!("{pack}, {device}\n"));
        line("   score  probability".to_owned());
        let scores = attribution.scores.iter().zip(&attribution.probabilities);
        for (text, (score, probability)) in attribution.texts.iter().zip(scores) {
            line(format!("{score:8.4}  {:9.1} %  {text}", probability * 100.0));
        }
        if let Some(text) = attribution.texts.first() {
            line(format!("\nStrongest heads for \u{201c}{text}\u{201d}"));
            for (layer, head, part) in strongest(attribution) {
                let label = self.label(layer, head, labels)?;
                line(format!("  layer {layer:2} head {head:2}  {part:+.4}  {label}").trim_end().to_owned());
            }
            if !self.has_labels() {
                line("  (without labels: the pack has no head statistics, or no pool of texts)".to_owned());
            }
        }
        line(format!("\nSum check: the components sum to the embedding within {residual:.1e}"));
        let ExplainSeconds { load, decode, encode, decompose } = seconds;
        line(format!("Seconds: load {load:.2}, decode {decode:.2}, encode {encode:.2}, decompose {decompose:.2}"));
        Ok(words)
    }

    fn has_labels(&self) -> bool {
        self.session.statistics().is_some() && self.session.pool().is_some()
    }

    /// Returns the texts of a head in one line, empty if the pack cannot label heads.
    fn label(&self, layer: usize, head: usize, labels: &mut HeadTexts) -> Result<String, CliError> {
        if let Some(label) = labels.get(&(layer, head)) {
            return Ok(label.clone());
        }
        if !self.has_labels() {
            return Ok(String::new());
        }
        let picked = self.session.label_head(layer, head, LABELS)?;
        let texts: Vec<String> = picked.into_iter().map(|label| label.text).collect();
        Ok(labels.entry((layer, head)).insert_entry(texts.join(" · ")).get().clone())
    }
}

/// Returns the heads with the largest parts in the first text's score: layer, head and part.
fn strongest(attribution: &Attribution) -> Vec<(usize, usize, f32)> {
    let of_layer = |(layer, heads): (usize, &Vec<Vec<f32>>)| {
        let parts = heads.iter().enumerate();
        parts.filter_map(|(head, parts)| Some((layer, head, *parts.first()?))).collect::<Vec<_>>()
    };
    let mut heads: Vec<_> = attribution.heads.iter().enumerate().flat_map(of_layer).collect();
    heads.sort_by(|a, b| b.2.abs().total_cmp(&a.2.abs()));
    heads.truncate(STRONGEST);
    heads
}
