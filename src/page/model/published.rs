//! Published models that headlamp opens, for people to choose from. The program's own list of these models is
//! `checkpoint::detect::PUBLISHED_MODELS`; a test compares the two lists.

/// The hub with the models and their descriptions.
const HUB: &str = "https://huggingface.co";

/// A model at the hub.
#[derive(Clone, Copy, Debug)]
pub struct KnownModel {
    pub repository: &'static str,
    pub name: &'static str,
    /// The size of the weights to fetch, in megabytes.
    pub megabytes: u32,
    pub licence: &'static str,
}

impl KnownModel {
    /// Returns the address of the page on which the authors describe the model.
    pub fn link(self) -> String {
        format!("{HUB}/{}", self.repository)
    }
}

const fn published(repository: &'static str, name: &'static str, megabytes: u32) -> KnownModel {
    KnownModel { repository, name, megabytes, licence: "MIT" }
}

const fn self_supervised(repository: &'static str, name: &'static str, megabytes: u32) -> KnownModel {
    KnownModel { licence: "Apache-2.0", ..published(repository, name, megabytes) }
}

/// The published models, the smallest first.
pub const KNOWN_MODELS: [KnownModel; 19] = [
    self_supervised("facebook/dino-vits16", "DINO ViT-S/16", 87),
    self_supervised("facebook/dino-vits8", "DINO ViT-S/8", 87),
    self_supervised("facebook/dinov2-small", "DINOv2 ViT-S/14", 88),
    self_supervised("facebook/dinov2-with-registers-small", "DINOv2 ViT-S/14 with registers", 88),
    published("wkcn/TinyCLIP-ViT-8M-16-Text-3M-YFCC15M", "TinyCLIP ViT-8M/16", 94),
    self_supervised("facebook/dino-vitb16", "DINO ViT-B/16", 346),
    self_supervised("facebook/dino-vitb8", "DINO ViT-B/8", 346),
    self_supervised("facebook/dinov2-base", "DINOv2 ViT-B/14", 346),
    self_supervised("facebook/dinov2-with-registers-base", "DINOv2 ViT-B/14 with registers", 346),
    published("openai/clip-vit-base-patch16", "OpenAI CLIP ViT-B/16", 599),
    published("laion/CLIP-ViT-B-16-laion2B-s34B-b88K", "OpenCLIP ViT-B/16 LAION-2B", 599),
    published("openai/clip-vit-base-patch32", "OpenAI CLIP ViT-B/32", 605),
    published("laion/CLIP-ViT-B-32-laion2B-s34B-b79K", "OpenCLIP ViT-B/32 LAION-2B", 605),
    self_supervised("facebook/dinov2-large", "DINOv2 ViT-L/14", 1_217),
    self_supervised("facebook/dinov2-with-registers-large", "DINOv2 ViT-L/14 with registers", 1_217),
    published("openai/clip-vit-large-patch14", "OpenAI CLIP ViT-L/14", 1_711),
    published("laion/CLIP-ViT-L-14-laion2B-s32B-b82K", "OpenCLIP ViT-L/14 LAION-2B", 1_711),
    published("openai/clip-vit-large-patch14-336", "OpenAI CLIP ViT-L/14 at 336 px", 1_712),
    published("laion/CLIP-ViT-H-14-laion2B-s32B-b79K", "OpenCLIP ViT-H/14 LAION-2B", 3_944),
];

#[cfg(all(test, feature = "compute"))]
mod tests {
    use super::*;
    use crate::checkpoint::detect::PUBLISHED_MODELS;
    use crate::checkpoint::hub::{DEFAULT_HUB, Repository};

    #[test]
    fn every_known_model_is_offered_and_no_other() {
        let mut offered: Vec<_> = KNOWN_MODELS.iter().map(|model| (model.repository, model.name)).collect();
        let mut known: Vec<_> =
            PUBLISHED_MODELS.iter().filter_map(|model| Some((model.repository?, model.name))).collect();
        offered.sort_unstable();
        known.sort_unstable();
        assert_eq!(offered, known);
        for model in KNOWN_MODELS {
            let repository = Repository::parse(model.repository).unwrap();
            assert!(repository.address(DEFAULT_HUB, "").starts_with(&model.link()), "{}", model.link());
        }
        assert!(KNOWN_MODELS.is_sorted_by_key(|model| model.megabytes), "the smallest first");
    }
}
