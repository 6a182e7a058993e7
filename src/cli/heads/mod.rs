//! `headlamp heads`: labels attention heads with texts (TextSpan; docs/PAPERS.md, 1.7) and names them (1.15).

mod named_heads;
mod roles;

use std::num::NonZeroUsize;
use std::path::PathBuf;

use clap::Args;

use self::named_heads::HeadsAnswer;
use self::roles::{Roles, RolesAnswer};
use super::error::CliError;
use super::options::{ModelOptions, OpenModel};
use super::output::AnswerFormat;
use super::terminal_progress::TerminalProgress;
use super::{inputs, parallel};
use crate::naming::NAMING_TEXTS;
use crate::protocol::HeadLabel;
use crate::session::Session;

/// Label attention heads with the texts that span their outputs, and name them by the texts' properties
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
    /// Texts to choose from: in each line a text, or a text, a TAB and the text's property. Default: the pack's pool
    #[arg(long, value_name = "FILE", alias = "pool")]
    texts: Option<PathBuf>,
    /// Choose only from the texts of the pool that are in this file, one per line
    #[arg(long, value_name = "FILE")]
    among: Option<PathBuf>,
    /// Head statistics from `headlamp stats`. Default: the pack's own
    #[arg(long, value_name = "FILE")]
    statistics: Option<PathBuf>,
    /// Compare the names with the roles that the heads were trained for: JSON, {"LAYER.HEAD": {"role": "PROPERTY"}}
    #[arg(long, value_name = "FILE", conflicts_with_all = ["layer", "top"])]
    roles: Option<PathBuf>,
    #[command(flatten)]
    model: ModelOptions,
    #[command(flatten)]
    format: AnswerFormat,
}

impl Heads {
    pub fn run(&self) -> Result<(), CliError> {
        let texts = self.texts.as_deref().map(inputs::pool).transpose()?;
        let among = self.among.as_deref().map(inputs::pool).transpose()?;
        let roles = self.roles.as_deref().map(Roles::read).transpose()?;
        let OpenModel { mut session, threads, .. } = self.model.open()?;
        if let Some(layer) = self.layer {
            session.has_head(layer, self.head.unwrap_or(0))?;
        }
        if let Some(path) = &self.statistics {
            inputs::use_statistics(&mut session, path)?;
        }
        if let Some(texts) = texts {
            inputs::use_pool(&mut session, texts)?;
        }
        if let Some((path, among)) = self.among.as_deref().zip(among) {
            let pool = session.pool().ok_or(CliError::NoPool)?.only(&among.texts);
            session.use_pool(Some(pool.map_err(|text| {
                CliError::data(
                    path,
                    format!("the text \u{201c}{text}\u{201d} is not in the pool: remove the line"),
                )
            })?));
        }
        let labels = self.label_all(&session, threads)?;
        let names = session.name_heads(labels.clone())?;
        match roles {
            Some(roles) => self.format.print(&RolesAnswer::new(&session, &roles, &names)?),
            None => {
                let is_wanted = |layer, head| {
                    self.layer.is_none_or(|only| only == layer) && self.head.is_none_or(|only| only == head)
                };
                self.format.print(&HeadsAnswer::new(&session, &names, labels, self.top.get(), is_wanted))
            }
        }
    }

    /// Labels every head, because a name depends on the texts of all heads. `[layer][head]`
    fn label_all(&self, session: &Session, threads: usize) -> Result<Vec<Vec<Vec<HeadLabel>>>, CliError> {
        // Reported before the work begins, in the words of the command line.
        session.statistics().ok_or(CliError::NoStatistics)?;
        session.pool().ok_or(CliError::NoPool)?;
        let vision = &session.model().config.vision;
        let all: Vec<(usize, usize)> =
            (0..vision.layers).flat_map(|layer| (0..vision.heads).map(move |head| (layer, head))).collect();
        let progress = TerminalProgress::bar(all.len(), "heads");
        let count = self.top.get().max(NAMING_TEXTS);
        let mut labels = vec![Vec::with_capacity(vision.heads); vision.layers];
        parallel::in_order(
            &all,
            threads,
            |(layer, head)| Ok(session.label_head(*layer, *head, count)?),
            |(layer, _head), found| {
                labels[*layer].push(found?);
                progress.step();
                Ok(())
            },
        )?;
        Ok(labels)
    }
}
