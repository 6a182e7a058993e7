//! `headlamp heads`: what each attention head stands for, in words (TextSpan).

use std::num::NonZeroUsize;
use std::path::PathBuf;

use clap::Args;
use serde::Serialize;

use super::options::{ModelOptions, Opened};
use super::progress::Progress;
use super::{CliError, inputs, output};
use crate::protocol::HeadLabel;
use crate::session::Session;

/// Label attention heads with the texts that span what they write
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
    /// Texts of your own to choose from, one a line. Default: the pack's pool
    #[arg(long, value_name = "FILE")]
    texts: Option<PathBuf>,
    /// Statistics of your own, from `headlamp stats`. Default: the pack's
    #[arg(long, value_name = "FILE")]
    statistics: Option<PathBuf>,
    #[command(flatten)]
    model: ModelOptions,
    /// One line of JSON
    #[arg(long)]
    json: bool,
}

/// The answer.
#[derive(Serialize)]
struct Labelled<'a> {
    pack: &'a str,
    /// Images behind the statistics.
    images: u64,
    /// Texts that were to choose from.
    pool: usize,
    heads: Vec<Head>,
}

#[derive(Serialize)]
struct Head {
    layer: usize,
    head: usize,
    labels: Vec<HeadLabel>,
}

impl Heads {
    pub fn run(&self) -> Result<(), CliError> {
        let texts = self.texts.as_deref().map(inputs::pool).transpose()?;
        let Opened { mut session, .. } = self.model.open()?;
        if let Some(path) = &self.statistics {
            let statistics = inputs::statistics(&session, path, &inputs::read(path)?)?;
            session.use_statistics(Some(statistics));
        }
        if let Some(lines) = texts {
            let progress = Progress::of(lines.len(), "texts");
            let pool = pollster::block_on(session.embed_pool(lines, |done| progress.reached(done)))?;
            session.use_pool(Some(pool));
        }
        let images = session.statistics().ok_or(CliError::NoStatistics)?.images();
        let pool = session.pool().ok_or(CliError::NoPool)?.lines.len();
        let heads = self.label(&session)?;
        let labelled = Labelled { pack: &session.manifest().name, images, pool, heads };
        if self.json { output::print_json(&labelled) } else { output::print(&labelled.in_words()) }
    }

    fn label(&self, session: &Session) -> Result<Vec<Head>, CliError> {
        let vision = &session.model().config.vision;
        let or_all = |one: Option<usize>, count| one.map_or(0..count, |one| one..one + 1);
        let layers = or_all(self.layer, vision.layers);
        let wanted: Vec<(usize, usize)> =
            layers.flat_map(|layer| or_all(self.head, vision.heads).map(move |head| (layer, head))).collect();
        let progress = Progress::of(wanted.len(), "heads");
        wanted
            .into_iter()
            .map(|(layer, head)| {
                let labels = session.label_head(layer, head, self.top.get())?;
                progress.step();
                Ok(Head { layer, head, labels })
            })
            .collect()
    }
}

impl Labelled<'_> {
    /// The answer as people read it.
    fn in_words(&self) -> String {
        let Self { pack, images, pool, .. } = self;
        let mut lines = vec![format!(
            "{pack}; texts: {pool}; pictures: {images}. Each text with the share of the head's variance that it and \
             those above it explain"
        )];
        for Head { layer, head, labels } in &self.heads {
            lines.push(format!("\nlayer {layer} head {head}"));
            let line = |label: &HeadLabel| format!("  {:5.1} %  {}", label.variance_explained * 100.0, label.text);
            lines.extend(labels.iter().map(line));
        }
        lines.join("\n")
    }
}
