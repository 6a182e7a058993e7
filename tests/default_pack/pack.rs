//! The 8-bit pack of `cargo xtask assets`, compared with the f32 model that it was made from.

use burn::tensor::Device;
use headlamp::checkpoint::{Pack, PackWriter, Quantisation, default_pack as recipe, pack::TOKENIZER};
use headlamp::decompose::Decomposition;
use headlamp::model::Model;
use headlamp::zero_shot;
use xtask::places;

use super::photos::{self, SAMPLES};
use super::tokens::texts;
use super::{asset, embed, f32_model, ingredient, source, trace};

/// The least allowed cosine for an embedding in eight bits. The least measured: photos 0.99992, texts 0.99976.
const COSINE: f64 = 0.999;
/// The largest allowed difference between the components' sum and the embedding. Quantised weights decompose as
/// exactly as others.
const RESIDUAL: f64 = 1e-4;

pub fn pack() -> Pack {
    Pack::read(&asset(places::packs().join("default"))).unwrap()
}

pub fn load(mut pack: Pack) -> Model {
    let mut weights = pack.weights().unwrap();
    Model::load(pack.manifest.model, &mut weights, Device::flex()).unwrap()
}

#[test]
fn the_pack_holds_the_default_model_and_its_tokenizer() {
    let pack = pack();
    assert_eq!(pack.manifest.model, recipe::config());
    assert_eq!(pack.manifest.quantisation, Quantisation::Q8);
    let tokenizer = std::fs::read(ingredient("minilm-tokenizer.json")).unwrap();
    assert!(pack.bytes(TOKENIZER) == Some(&tokenizer[..]), "the pack's tokenizer is not MiniLM's own");
}

/// The photos are cropped as the program crops them.
#[test]
fn eight_bits_keep_photo_embeddings_and_their_sums() {
    let (q8, f32) = (load(pack()), f32_model());
    for name in SAMPLES {
        let crop = photos::crop(&photos::sample(name), &q8.config.vision);
        let (small, full) = (trace(&q8, &crop), trace(f32, &crop));
        let decomposition = Decomposition::new(&q8.readout, &small);
        let full = zero_shot::normalised(&full.embedding);
        let (cosine, residual) = (zero_shot::dot(&decomposition.embedding(), &full), decomposition.residual());
        println!("{name}: cosine {cosine:.6}, residual {residual:.1e}");
        assert!(cosine >= COSINE, "{name}: cosine {cosine} to the f32 model");
        assert!(residual < RESIDUAL, "{name}: the components miss the embedding by {residual:.1e}");
    }
}

#[test]
fn eight_bits_keep_text_embeddings() {
    let tokens: Vec<Vec<u32>> = texts().into_iter().map(|text| text.ids).collect();
    let (q8, f32) = (embed(&load(pack()), &tokens), embed(f32_model(), &tokens));
    for (text, (q8, f32)) in texts().iter().zip(q8.iter().zip(&f32)) {
        let cosine = zero_shot::dot(q8, f32);
        println!("{}: cosine {cosine:.6}", text.text);
        assert!(cosine >= COSINE, "{:?}: cosine {cosine} to the f32 model", text.text);
    }
}

/// The least allowed cosine for an embedding in 4 bits. The least measured: photos 0.9969, texts 0.9938.
const COSINE_OF_4_BITS: f64 = 0.98;

#[test]
fn four_bits_keep_embeddings_close() {
    let mut writer = PackWriter::new(&recipe::config(), &mut source(), Quantisation::Q4).unwrap();
    writer.add(TOKENIZER, Vec::new());
    let (q4, f32) = (load(writer.finish(recipe::manifest(Quantisation::Q4)).unwrap()), f32_model());
    let unit = |model: &Model, crop: &_| zero_shot::normalised(&trace(model, crop).embedding);
    for name in SAMPLES {
        let crop = photos::crop(&photos::sample(name), &q4.config.vision);
        let cosine = zero_shot::dot(&unit(&q4, &crop), &unit(f32, &crop));
        println!("{name}: cosine {cosine:.6}");
        assert!(cosine >= COSINE_OF_4_BITS, "{name}: cosine {cosine} to the f32 model");
    }
    let tokens: Vec<Vec<u32>> = texts().into_iter().map(|text| text.ids).collect();
    for (text, (q4, f32)) in texts().iter().zip(embed(&q4, &tokens).iter().zip(&embed(f32, &tokens))) {
        let cosine = zero_shot::dot(q4, f32);
        println!("{}: cosine {cosine:.6}", text.text);
        assert!(cosine >= COSINE_OF_4_BITS, "{:?}: cosine {cosine} to the f32 model", text.text);
    }
}
