//! The published models that headlamp knows by their sizes and names.

use crate::model::{Activation, ModelConfig};

/// A published model.
#[derive(Debug)]
pub struct Known {
    pub name: &'static str,
    /// Where a hub has it: organisation and name. None where only its authors have it.
    pub repository: Option<&'static str>,
    pub licence: &'static str,
    pub sizes: Sizes,
    /// None where only the config beside the weights says it.
    pub activation: Option<Activation>,
    pub mean: [f32; 3],
    pub std: [f32; 3],
    /// One of these at a word's start in the file's, its folder's or the repository's name, in lower case, tells it
    /// from others of its sizes.
    hints: &'static [&'static str],
}

/// The sizes that a model has in common with few others.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Sizes {
    pub vision: Tower,
    pub patch: usize,
    /// Patches along a side of the training crop.
    pub grid: usize,
    pub registers: usize,
    /// None in a self-supervised model.
    pub text: Option<Tower>,
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
const SMALL: Tower = tower(384, 12, 6);

const fn clip(vision: Tower, patch: usize, grid: usize, text: Tower, embedding: usize) -> Sizes {
    Sizes { vision, patch, grid, registers: 0, text: Some(text), embedding }
}

const B_32: Sizes = clip(BASE, 32, 7, TEXT_BASE, 512);
const B_16: Sizes = clip(BASE, 16, 14, TEXT_BASE, 512);
const L_14: Sizes = clip(LARGE, 14, 16, TEXT_LARGE, 768);
const L_14_336: Sizes = Sizes { grid: 24, ..L_14 };
const H_14: Sizes = clip(tower(1280, 32, 16), 14, 16, tower(1024, 24, 16), 1024);
const TINY_8M: Sizes = clip(tower(256, 10, 4), 16, 14, tower(256, 3, 4), 512);

/// OpenAI's mean and deviation of each channel, which nearly every CLIP took over.
pub const OPENAI_MEAN: [f32; 3] = [0.481_454_66, 0.457_827_5, 0.408_210_73];
pub const OPENAI_STD: [f32; 3] = [0.268_629_54, 0.261_302_6, 0.275_777_1];
const HALF: [f32; 3] = [0.5; 3];
/// ImageNet's mean and deviation of each channel, which models that were trained without texts use.
pub const IMAGENET_MEAN: [f32; 3] = [0.485, 0.456, 0.406];
pub const IMAGENET_STD: [f32; 3] = [0.229, 0.224, 0.225];

const fn openai(name: &'static str, repository: &'static str, sizes: Sizes) -> Known {
    Known {
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

const fn laion_2b(name: &'static str, repository: &'static str, sizes: Sizes) -> Known {
    let hints: &[&str] = &["laion2b", "laion-2b", "laion_2b"];
    Known { activation: Some(Activation::Gelu), hints, ..openai(name, repository, sizes) }
}

/// A tower without texts, of DINO's kind.
const fn dino(name: &'static str, repository: Option<&'static str>, vision: Tower, patch: usize) -> Known {
    Known {
        name,
        repository,
        licence: "Apache-2.0",
        sizes: Sizes { vision, patch, grid: 224 / patch, registers: 0, text: None, embedding: vision.width },
        activation: Some(Activation::Gelu),
        mean: IMAGENET_MEAN,
        std: IMAGENET_STD,
        hints: &["dino"],
    }
}

const fn dino_v2(name: &'static str, repository: &'static str, vision: Tower, registers: usize) -> Known {
    let Known { sizes, .. } = dino(name, None, vision, 14);
    Known { sizes: Sizes { grid: 37, registers, ..sizes }, ..dino(name, Some(repository), vision, 14) }
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
    // Its weights lie on its authors' own drive, and no licence with them. Before DINO's, whose sizes it has.
    Known { licence: "see the source", hints: &["dora"], ..dino("DoRA ViT-S/16", None, SMALL, 16) },
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

impl Known {
    /// The model that these sizes and this name (of a file, folder or repository) belong to.
    pub fn of(sizes: &ModelConfig, name: &str) -> Option<&'static Self> {
        let name = name.to_lowercase();
        let is_meant = |known: &&Self| known.hints.iter().any(|hint| begins_a_word(hint, &name));
        KNOWN.iter().filter(|known| known.sizes.are(sizes)).find(is_meant)
    }

    /// The heads of the image and the text tower of these sizes, where every known model of them has as many.
    pub fn heads(sizes: &ModelConfig) -> Option<(usize, Option<usize>)> {
        let known = KNOWN.iter().find(|known| known.sizes.are(sizes))?;
        Some((known.sizes.vision.heads, known.sizes.text.map(|text| text.heads)))
    }
}

/// Whether `hint` is in `name` and no letter before it: a fedora is no DoRA.
fn begins_a_word(hint: &str, name: &str) -> bool {
    name.match_indices(hint).any(|(at, _hint)| !name[..at].ends_with(char::is_alphabetic))
}

impl Sizes {
    /// Whether a config has these sizes, heads aside.
    fn are(&self, config: &ModelConfig) -> bool {
        let (vision, text) = (&config.vision, &config.text);
        let Self { vision: known, patch, grid, registers, text: known_text, embedding } = *self;
        (vision.width, vision.layers, vision.patch) == (known.width, known.layers, patch)
            && (vision.position_grid.rows, vision.registers, config.embedding) == (grid, registers, embedding)
            && text.as_ref().map(|text| (text.width, text.layers))
                == known_text.map(|text| (text.width, text.layers))
    }
}
