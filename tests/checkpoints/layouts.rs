//! Every layout gives the same results as PyTorch with the same weights.

use headlamp::checkpoint::Quantisation;
use headlamp::checkpoint::StateDict;
use headlamp::checkpoint::detect::{Family, GivenSettings};
use headlamp::geometry::Size;
use headlamp::model::{Activation, Crop};
use headlamp::zero_shot;

use super::{converted, detected, model};
use test_support::reference::{path_of, relative, tensors_of};

/// The largest allowed relative error of any vector.
const TOLERANCE: f64 = 1e-4;

/// Each folder of fixtures, and the model of the reference that it holds.
const FOLDERS: [(&str, &str, Family); 8] = [
    ("hf_safetensors", "hf", Family::HuggingFace),
    ("hf_bin", "hf", Family::HuggingFace),
    ("hf_legacy", "hf", Family::HuggingFace),
    ("open_clip", "open_clip", Family::OpenClip),
    ("open_clip_training", "open_clip", Family::OpenClip),
    ("open_clip_custom_text", "open_clip", Family::OpenClip),
    ("tinyclip", "open_clip", Family::OpenClip),
    ("openai", "openai", Family::OpenAi),
];

/// Returns the reference's texts, each from its start token to its end token.
fn texts() -> Vec<Vec<u32>> {
    let bytes = test_support::reference::bytes_of("checkpoints/all.expected.safetensors");
    let tensors = safetensors::SafeTensors::deserialize(&bytes).unwrap();
    let ids = tensors.tensor("ids").unwrap();
    let numbers: Vec<i64> = ids.data().as_chunks().0.iter().map(|eight| i64::from_le_bytes(*eight)).collect();
    let rows = numbers.chunks(ids.shape()[1]);
    rows.map(|row| row.iter().filter_map(|id| u32::try_from(*id).ok()).collect()).collect()
}

fn values(expected: &StateDict, name: &str) -> Vec<f32> {
    expected.tensors[name].values.clone()
}

#[test]
fn every_layout_computes_like_pytorch() {
    let expected = tensors_of("checkpoints/all.expected");
    for (folder, reference, family) in FOLDERS {
        let path = path_of(&format!("checkpoints/{folder}"));
        let (found, _) =
            detected(&path, &GivenSettings::default()).unwrap_or_else(|err| panic!("{folder}: {err}"));
        assert_eq!(found.family, family, "{folder}");
        let pack = converted(&path, &GivenSettings::default(), Quantisation::F32);
        let model = model(pack.unwrap_or_else(|err| panic!("{folder}: {err}")));
        let config = &model.config;
        let side = config.vision.image_size;
        let pixels = values(&expected, &format!("{reference}.pixels"));
        let crop = Crop { size: Size { width: side, height: side }, values: pixels };
        let trace = pollster::block_on(model.vision.trace(&crop)).unwrap();
        let error =
            relative(&trace.embedding, &values(&expected, &format!("{reference}.image")), config.embedding);
        assert!(error < TOLERANCE, "{folder}: the image is off by {error}");
        let units = pollster::block_on(model.text_tower().unwrap().embed(&texts())).unwrap();
        let texts = values(&expected, &format!("{reference}.texts"));
        let expected: Vec<f32> = texts.chunks(config.embedding).flat_map(zero_shot::normalised).collect();
        let error = relative(&units.concat(), &expected, config.embedding);
        assert!(error < TOLERANCE, "{folder}: a text is off by {error}");
        assert!((model.logit_scale - 2.3_f32.exp()).abs() < 0.05, "{folder}: {}", model.logit_scale);
    }
}

#[test]
fn settings_outside_the_tensors_come_from_configs() {
    let of = |folder: &str| {
        let found = detected(&path_of(&format!("checkpoints/{folder}")), &GivenSettings::default()).unwrap().0;
        (found.model.vision, found.model.text.unwrap())
    };
    let (vision, text) = of("hf_safetensors");
    assert_eq!((vision.heads, text.heads, vision.activation), (2, 4, Activation::Gelu));
    assert_eq!((vision.mean, vision.std, vision.image_size), ([0.5; 3], [0.5; 3], 32));
    let (vision, text) = of("open_clip");
    assert_eq!((vision.heads, text.heads, vision.activation), (4, 2, Activation::QuickGelu));
    let (vision, text) = of("openai");
    assert_eq!((vision.heads, text.heads, vision.activation), (1, 1, Activation::QuickGelu));
}

#[test]
fn conversion_is_deterministic() {
    let pack = || {
        converted(&path_of("checkpoints/hf_bin"), &GivenSettings::default(), Quantisation::Q8).unwrap().manifest
    };
    assert_eq!(pack().files, pack().files);
}
