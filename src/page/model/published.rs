//! Published models that headlamp opens, for people to choose from. The program's own list of these models is
//! `checkpoint::detect::PUBLISHED_MODELS`; a test compares the two lists.

use crate::protocol::Storage;

/// The hub with the models and their descriptions.
const HUB: &str = "https://huggingface.co";

/// A connection of 100 Mbit/s, in bytes per second. Waiting times are given for it until a download was measured.
const USUAL_SPEED: f64 = 12.5e6;

/// A model at the hub.
#[derive(Clone, Copy, Debug)]
pub struct KnownModel {
    pub repository: &'static str,
    pub name: &'static str,
    /// The size of the weights to fetch, in megabytes. All of them are stored in 32 bits.
    pub megabytes: u32,
    pub licence: &'static str,
    /// Layers, and heads per layer.
    pub grid: (usize, usize),
    pub good_for: &'static str,
}

impl KnownModel {
    /// Returns the address of the page on which the authors describe the model.
    pub fn link(self) -> String {
        format!("{HUB}/{}", self.repository)
    }

    /// Returns the size of the weights to fetch, in bytes.
    pub fn bytes(self) -> u64 {
        u64::from(self.megabytes) * 1_000_000
    }

    /// Returns the approximate size of the weights as the browser stores them, in bytes.
    pub fn stored_bytes(self, storage: Storage) -> u64 {
        // Blocks of 32 weights share a scale of 16 bits. With 4 bits, some matrices stay in 8 bits.
        let share = match storage {
            Storage::F16 => 0.5,
            Storage::Q8 => 0.267,
            Storage::Q4 => 0.21,
        };
        (self.bytes() as f64 * share) as u64
    }

    /// Returns the seconds that fetching and converting take, and whether the speed was measured here.
    pub fn seconds(self, measured: Option<f64>) -> (f64, bool) {
        (self.bytes() as f64 / measured.unwrap_or(USUAL_SPEED), measured.is_some())
    }

    /// Returns whether the model has every word of `query` in its name, repository or licence.
    pub fn matches(self, query: &str) -> bool {
        let Self { repository, name, licence, .. } = self;
        let about = format!("{name} {repository} {licence}").to_lowercase();
        query.to_lowercase().split_whitespace().all(|word| about.contains(word))
    }
}

/// Returns the speed of a download in bytes per second; `None` if the time is too short for a measurement.
pub fn speed(bytes: u64, seconds: f64) -> Option<f64> {
    (seconds >= 0.5 && bytes > 0).then(|| bytes as f64 / seconds)
}

const SMALL: (usize, usize) = (12, 6);
const BASE: (usize, usize) = (12, 12);
const LARGE: (usize, usize) = (24, 16);
const HUGE: (usize, usize) = (32, 16);

const fn clip(
    repository: &'static str,
    name: &'static str,
    megabytes: u32,
    grid: (usize, usize),
    good_for: &'static str,
) -> KnownModel {
    KnownModel { repository, name, megabytes, licence: "MIT", grid, good_for }
}

const fn self_supervised(
    repository: &'static str,
    name: &'static str,
    megabytes: u32,
    grid: (usize, usize),
    good_for: &'static str,
) -> KnownModel {
    KnownModel { licence: "Apache-2.0", ..clip(repository, name, megabytes, grid, good_for) }
}

const OUTLINES: &str = "Attention that outlines objects, learned without texts.";
const MATCHES: &str = "Patches that match across photos, learned without texts.";
const REGISTERS: &str = "Attention without outlier patches, learned without texts.";

/// The published models, the smallest first.
pub const KNOWN_MODELS: [KnownModel; 19] = [
    self_supervised("facebook/dino-vits16", "DINO ViT-S/16", 87, SMALL, OUTLINES),
    self_supervised(
        "facebook/dino-vits8",
        "DINO ViT-S/8",
        87,
        SMALL,
        "The finest attention maps, with 784 patches. Slow. Learned without texts.",
    ),
    self_supervised("facebook/dinov2-small", "DINOv2 ViT-S/14", 88, SMALL, MATCHES),
    self_supervised(
        "facebook/dinov2-with-registers-small",
        "DINOv2 ViT-S/14 with registers",
        88,
        SMALL,
        REGISTERS,
    ),
    clip(
        "wkcn/TinyCLIP-ViT-8M-16-Text-3M-YFCC15M",
        "TinyCLIP ViT-8M/16",
        94,
        (10, 4),
        "A first look at a CLIP: small and fast, and it knows less.",
    ),
    self_supervised("facebook/dino-vitb16", "DINO ViT-B/16", 346, BASE, OUTLINES),
    self_supervised(
        "facebook/dino-vitb8",
        "DINO ViT-B/8",
        346,
        BASE,
        "The finest attention maps, with 784 patches. Very slow. Learned without texts.",
    ),
    self_supervised("facebook/dinov2-base", "DINOv2 ViT-B/14", 346, BASE, MATCHES),
    self_supervised("facebook/dinov2-with-registers-base", "DINOv2 ViT-B/14 with registers", 346, BASE, REGISTERS),
    clip(
        "openai/clip-vit-base-patch16",
        "OpenAI CLIP ViT-B/16",
        599,
        BASE,
        "The first CLIP, with small patches: finer maps than B/32.",
    ),
    clip(
        "laion/CLIP-ViT-B-16-laion2B-s34B-b88K",
        "OpenCLIP ViT-B/16 LAION-2B",
        599,
        BASE,
        "A model of the paper: its heads stand for properties such as colour.",
    ),
    clip(
        "openai/clip-vit-base-patch32",
        "OpenAI CLIP ViT-B/32",
        605,
        BASE,
        "The most used CLIP. Fast: it has only 49 patches.",
    ),
    clip(
        "laion/CLIP-ViT-B-32-laion2B-s34B-b79K",
        "OpenCLIP ViT-B/32 LAION-2B",
        605,
        BASE,
        "As fast as OpenAI's B/32, trained on public data.",
    ),
    self_supervised("facebook/dinov2-large", "DINOv2 ViT-L/14", 1_217, LARGE, MATCHES),
    self_supervised(
        "facebook/dinov2-with-registers-large",
        "DINOv2 ViT-L/14 with registers",
        1_217,
        LARGE,
        REGISTERS,
    ),
    clip(
        "openai/clip-vit-large-patch14",
        "OpenAI CLIP ViT-L/14",
        1_711,
        LARGE,
        "Knows rare things, art and writing. Slow without a GPU.",
    ),
    clip(
        "laion/CLIP-ViT-L-14-laion2B-s32B-b82K",
        "OpenCLIP ViT-L/14 LAION-2B",
        1_711,
        LARGE,
        "The paper's main model: its heads stand for properties such as colour. Slow without a GPU.",
    ),
    clip(
        "openai/clip-vit-large-patch14-336",
        "OpenAI CLIP ViT-L/14 at 336 px",
        1_712,
        LARGE,
        "The finest maps of a CLIP, with 576 patches. Very slow without a GPU.",
    ),
    clip(
        "laion/CLIP-ViT-H-14-laion2B-s32B-b79K",
        "OpenCLIP ViT-H/14 LAION-2B",
        3_944,
        HUGE,
        "A model of the paper, the largest. Needs a GPU and much memory.",
    ),
];

#[cfg(test)]
mod tests {
    use super::*;

    fn names(query: &str) -> Vec<&'static str> {
        KNOWN_MODELS.iter().filter(|model| model.matches(query)).map(|model| model.name).collect()
    }

    #[test]
    fn a_search_finds_models_with_every_word() {
        assert_eq!(names("").len(), KNOWN_MODELS.len());
        assert_eq!(names("  OPENAI b/16 "), ["OpenAI CLIP ViT-B/16"]);
        assert_eq!(names("registers large"), ["DINOv2 ViT-L/14 with registers"]);
        assert_eq!(names("apache").len(), 10);
        assert!(names("a model that nobody published").is_empty());
    }

    #[test]
    fn waiting_times_follow_the_measured_speed() {
        let model = KNOWN_MODELS.iter().find(|model| model.megabytes == 605).unwrap();
        assert_eq!(model.seconds(None), (48.4, false), "605 MB at 12.5 MB/s");
        assert_eq!(model.seconds(speed(100_000_000, 2.0)), (12.1, true));
        assert_eq!(speed(100, 0.01), None, "too short");
        assert_eq!(speed(0, 3.0), None);
    }
}

#[cfg(all(test, feature = "compute"))]
mod tests_with_models {
    use super::*;
    use crate::checkpoint::detect::{ModelSizes, PUBLISHED_MODELS, PublishedModel};
    use crate::checkpoint::hub::{DEFAULT_HUB, Repository};
    use crate::checkpoint::pack::file_length;
    use crate::checkpoint::{Quantisation, default_pack};
    use crate::geometry::Grid;
    use crate::model::{ModelConfig, TextConfig, TextKind, TextPooling, VisionConfig};

    fn known(model: KnownModel) -> &'static PublishedModel {
        PUBLISHED_MODELS.iter().find(|known| known.repository == Some(model.repository)).unwrap()
    }

    /// Returns a config of these sizes, with as many weights as the published model.
    fn config(sizes: ModelSizes) -> ModelConfig {
        let ModelSizes { vision, patch, grid, registers, text, embedding } = sizes;
        let default = default_pack::config();
        let text_config = |text: crate::checkpoint::detect::TowerSizes| TextConfig {
            kind: TextKind::Clip,
            width: text.width,
            layers: text.layers,
            heads: text.heads,
            mlp_width: 4 * text.width,
            vocabulary: 49_408,
            context: 77,
            pooling: TextPooling::End,
            projection: true,
            centred: false,
            ..default.text.clone().unwrap()
        };
        ModelConfig {
            vision: VisionConfig {
                width: vision.width,
                layers: vision.layers,
                heads: vision.heads,
                mlp_width: 4 * vision.width,
                patch,
                registers,
                image_size: patch * grid,
                position_grid: Grid { rows: grid, columns: grid },
                projection: text.is_some(),
                projection_bias: false,
                ..default.vision.clone()
            },
            text: text.map(text_config),
            embedding,
        }
    }

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

    #[test]
    fn cards_agree_with_the_table_of_models() {
        for model in KNOWN_MODELS {
            let known = known(model);
            assert_eq!(model.licence, known.licence, "{}", model.name);
            assert_eq!(model.grid, (known.sizes.vision.layers, known.sizes.vision.heads), "{}", model.name);
            let says = model.good_for.contains("without texts");
            assert_eq!(says, known.sizes.text.is_none(), "{}", model.name);
        }
    }

    #[test]
    fn sizes_on_cards_are_within_a_sixth() {
        let near = |found: u64, expected: u64| found.abs_diff(expected) as f64 <= expected as f64 / 6.0;
        for model in KNOWN_MODELS {
            let config = config(known(model).sizes);
            let stored = |quantisation| file_length(&config, quantisation);
            let fetched = stored(Quantisation::F32);
            assert!(near(model.bytes(), fetched), "{}: {fetched} bytes to fetch", model.name);
            for (storage, quantisation) in [
                (Storage::Q8, Quantisation::Q8),
                (Storage::Q4, Quantisation::Q4),
                (Storage::F16, Quantisation::F16),
            ] {
                let (shown, stored) = (model.stored_bytes(storage), stored(quantisation));
                assert!(near(shown, stored), "{} in {}: {shown} {stored}", model.name, storage.label());
            }
        }
    }
}
