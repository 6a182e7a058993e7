//! A table of published models. headlamp recognises them by their sizes and names.

use super::normalisation::{HALF, IMAGENET_MEAN, IMAGENET_STD, OPENAI_MEAN, OPENAI_STD};
use crate::model::{Activation, ModelConfig};

/// A published model.
#[derive(Debug)]
pub struct PublishedModel {
    pub name: &'static str,
    /// The repository at a hub: organisation and name. `None` if only the authors publish the model.
    pub repository: Option<&'static str>,
    pub licence: &'static str,
    pub sizes: ModelSizes,
    /// The activation of the MLPs; `None` if only the config beside the weights names it.
    pub activation: Option<Activation>,
    pub mean: [f32; 3],
    pub std: [f32; 3],
    /// Lower-case words that distinguish the model from others of the same sizes. The name of the file, its folder or
    /// its repository has one of them at the start of a word.
    hints: &'static [&'static str],
}

/// The sizes that few models share.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ModelSizes {
    pub vision: TowerSizes,
    pub patch: usize,
    /// The number of patches along a side of the training crop.
    pub grid: usize,
    pub registers: usize,
    /// `None` in a self-supervised model.
    pub text: Option<TowerSizes>,
    pub embedding: usize,
}

/// The sizes of one tower.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TowerSizes {
    pub width: usize,
    pub layers: usize,
    pub heads: usize,
}

const fn tower(width: usize, layers: usize, heads: usize) -> TowerSizes {
    TowerSizes { width, layers, heads }
}

const BASE: TowerSizes = tower(768, 12, 12);
const LARGE: TowerSizes = tower(1024, 24, 16);
const TEXT_BASE: TowerSizes = tower(512, 12, 8);
const TEXT_LARGE: TowerSizes = tower(768, 12, 12);
const SMALL: TowerSizes = tower(384, 12, 6);

const fn clip(vision: TowerSizes, patch: usize, grid: usize, text: TowerSizes, embedding: usize) -> ModelSizes {
    ModelSizes { vision, patch, grid, registers: 0, text: Some(text), embedding }
}

const B_32: ModelSizes = clip(BASE, 32, 7, TEXT_BASE, 512);
const B_16: ModelSizes = clip(BASE, 16, 14, TEXT_BASE, 512);
const L_14: ModelSizes = clip(LARGE, 14, 16, TEXT_LARGE, 768);
const L_14_336: ModelSizes = ModelSizes { grid: 24, ..L_14 };
const H_14: ModelSizes = clip(tower(1280, 32, 16), 14, 16, tower(1024, 24, 16), 1024);
const TINY_8M: ModelSizes = clip(tower(256, 10, 4), 16, 14, tower(256, 3, 4), 512);

const fn openai(name: &'static str, repository: &'static str, sizes: ModelSizes) -> PublishedModel {
    PublishedModel {
        name,
        repository: Some(repository),
        licence: "MIT",
        sizes,
        activation: Some(Activation::QuickGelu),
        mean: OPENAI_MEAN,
        std: OPENAI_STD,
        hints: &["openai", "clip-vit-base-patch", "clip-vit-large-patch"],
    }
}

const fn laion_2b(name: &'static str, repository: &'static str, sizes: ModelSizes) -> PublishedModel {
    let hints: &[&str] = &["laion2b", "laion-2b", "laion_2b"];
    PublishedModel { activation: Some(Activation::Gelu), hints, ..openai(name, repository, sizes) }
}

/// Returns a self-supervised image tower of the same kind as DINO's.
const fn dino(
    name: &'static str,
    repository: Option<&'static str>,
    vision: TowerSizes,
    patch: usize,
) -> PublishedModel {
    PublishedModel {
        name,
        repository,
        licence: "Apache-2.0",
        sizes: ModelSizes { vision, patch, grid: 224 / patch, registers: 0, text: None, embedding: vision.width },
        activation: Some(Activation::Gelu),
        mean: IMAGENET_MEAN,
        std: IMAGENET_STD,
        hints: &["dino"],
    }
}

const fn dino_v2(
    name: &'static str,
    repository: &'static str,
    vision: TowerSizes,
    registers: usize,
) -> PublishedModel {
    let PublishedModel { sizes, .. } = dino(name, None, vision, 14);
    PublishedModel {
        sizes: ModelSizes { grid: 37, registers, ..sizes },
        ..dino(name, Some(repository), vision, 14)
    }
}

/// All models in the table. Other models also load, if their config is beside the weights.
pub const PUBLISHED_MODELS: &[PublishedModel] = &[
    openai("OpenAI CLIP ViT-B/32", "openai/clip-vit-base-patch32", B_32),
    openai("OpenAI CLIP ViT-B/16", "openai/clip-vit-base-patch16", B_16),
    openai("OpenAI CLIP ViT-L/14", "openai/clip-vit-large-patch14", L_14),
    openai("OpenAI CLIP ViT-L/14 at 336 px", "openai/clip-vit-large-patch14-336", L_14_336),
    laion_2b("OpenCLIP ViT-B/32 LAION-2B", "laion/CLIP-ViT-B-32-laion2B-s34B-b79K", B_32),
    laion_2b("OpenCLIP ViT-B/16 LAION-2B", "laion/CLIP-ViT-B-16-laion2B-s34B-b88K", B_16),
    PublishedModel {
        mean: HALF,
        std: HALF,
        ..laion_2b("OpenCLIP ViT-L/14 LAION-2B", "laion/CLIP-ViT-L-14-laion2B-s32B-b82K", L_14)
    },
    laion_2b("OpenCLIP ViT-H/14 LAION-2B", "laion/CLIP-ViT-H-14-laion2B-s32B-b79K", H_14),
    PublishedModel {
        activation: None,
        hints: &["tinyclip"],
        ..openai("TinyCLIP ViT-8M/16", "wkcn/TinyCLIP-ViT-8M-16-Text-3M-YFCC15M", TINY_8M)
    },
    // The weights are on the authors' own drive, without a licence. The entry stands before DINO's, because both have
    // the same sizes.
    PublishedModel { licence: "see the source", hints: &["dora"], ..dino("DoRA ViT-S/16", None, SMALL, 16) },
    dino("DINO ViT-S/16", Some("facebook/dino-vits16"), SMALL, 16),
    dino("DINO ViT-S/8", Some("facebook/dino-vits8"), SMALL, 8),
    dino("DINO ViT-B/16", Some("facebook/dino-vitb16"), BASE, 16),
    dino("DINO ViT-B/8", Some("facebook/dino-vitb8"), BASE, 8),
    dino_v2("DINOv2 ViT-S/14", "facebook/dinov2-small", SMALL, 0),
    dino_v2("DINOv2 ViT-B/14", "facebook/dinov2-base", BASE, 0),
    dino_v2("DINOv2 ViT-L/14", "facebook/dinov2-large", LARGE, 0),
    dino_v2("DINOv2 ViT-S/14 with registers", "facebook/dinov2-with-registers-small", SMALL, 4),
    dino_v2("DINOv2 ViT-B/14 with registers", "facebook/dinov2-with-registers-base", BASE, 4),
    dino_v2("DINOv2 ViT-L/14 with registers", "facebook/dinov2-with-registers-large", LARGE, 4),
];

impl PublishedModel {
    /// Returns the model with these sizes and this name (of a file, folder or repository).
    pub fn of(sizes: &ModelConfig, name: &str) -> Option<&'static Self> {
        let name = name.to_lowercase();
        let has_name = |model: &&Self| model.hints.iter().any(|hint| begins_a_word(hint, &name));
        PUBLISHED_MODELS.iter().filter(|model| model.sizes.match_config(sizes)).find(has_name)
    }

    /// Returns the numbers of heads of the image and text tower for these sizes. All models of the table with the
    /// same sizes have the same numbers.
    pub fn heads(sizes: &ModelConfig) -> Option<(usize, Option<usize>)> {
        let model = PUBLISHED_MODELS.iter().find(|model| model.sizes.match_config(sizes))?;
        Some((model.sizes.vision.heads, model.sizes.text.map(|text| text.heads)))
    }
}

/// Returns whether `name` contains `hint` without a letter before it. (A "fedora" is not a DoRA.)
fn begins_a_word(hint: &str, name: &str) -> bool {
    name.match_indices(hint).any(|(at, _hint)| !name[..at].ends_with(char::is_alphabetic))
}

impl ModelSizes {
    /// Returns whether a config has these sizes, apart from the heads.
    fn match_config(&self, config: &ModelConfig) -> bool {
        let (vision, text) = (&config.vision, &config.text);
        let Self { vision: own, patch, grid, registers, text: own_text, embedding } = *self;
        (vision.width, vision.layers, vision.patch) == (own.width, own.layers, patch)
            && (vision.position_grid.rows, vision.registers, config.embedding) == (grid, registers, embedding)
            && text.as_ref().map(|text| (text.width, text.layers))
                == own_text.map(|text| (text.width, text.layers))
    }
}
