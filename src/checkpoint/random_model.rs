//! A tiny model with random weights. The tests use it, for example to compare one device with another.

use super::pack::{FORMAT, Manifest, Quantisation};
use super::random_model_texts;
use crate::geometry::{Grid, LongSide, Size};
use crate::model::{
    Activation, Crop, ModelConfig, PositionResize, TensorError, TensorSource, TextConfig, TextKind, TextPooling,
    VisionConfig,
};

/// Returns the tiny model's config. The model has every optional part, so that every kernel runs.
pub fn config(vocabulary: usize) -> ModelConfig {
    ModelConfig {
        vision: VisionConfig {
            width: 48,
            layers: 3,
            heads: 3,
            patch: 16,
            image_size: 64,
            long_side: LongSide::Truncated,
            mlp_width: 96,
            activation: Activation::QuickGelu,
            ln_pre: true,
            registers: 2,
            eps: 1e-5,
            position_grid: Grid { rows: 3, columns: 3 },
            position_resize: PositionResize::Size,
            projection: true,
            projection_bias: true,
            mean: [0.48, 0.46, 0.41],
            std: [0.27, 0.26, 0.28],
        },
        text: Some(TextConfig {
            kind: TextKind::Clip,
            width: 32,
            layers: 2,
            heads: 2,
            mlp_width: 64,
            activation: Activation::Gelu,
            eps: 1e-5,
            vocabulary,
            context: 77,
            pooling: TextPooling::End,
            projection: true,
            centred: false,
        }),
        embedding: 24,
    }
}

/// Returns the manifest of a pack of random weights, without its files.
pub fn manifest(seed: u64, quantisation: Quantisation) -> Manifest {
    Manifest {
        format: FORMAT,
        name: "headlamp random (for tests only)".into(),
        description: "Random weights in a tiny model with every optional part, for testing the program only: its \
            scores, masks and labels mean nothing."
            .into(),
        licence: "MIT OR Apache-2.0".into(),
        provenance: vec![format!("weights and gallery drawn by SplitMix64 from seed {seed}")],
        source: None,
        settings_given: false,
        propagation_layer: None,
        quantisation,
        model: config(random_model_texts::vocabulary_size()),
        storages: Vec::new(),
        files: Vec::new(),
    }
}

/// Returns a random picture for the model: random waves over a random colour in each channel.
pub fn crop(side: usize, random: &mut RandomWeights) -> Crop {
    let mut values = Vec::with_capacity(3 * side * side);
    for _channel in 0..3 {
        let colour = random.draw();
        let waves: [[f32; 4]; 3] = std::array::from_fn(|_wave| std::array::from_fn(|_part| random.draw()));
        for (y, x) in (0..side).flat_map(|y| (0..side).map(move |x| (y, x))) {
            let (y, x) = (y as f32 / side as f32, x as f32 / side as f32);
            let wave = |[down, across, phase, height]: [f32; 4]| {
                height * (12.0 * (down * y + across * x) + std::f32::consts::PI * phase).sin()
            };
            values.push(colour + waves.into_iter().map(wave).sum::<f32>());
        }
    }
    Crop { size: Size { width: side, height: side }, values }
}

/// Weights from a seeded generator (SplitMix64). Their scale makes attention far from uniform.
pub struct RandomWeights {
    state: u64,
}

impl RandomWeights {
    /// Starts the generator at `seed`.
    pub fn new(seed: u64) -> Self {
        Self { state: seed }
    }

    /// Returns the next number, uniform in [-1, 1).
    pub fn draw(&mut self) -> f32 {
        self.state = self.state.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.state;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        ((z ^ (z >> 31)) >> 40) as f32 / (1_u64 << 23) as f32 - 1.0
    }
}

impl TensorSource for RandomWeights {
    fn tensor(&mut self, name: &str, shape: &[usize]) -> Result<Vec<f32>, TensorError> {
        if name == "logit_scale" {
            return Ok(vec![20.0]);
        }
        let inputs = if shape.len() == 2 { shape[1] as f32 } else { 1.0 };
        let (centre, spread) = match name {
            name if name.ends_with("gamma") => (1.0, 0.4),
            name if name.contains("query") || name.contains("key") => (0.0, 4.0 / inputs.sqrt()),
            name if name.contains("tokens") || name.contains("positions") || name.contains("token") => (0.0, 1.0),
            _ if shape.len() == 2 => (0.0, 1.8 / inputs.sqrt()),
            _ => (0.0, 0.3),
        };
        Ok((0..shape.iter().product()).map(|_index| centre + spread * self.draw()).collect())
    }
}

#[cfg(test)]
mod tests {
    use tokenizers::Tokenizer;

    use super::*;

    #[test]
    fn long_phrases_fit_the_context() {
        let tokenizer =
            Tokenizer::from_bytes(serde_json::to_vec(&random_model_texts::tokenizer()).unwrap()).unwrap();
        let phrase = "an extraordinarily detailed photograph of astronauts repairing a weather satellite \
            above the Mediterranean, with sunlight reflected in their helmets' visors";
        let tokens = tokenizer.encode(phrase, true).unwrap();
        assert!(
            tokens.len() <= config(random_model_texts::vocabulary_size()).text.unwrap().context,
            "{} tokens",
            tokens.len()
        );
        assert!(!tokens.get_tokens().iter().any(|token| token == random_model_texts::UNKNOWN));
    }
}
