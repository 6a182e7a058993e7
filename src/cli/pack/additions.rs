//! The files that a pack can get besides its model: a pool of texts, and head statistics.

use std::path::PathBuf;

use clap::Args;

use super::draft::PackDraft;
use crate::checkpoint::pack;
use crate::cli::error::CliError;
use crate::cli::inputs;
use crate::session::pool_texts::PoolTexts;

#[derive(Args, Debug)]
pub struct Additions {
    /// Texts to label heads with: in each line a text, or a text, a TAB and the text's property
    #[arg(long, value_name = "FILE")]
    pool: Option<PathBuf>,
    /// Head statistics that `headlamp stats` gathered with exactly this model, stored the same way
    #[arg(long, value_name = "FILE")]
    statistics: Option<PathBuf>,
}

/// The contents of the files, read before the long work begins.
pub struct AddedFiles {
    pool: Option<PoolTexts>,
    /// The path, for messages, and the bytes.
    statistics: Option<(PathBuf, Vec<u8>)>,
}

impl Additions {
    /// Reads the files.
    ///
    /// # Errors
    /// [`CliError::Io`]; [`CliError::Checkpoint`] if the pool holds no text.
    pub fn read(&self) -> Result<AddedFiles, CliError> {
        let pool = self.pool.as_deref().map(inputs::pool).transpose()?;
        let statistics =
            self.statistics.as_ref().map(|path| Ok::<_, CliError>((path.clone(), inputs::read(path)?)));
        Ok(AddedFiles { pool, statistics: statistics.transpose()? })
    }
}

impl AddedFiles {
    /// Adds the files to a pack. The texts are embedded with the pack's own text tower.
    ///
    /// # Errors
    /// [`CliError::Session`] if a text is too long, or the model has no text tower; [`CliError::Statistics`] if the
    /// statistics belong to another model.
    pub fn add_to(self, draft: &mut PackDraft) -> Result<(), CliError> {
        if self.pool.is_none() && self.statistics.is_none() {
            return Ok(());
        }
        let session = draft.open()?;
        if let Some(texts) = self.pool {
            draft.add_pool(&session, texts)?;
        }
        if let Some((path, bytes)) = self.statistics {
            inputs::statistics(&session, &path, &bytes)?;
            draft.writer.add(pack::STATISTICS, bytes);
        }
        Ok(())
    }
}
