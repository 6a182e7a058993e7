//! The default model against PyTorch and ONNX Runtime, and the pack that `cargo xtask assets` makes of it.
//!
//! `tests/reference/default_pack.py` made the fixtures from the same ingredients. Texts are `check.json`'s.
#![cfg(not(target_arch = "wasm32"))]

mod check;
mod dual_encoder;
mod img_focus;
mod kernels;
mod pack;
mod photos;
mod tokens;

use std::path::{Path, PathBuf};
use std::sync::OnceLock;

use burn::tensor::Device;
use headlamp::checkpoint::StateDict;
use headlamp::checkpoint::default_pack::{self as recipe, Ingredients};
use headlamp::checkpoint::layouts::FirstOf;
use headlamp::model::{Crop, Model, Trace};
use xtask::places;

/// The largest relative error of any vector, where both sides saw the same numbers.
const TOLERANCE: f64 = 1e-4;

/// A file or folder that `cargo xtask assets` makes.
fn asset(path: PathBuf) -> PathBuf {
    assert!(path.exists(), "{} is not there: run `cargo xtask assets`", path.display());
    path
}

/// One of the default pack's downloaded parts.
fn ingredient(name: &str) -> PathBuf {
    asset(places::cache().join("models").join(name))
}

/// The default model in f32, straight from its ingredients; loaded once.
fn f32_model() -> &'static Model {
    static MODEL: OnceLock<Model> = OnceLock::new();
    MODEL.get_or_init(|| {
        let mut source = source();
        Model::load(recipe::config(), &mut source, &Device::flex()).unwrap()
    })
}

/// The default model's weights in f32.
fn source() -> FirstOf {
    let source = recipe::source(&Ingredients {
        onnx: &ingredient("vit_s_focus.onnx"),
        alignment: &places::checkout().join("www/packs/default/alignment.safetensors"),
        minilm: &ingredient("minilm.safetensors"),
    });
    source.unwrap_or_else(|err| panic!("{err}"))
}

fn trace(model: &Model, crop: &Crop) -> Trace {
    pollster::block_on(model.vision.trace(crop)).unwrap()
}

fn embed(model: &Model, tokens: &[Vec<u32>]) -> Vec<Vec<f32>> {
    pollster::block_on(model.text_tower().unwrap().embed(tokens)).unwrap()
}

/// What PyTorch and ONNX Runtime made of `crop.png`.
fn reference() -> StateDict {
    test_support::reference::tensors_of("default_pack/default_pack.expected")
}

fn json(path: &Path) -> serde_json::Value {
    let bytes = std::fs::read(path).unwrap_or_else(|err| panic!("cannot read {}: {err}", path.display()));
    serde_json::from_slice(&bytes).unwrap()
}
