//! The default model in f32 compared with `check.json`: the results of another implementation for the sample
//! photos, starting from the photo files.

use std::path::PathBuf;

use headlamp::decompose::Decomposition;
use headlamp::model::Model;
use headlamp::zero_shot;
use serde_json::Value;
use xtask::places;

use super::photos::{self, SAMPLES};
use super::tokens::tokenizer;
use super::{embed, f32_model, json, trace};

/// The largest allowed differences. The figures have six decimals. The resizer's weights have 16 bits where
/// Pillow's have 22, so that one value in 100 differs by one level (PNG files: scores differ by 6e-5). Another JPEG
/// decoder rounds chroma differently (JPEG files: scores differ by 1e-4). Each bound is about three times the largest
/// difference measured.
const COSINE: f64 = 1.0 - 1e-6;
const NORM: f64 = 2e-3;
const SCORE: f64 = 3e-4;
const HEAD: f64 = 1.5e-4;
const MLP: f64 = 6e-5;
const Z0: f64 = 2e-6;
/// Texts need no photo, so that only f32 and six decimals count.
const TEXT: f64 = 2e-6;

fn check() -> Value {
    let file: PathBuf = places::checkout().join("www/packs/default/check.json");
    json(&file)
}

/// Returns the embeddings of `check.json`'s texts, computed from the texts themselves.
fn units(model: &Model, check: &Value) -> Vec<Vec<f32>> {
    let tokenizer = tokenizer();
    let ids = |text: &Value| tokenizer.encode(text.as_str().unwrap(), true).unwrap().get_ids().to_vec();
    embed(model, &check["texts"].as_array().unwrap().iter().map(ids).collect::<Vec<_>>())
}

/// Returns all numbers of nested lists, in order.
fn numbers(value: &Value) -> Vec<f64> {
    match value {
        Value::Array(values) => values.iter().flat_map(numbers).collect(),
        value => vec![value.as_f64().unwrap_or_else(|| panic!("{value} is no number"))],
    }
}

/// Returns the largest difference.
fn largest_difference(found: &[f64], expected: &Value) -> f64 {
    let expected = numbers(expected);
    assert_eq!(found.len(), expected.len());
    let differences = found.iter().zip(expected).map(|(found, expected)| (found - expected).abs());
    differences.fold(0.0, |largest, difference| if difference <= largest { largest } else { difference })
}

fn cosine(found: &[f32], expected: &Value) -> f64 {
    let expected: Vec<f32> = numbers(expected).iter().map(|value| *value as f32).collect();
    assert_eq!(found.len(), expected.len());
    zero_shot::dot(&zero_shot::normalised(found), &zero_shot::normalised(&expected))
}

#[test]
fn texts_agree_with_check_json() {
    let check = check();
    let first8: Vec<f64> =
        units(f32_model(), &check).iter().flat_map(|unit| &unit[..8]).map(|value| f64::from(*value)).collect();
    let apart = largest_difference(&first8, &check["text_embeddings_first8"]);
    println!("texts: {apart:.1e}");
    assert!(apart < TEXT, "a text is off by {apart:.1e}");
}

/// Decoding, resizing, cropping, tower, decomposition and scores together.
#[test]
fn photos_agree_with_check_json() {
    let (model, check) = (f32_model(), check());
    let units = units(model, &check);
    let cat = model.readout.direction(&units[0]);
    for name in SAMPLES {
        let expected = &check["photos"][name];
        let trace = trace(model, &photos::crop(&photos::sample(name), &model.config.vision));
        let decomposition = Decomposition::new(&model.readout, &trace);
        let embedding = decomposition.embedding();
        let scores: Vec<f64> = units.iter().map(|unit| zero_shot::dot(&embedding, unit)).collect();
        let parts = decomposition.parts(&cat);
        let cosine = cosine(&embedding, &expected["embedding"]);
        println!("{name}: 1 - cosine {:.1e}", 1.0 - cosine);
        assert!(cosine > COSINE, "{name}: the embedding's cosine to check.json is {cosine}");
        for (what, apart, most) in [
            ("|M|", largest_difference(&[decomposition.final_norm().norm], &expected["norm"]), NORM),
            ("a score", largest_difference(&scores, &expected["scores"]), SCORE),
            ("a head", largest_difference(&parts.heads.concat(), &expected["heads_for_a_cat"]), HEAD),
            ("an MLP", largest_difference(&parts.mlps, &expected["mlps_for_a_cat"]), MLP),
            ("z0", largest_difference(&[parts.embedding], &expected["z0_for_a_cat"]), Z0),
        ] {
            println!("  {what}: {apart:.1e}");
            assert!(apart < most, "{name}: {what} is off by {apart:.1e}");
        }
    }
}
