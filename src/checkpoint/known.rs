//! The published CLIPs that headlamp knows by their sizes and names.

use crate::model::{Activation, ModelConfig};

/// A published model.
#[derive(Debug)]
pub struct Known {
    pub name: &'static str,
    /// Where a hub has it: organisation and name.
    pub repository: &'static str,
    pub licence: &'static str,
    pub sizes: Sizes,
    /// None where only the config beside the weights says it.
    pub activation: Option<Activation>,
    pub mean: [f32; 3],
    pub std: [f32; 3],
    /// One of these in the file's, folder's or repository's name, in lower case, tells it from others of its sizes.
    hints: &'static [&'static str],
}

/// The sizes that a model has in common with few others.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Sizes {
    pub vision: Tower,
    pub patch: usize,
    /// Patches along a side of the training crop.
    pub grid: usize,
    pub text: Tower,
    pub embedding: usize,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Tower {
    pub width: usize,
    pub layers: usize,
    pub heads: usize,
}

const fn tower(width: usize, layers: usize, heads: usize) -> Tower {
    Tower { width, layers, heads }
}

const BASE: Tower = tower(768, 12, 12);
const LARGE: Tower = tower(1024, 24, 16);
const TEXT_BASE: Tower = tower(512, 12, 8);
const TEXT_LARGE: Tower = tower(768, 12, 12);
const B_32: Sizes = Sizes { vision: BASE, patch: 32, grid: 7, text: TEXT_BASE, embedding: 512 };
const B_16: Sizes = Sizes { vision: BASE, patch: 16, grid: 14, text: TEXT_BASE, embedding: 512 };
const L_14: Sizes = Sizes { vision: LARGE, patch: 14, grid: 16, text: TEXT_LARGE, embedding: 768 };
const L_14_336: Sizes = Sizes { grid: 24, ..L_14 };
const H_14: Sizes =
    Sizes { vision: tower(1280, 32, 16), patch: 14, grid: 16, text: tower(1024, 24, 16), embedding: 1024 };
const TINY_8M: Sizes =
    Sizes { vision: tower(256, 10, 4), patch: 16, grid: 14, text: tower(256, 3, 4), embedding: 512 };

/// OpenAI's mean and deviation of each channel, which nearly every CLIP took over.
pub const OPENAI_MEAN: [f32; 3] = [0.481_454_66, 0.457_827_5, 0.408_210_73];
pub const OPENAI_STD: [f32; 3] = [0.268_629_54, 0.261_302_6, 0.275_777_1];
const HALF: [f32; 3] = [0.5; 3];

const fn openai(name: &'static str, repository: &'static str, sizes: Sizes) -> Known {
    Known {
        name,
        repository,
        licence: "MIT",
        sizes,
        activation: Some(Activation::QuickGelu),
        mean: OPENAI_MEAN,
        std: OPENAI_STD,
        hints: &["openai", "clip-vit-base-patch", "clip-vit-large-patch"],
    }
}

const fn laion_2b(name: &'static str, repository: &'static str, sizes: Sizes) -> Known {
    let hints: &[&str] = &["laion2b", "laion-2b", "laion_2b"];
    Known { activation: Some(Activation::Gelu), hints, ..openai(name, repository, sizes) }
}

/// Every model that headlamp knows. Others load too, when their config lies beside them.
pub const KNOWN: &[Known] = &[
    openai("OpenAI CLIP ViT-B/32", "openai/clip-vit-base-patch32", B_32),
    openai("OpenAI CLIP ViT-B/16", "openai/clip-vit-base-patch16", B_16),
    openai("OpenAI CLIP ViT-L/14", "openai/clip-vit-large-patch14", L_14),
    openai("OpenAI CLIP ViT-L/14 at 336 px", "openai/clip-vit-large-patch14-336", L_14_336),
    laion_2b("OpenCLIP ViT-B/32 LAION-2B", "laion/CLIP-ViT-B-32-laion2B-s34B-b79K", B_32),
    laion_2b("OpenCLIP ViT-B/16 LAION-2B", "laion/CLIP-ViT-B-16-laion2B-s34B-b88K", B_16),
    Known {
        mean: HALF,
        std: HALF,
        ..laion_2b("OpenCLIP ViT-L/14 LAION-2B", "laion/CLIP-ViT-L-14-laion2B-s32B-b82K", L_14)
    },
    laion_2b("OpenCLIP ViT-H/14 LAION-2B", "laion/CLIP-ViT-H-14-laion2B-s32B-b79K", H_14),
    Known {
        activation: None,
        hints: &["tinyclip"],
        ..openai("TinyCLIP ViT-8M/16", "wkcn/TinyCLIP-ViT-8M-16-Text-3M-YFCC15M", TINY_8M)
    },
];

impl Known {
    /// The model that these sizes and this name (of a file, folder or repository) belong to.
    pub fn of(sizes: &ModelConfig, name: &str) -> Option<&'static Self> {
        let name = name.to_lowercase();
        KNOWN.iter().find(|known| known.sizes.are(sizes) && known.hints.iter().any(|hint| name.contains(hint)))
    }

    /// The heads of the towers of these sizes, where every known model of these sizes has as many.
    pub fn heads(sizes: &ModelConfig) -> Option<(usize, usize)> {
        let known = KNOWN.iter().find(|known| known.sizes.are(sizes))?;
        Some((known.sizes.vision.heads, known.sizes.text.heads))
    }
}

impl Sizes {
    /// Whether a config has these sizes, heads aside.
    fn are(&self, config: &ModelConfig) -> bool {
        let (vision, text) = (&config.vision, &config.text);
        let Self { vision: known, patch, grid, text: known_text, embedding } = *self;
        (vision.width, vision.layers, vision.patch) == (known.width, known.layers, patch)
            && vision.position_grid.rows == grid
            && (text.width, text.layers, config.embedding) == (known_text.width, known_text.layers, embedding)
    }
}
