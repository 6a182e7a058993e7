//! The library compiled to WebAssembly, on the backend that browsers without a GPU use: the same references and
//! the same tolerances as natively (`tests/parity`, `tests/textspan.rs`).
//!
//! `cargo xtask test wasm` runs these tests in Node.js.
#![cfg(target_arch = "wasm32")]

use burn::tensor::Device;
use headlamp::checkpoint::StateDict;
use headlamp::checkpoint::layouts::Layout;
use headlamp::decompose::{Decomposition, HeadBasis};
use headlamp::geometry::{Grid, LongSide, Size};
use headlamp::model::{
    Activation, Crop, Model, ModelConfig, PositionResize, TextConfig, TextKind, TextPooling, VisionConfig,
};
use headlamp::statistics::Moments;
use headlamp::textspan::textspan;
use headlamp::zero_shot;
use safetensors::SafeTensors;
use wasm_bindgen_test::wasm_bindgen_test;

const CLIP: &[u8] = include_bytes!("reference/fixtures/vit_clip.safetensors");
const CLIP_EXPECTED: &[u8] = include_bytes!("reference/fixtures/vit_clip.expected.safetensors");
const TEXTSPAN: &[u8] = include_bytes!("reference/fixtures/textspan/many.expected.safetensors");

const TOLERANCE: f64 = 1e-4;

/// The contents of `vit_clip.config.json`.
fn config() -> ModelConfig {
    let vision = VisionConfig {
        width: 24,
        layers: 3,
        heads: 3,
        patch: 4,
        image_size: 28,
        long_side: LongSide::Truncated,
        mlp_width: 96,
        activation: Activation::QuickGelu,
        ln_pre: true,
        registers: 0,
        eps: 1e-5,
        position_grid: Grid { rows: 7, columns: 7 },
        position_resize: PositionResize::Size,
        projection: true,
        projection_bias: false,
        mean: [0.0; 3],
        std: [1.0; 3],
    };
    let text = TextConfig {
        kind: TextKind::Clip,
        width: 20,
        layers: 3,
        heads: 2,
        mlp_width: 80,
        activation: Activation::QuickGelu,
        eps: 1e-5,
        vocabulary: 64,
        context: 16,
        pooling: TextPooling::End,
        projection: true,
        centred: false,
    };
    ModelConfig { vision, text: Some(text), embedding: 16 }
}

fn model() -> Model {
    let state = StateDict::from_safetensors("vit_clip", CLIP).unwrap();
    Model::load(config(), &mut Layout::clip(state), Device::flex()).unwrap()
}

fn expected(name: &str) -> Vec<f32> {
    StateDict::from_safetensors("expected", CLIP_EXPECTED).unwrap().tensors.remove(name).unwrap().values
}

/// Returns |found - expected| / |expected|.
fn relative(found: impl IntoIterator<Item = f64>, expected: &[f32]) -> f64 {
    let found: Vec<f64> = found.into_iter().collect();
    assert_eq!(found.len(), expected.len());
    let apart: f64 = found.iter().zip(expected).map(|(found, e)| (found - f64::from(*e)).powi(2)).sum();
    (apart / expected.iter().map(|e| f64::from(*e).powi(2)).sum::<f64>()).sqrt()
}

#[wasm_bindgen_test]
async fn every_component_matches_the_reference() {
    let model = model();
    for (label, width, height) in [("native", 28, 28), ("square", 20, 20), ("wide", 36, 16)] {
        let crop = Crop { size: Size { width, height }, values: expected(&format!("{label}.pixels")) };
        let trace = model.vision.trace(&crop).await.unwrap();
        let image = Decomposition::new(&model.readout, &trace);
        assert!(image.residual() < 1e-5, "{label}: sum check {}", image.residual());
        let unit = image.embedding().into_iter().map(f64::from);
        assert!(relative(unit, &expected(&format!("{label}.unit"))) < TOLERANCE, "{label}: embedding");
        // `[layer][head][token][embedding]`
        let tokens = expected(&format!("{label}.component.tokens"));
        let texts = expected("text.unit");
        for text in texts.chunks(16) {
            let direction = model.readout.direction(text);
            let mut parts = tokens.chunks(16).map(|part| zero_shot::dot(part, text) as f32);
            for (layer, head) in (0..3).flat_map(|layer| (0..3).map(move |head| (layer, head))) {
                let expected: Vec<f32> = parts.by_ref().take(trace.tokens).collect();
                let error = relative(image.head_tokens(&direction, layer, head), &expected);
                assert!(error < TOLERANCE, "{label}: tokens of head {layer}.{head} are off by {error}");
            }
        }
        let mlps = image.mlps().concat();
        assert!(relative(mlps, &expected(&format!("{label}.component.mlps"))) < TOLERANCE, "{label}: MLPs");
        let embedded = expected(&format!("{label}.component.embedded"));
        assert!(relative(image.embedded(), &embedded) < TOLERANCE, "{label}: z0");
    }
}

#[wasm_bindgen_test]
async fn texts_match_the_reference() {
    let parsed = SafeTensors::deserialize(CLIP_EXPECTED).unwrap();
    let ids = parsed.tensor("text.ids").unwrap();
    let longest = ids.shape()[1];
    let ids: Vec<i64> = ids.data().as_chunks().0.iter().map(|eight| i64::from_le_bytes(*eight)).collect();
    let texts: Vec<Vec<u32>> =
        ids.chunks(longest).map(|row| row.iter().filter_map(|id| u32::try_from(*id).ok()).collect()).collect();
    let units = model().text_tower().unwrap().embed(&texts).await.unwrap();
    for (unit, expected) in units.iter().zip(expected("text.unit").chunks(16)) {
        let error = relative(unit.iter().map(|value| f64::from(*value)), expected);
        assert!(error < TOLERANCE, "{error}");
    }
}

#[wasm_bindgen_test]
fn textspan_picks_match_the_plain_algorithm() {
    let parsed = SafeTensors::deserialize(TEXTSPAN).unwrap();
    let eights = |name: &str| parsed.tensor(name).unwrap().data().as_chunks().0.to_vec();
    let floats = |name: &str| eights(name).into_iter().map(f64::from_le_bytes).collect::<Vec<f64>>();
    let counts = |name: &str| eights(name).into_iter().map(|x| i64::from_le_bytes(x) as usize).collect::<Vec<_>>();
    let (rank, count) = (counts("rank")[0], counts("count")[0]);
    let (values, code) = (floats("basis"), rank + 3);
    let mut moments = Moments::new(code);
    floats("codes").chunks(code).for_each(|codes| moments.push(codes));
    let texts: Vec<f32> = floats("texts").into_iter().map(|value| value as f32).collect();
    let basis = HeadBasis { embedding: values.len() / code, values, code };
    let picks = textspan(&basis, &moments, &texts, rank, count);
    assert_eq!(picks.iter().map(|pick| pick.text).collect::<Vec<_>>(), counts("picks"));
}
