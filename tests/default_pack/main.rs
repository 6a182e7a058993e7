//! The default model compared with PyTorch and ONNX Runtime, and the pack that `cargo xtask assets` makes from it.
//!
//! `tests/reference/default_pack.py` made the fixtures from the same ingredients. The texts are those of
//! `check.json`.
#![cfg(not(target_arch = "wasm32"))]

mod alignment;
mod check;
mod dual_encoder;
mod img_focus;
mod kernels;
mod pack;
mod photos;
mod roles;
mod tokens;

use std::path::{Path, PathBuf};
use std::sync::OnceLock;

use burn::tensor::Device;
use headlamp::checkpoint::StateDict;
use headlamp::checkpoint::default_pack::{self as recipe, SourceFiles};
use headlamp::checkpoint::layouts::FirstOf;
use headlamp::decompose::Trace;
use headlamp::model::{Crop, Model};
use xtask::places;

/// The largest allowed relative error of any vector, if both sides have the same input numbers.
const TOLERANCE: f64 = 1e-4;

/// Returns the path of a file or folder that `cargo xtask assets` makes.
fn asset(path: PathBuf) -> PathBuf {
    assert!(path.exists(), "{} is missing: run `cargo xtask assets`", path.display());
    path
}

/// Returns the path of a downloaded part of the default pack.
fn ingredient(name: &str) -> PathBuf {
    asset(places::cache().join("models").join(name))
}

/// Returns the default model in f32, built from its ingredients and loaded once.
fn f32_model() -> &'static Model {
    static MODEL: OnceLock<Model> = OnceLock::new();
    MODEL.get_or_init(|| {
        let mut source = source();
        Model::load(recipe::config(), &mut source, Device::flex()).unwrap()
    })
}

/// Returns the default model's weights in f32.
fn source() -> FirstOf {
    let source = recipe::source(&SourceFiles {
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

/// Returns the results of PyTorch and ONNX Runtime for `crop.png`.
fn reference() -> StateDict {
    test_support::reference::tensors_of("default_pack/default_pack.expected")
}

fn json(path: &Path) -> serde_json::Value {
    let bytes = std::fs::read(path).unwrap_or_else(|err| panic!("cannot read {}: {err}", path.display()));
    serde_json::from_slice(&bytes).unwrap()
}
