//! The dual encoder in f32 compared with PyTorch, both on the same 224 x 224 picture and the same tokens.

use headlamp::checkpoint::{Quantisation, default_pack};
use headlamp::decompose::{Decomposition, Direction, Trace};
use headlamp::model::Crop;
use headlamp::zero_shot;

use super::tokens::texts;
use super::{TOLERANCE, embed, f32_model, photos, reference, trace};
use test_support::reference::{bytes_of, relative};

/// Returns the normalised `crop.png`.
pub fn crop() -> Crop {
    let photo = photos::decode("crop.png", &bytes_of("default_pack/crop.png"));
    photos::pixels(&photo, &f32_model().config.vision)
}

/// Compares each of `errors` with the tolerance.
fn assert_close(errors: &[(&str, f64)]) {
    for (what, error) in errors {
        println!("{what}: {error:.1e}");
    }
    for (what, error) in errors {
        assert!(*error < TOLERANCE, "{what} is off by {error:.1e}");
    }
}

/// The embedding and every component, with all of their numbers.
#[test]
fn components_agree_with_pytorch() {
    let (model, reference) = (f32_model(), reference());
    let expected = |part: &str| &reference.tensors[part].values[..];
    let trace = trace(model, &crop());
    let decomposition = Decomposition::new(&model.readout, &trace);
    let (layers, heads) = (model.config.vision.layers, model.config.vision.heads);
    let by_head: Vec<f64> =
        (0..layers * heads).flat_map(|index| decomposition.head(index / heads, index % heads)).collect();
    let d = model.config.embedding;
    assert_close(&[
        ("embedding", relative(&trace.embedding, expected("embedding"), d)),
        ("unit embedding", relative(&decomposition.embedding(), expected("unit"), d)),
        ("|M|", relative(&[decomposition.final_norm().norm], expected("norm"), 1)),
        ("final CLS", relative(&trace.final_cls, expected("final_cls"), d)),
        ("CLS attention", relative(&trace.layers[layers - 1].attention, expected("attention.last"), trace.tokens)),
        ("heads' parts", relative(&by_head, expected("component.heads"), d)),
        ("MLPs' parts", relative(&decomposition.mlps().concat(), expected("component.mlps"), d)),
        ("z0's part", relative(&decomposition.embedded(), expected("component.embedded"), d)),
    ]);
}

/// Ten phrases: their embeddings, scores and probabilities, the contribution of each component to every score, and
/// the contribution of each patch to the first score.
#[test]
fn scores_agree_with_pytorch() {
    let (model, reference) = (f32_model(), reference());
    let expected = |part: &str| &reference.tensors[part].values[..];
    let units = embed(model, &texts().into_iter().map(|text| text.ids).collect::<Vec<_>>());
    let directions: Vec<Direction> = units.iter().map(|unit| model.readout.direction(unit)).collect();
    let trace = trace(model, &crop());
    let decomposition = Decomposition::new(&model.readout, &trace);
    let scores = cosines(&trace, &units);
    let parts: Vec<_> = directions.iter().map(|direction| decomposition.parts(direction)).collect();
    let count = units.len();
    let by_text = |rows: Vec<Vec<f64>>| -> Vec<f64> {
        (0..rows[0].len()).flat_map(|part| rows.iter().map(move |row| row[part]).collect::<Vec<_>>()).collect()
    };
    let heads = by_text(parts.iter().map(|parts| parts.heads.concat()).collect());
    let mlps = by_text(parts.iter().map(|parts| parts.mlps.clone()).collect());
    let embedded: Vec<f64> = parts.iter().map(|parts| parts.embedding).collect();
    let probabilities = zero_shot::probabilities(&scores, model.logit_scale);
    assert_close(&[
        ("texts", relative(&units.concat(), expected("texts.unit"), model.config.embedding)),
        ("scores", relative(&scores, expected("scores"), count)),
        ("probabilities", relative(&probabilities, expected("probabilities"), count)),
        ("heads' scores", relative(&heads, expected("heads"), count)),
        ("MLPs' scores", relative(&mlps, expected("mlps"), count)),
        ("z0's scores", relative(&embedded, expected("embedded"), count)),
        ("patches", relative(&decomposition.patches(&directions[0]), expected("patches"), trace.grid.len())),
    ]);
}

/// The tokens that mask propagation reads.
#[test]
fn tokens_after_block_7_agree_with_pytorch() {
    let (model, reference) = (f32_model(), reference());
    let width = model.config.vision.width;
    let layer = default_pack::manifest(Quantisation::F32).propagation_layer();
    assert_eq!(layer, 7);
    let features = pollster::block_on(model.vision.tokens_after(&crop(), layer)).unwrap();
    let found: Vec<f32> = features.tokens.chunks(width).step_by(16).flatten().copied().collect();
    let expected = &reference.tensors["tokens_after_block_7.every_16th_patch"].values;
    assert_close(&[("tokens after block 7", relative(&found, expected, width))]);
}

fn cosines(trace: &Trace, units: &[Vec<f32>]) -> Vec<f32> {
    let embedding = zero_shot::normalised(&trace.embedding);
    units.iter().map(|unit| zero_shot::dot(&embedding, unit) as f32).collect()
}
