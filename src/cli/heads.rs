//! `headlamp heads`: labels attention heads with texts (TextSpan; docs/PAPERS.md, 1.7).

use std::num::NonZeroUsize;
use std::path::PathBuf;

use clap::Args;
use serde::Serialize;

use super::error::CliError;
use super::inputs;
use super::options::{ModelOptions, OpenModel};
use super::output::{AnswerFormat, CommandAnswer};
use super::terminal_progress::TerminalProgress;
use crate::protocol::HeadLabel;
use crate::session::Session;

/// Label attention heads with the texts that span their outputs
#[derive(Args, Debug)]
pub struct Heads {
    /// Only this layer, counted from 0
    #[arg(long, value_name = "L")]
    layer: Option<usize>,
    /// Only this head of the layer, counted from 0
    #[arg(long, value_name = "H", requires = "layer")]
    head: Option<usize>,
    /// Texts per head
    #[arg(long, value_name = "N", default_value = "10")]
    top: NonZeroUsize,
    /// Texts to choose from, one per line. Default: the pack's pool
    #[arg(long, value_name = "FILE")]
    texts: Option<PathBuf>,
    /// Head statistics from `headlamp stats`. Default: the pack's own
    #[arg(long, value_name = "FILE")]
    statistics: Option<PathBuf>,
    #[command(flatten)]
    model: ModelOptions,
    #[command(flatten)]
    format: AnswerFormat,
}

#[derive(Serialize)]
struct HeadsAnswer<'a> {
    pack: &'a str,
    /// Number of pictures behind the statistics.
    images: u64,
    /// Number of texts to choose from.
    pool: usize,
    heads: Vec<LabelledHead>,
}

#[derive(Serialize)]
struct LabelledHead {
    layer: usize,
    head: usize,
    labels: Vec<HeadLabel>,
}

impl Heads {
    pub fn run(&self) -> Result<(), CliError> {
        let texts = self.texts.as_deref().map(inputs::pool).transpose()?;
        let OpenModel { mut session, .. } = self.model.open()?;
        if let Some(path) = &self.statistics {
            inputs::use_statistics(&mut session, path)?;
        }
        if let Some(lines) = texts {
            inputs::use_pool(&mut session, lines)?;
        }
        let images = session.statistics().ok_or(CliError::NoStatistics)?.images();
        let pool = session.pool().ok_or(CliError::NoPool)?.texts.len();
        let heads = self.label(&session)?;
        self.format.print(&HeadsAnswer { pack: &session.manifest().name, images, pool, heads })
    }

    /// Labels the heads that the options name.
    fn label(&self, session: &Session) -> Result<Vec<LabelledHead>, CliError> {
        let vision = &session.model().config.vision;
        let one_or_all = |one: Option<usize>, count| one.map_or(0..count, |one| one..one + 1);
        let layers = one_or_all(self.layer, vision.layers);
        let wanted: Vec<(usize, usize)> =
            layers.flat_map(|layer| one_or_all(self.head, vision.heads).map(move |head| (layer, head))).collect();
        let progress = TerminalProgress::bar(wanted.len(), "heads");
        wanted
            .into_iter()
            .map(|(layer, head)| {
                let labels = session.label_head(layer, head, self.top.get())?;
                progress.step();
                Ok(LabelledHead { layer, head, labels })
            })
            .collect()
    }
}

impl CommandAnswer for HeadsAnswer<'_> {
    fn in_words(&self) -> String {
        let Self { pack, images, pool, .. } = self;
        let mut lines = vec![format!(
            "{pack}; texts: {pool}; pictures: {images}. Before each text: the share of the head's variance that this \
             text and the texts above it explain together"
        )];
        for LabelledHead { layer, head, labels } in &self.heads {
            lines.push(format!("\nlayer {layer} head {head}"));
            let line = |label: &HeadLabel| format!("  {:5.1} %  {}", label.variance_explained * 100.0, label.text);
            lines.extend(labels.iter().map(line));
        }
        lines.join("\n")
    }
}
