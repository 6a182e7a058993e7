//! A pack before it is written.

use std::path::Path;

use burn::tensor::Device;

use crate::checkpoint::{Manifest, PackWriter, pack};
use crate::cli::error::CliError;
use crate::cli::output;
use crate::cli::terminal_progress::TerminalProgress;
use crate::model::TensorSource;
use crate::session::Session;
use crate::session::pool_texts::PoolTexts;

/// A pack to which files can still be added.
pub struct PackDraft {
    manifest: Manifest,
    pub writer: PackWriter,
}

impl PackDraft {
    /// Stores the model and its tokenizer.
    ///
    /// # Errors
    /// [`CliError::Checkpoint`] if a tensor is missing or has a wrong shape.
    pub fn new(manifest: Manifest, source: &mut dyn TensorSource, tokenizer: Vec<u8>) -> Result<Self, CliError> {
        let mut writer = PackWriter::new(&manifest.model, source, manifest.quantisation)?;
        writer.add(pack::TOKENIZER, tokenizer);
        Ok(Self { manifest, writer })
    }

    /// Starts with a model that is stored already.
    pub fn of_writer(manifest: Manifest, writer: PackWriter) -> Self {
        Self { manifest, writer }
    }

    /// Opens the model as it is stored, on the CPU: the results of GPUs differ between machines.
    ///
    /// # Errors
    /// [`CliError::Checkpoint`] or [`CliError::Session`].
    pub fn open(&self) -> Result<Session, CliError> {
        let pack = self.writer.clone().finish(self.manifest.clone())?;
        Ok(Session::open(pack, Device::flex())?)
    }

    /// Embeds the texts of a pool, and adds both.
    ///
    /// # Errors
    /// [`CliError::Session`] if a text is too long for the text tower.
    pub fn add_pool(&mut self, session: &Session, texts: PoolTexts) -> Result<(), CliError> {
        let progress = TerminalProgress::bar(texts.len(), "texts");
        let pool = pollster::block_on(session.embed_pool(texts, |done| progress.reached(done)))?;
        for (name, bytes) in pool.to_files()? {
            self.writer.add(name, bytes);
        }
        Ok(())
    }

    /// Writes the pack as a folder or as an archive, by the name's ending, and prints its name and size.
    ///
    /// # Errors
    /// [`CliError::Checkpoint`] if a file cannot be written.
    pub fn write(self, path: &Path) -> Result<(), CliError> {
        let pack = self.writer.finish(self.manifest)?;
        pack.write(path)?;
        let Manifest { name, files, .. } = &pack.manifest;
        let files = output::count(files.len() as u64, "file");
        output::print(&format!("{}: {name}, {files}, {}", path.display(), output::bytes(pack.manifest.bytes())))
    }
}
