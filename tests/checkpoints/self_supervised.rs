//! Self-supervised vision transformers in every layout: recognised, with the same results as PyTorch.
//!
//! `tests/reference/self_supervised.py` made the fixtures.

use headlamp::checkpoint::detect::{Detected, Family, GivenSettings};
use headlamp::checkpoint::{CheckpointError, Quantisation, StateDict};
use headlamp::decompose::Decomposition;
use headlamp::geometry::{Grid, Size};
use headlamp::model::{Crop, Model, PositionResize};

use super::{converted, detected, model};
use test_support::reference::{path_of, relative, tensors_of};

/// The largest allowed relative error of any vector.
const TOLERANCE: f64 = 1e-4;

/// The crops of the reference: the models' own grid, a larger one, and one of another shape.
const SIZES: [(&str, Grid); 3] = [
    ("native", Grid { rows: 5, columns: 5 }),
    ("square", Grid { rows: 7, columns: 7 }),
    ("wide", Grid { rows: 4, columns: 9 }),
];

/// Each folder of fixtures, the model of the reference that it holds, and the model's method to resize positions.
const FOLDERS: [(&str, &str, Family, PositionResize); 10] = [
    ("dino_training", "dino", Family::Dino, PositionResize::DinoScale),
    ("dino", "dino", Family::Dino, PositionResize::DinoScale),
    ("dora", "dino", Family::Dino, PositionResize::DinoScale),
    ("dinov2", "dinov2", Family::DinoV2, PositionResize::DinoScale),
    ("dinov2_registers", "dinov2_registers", Family::DinoV2, PositionResize::Antialias),
    ("timm", "timm", Family::Dino, PositionResize::Antialias),
    ("timm_registers", "timm_registers", Family::TimmRegisters, PositionResize::Antialias),
    ("hf_vit", "hf_vit", Family::HuggingFaceVit, PositionResize::Size),
    ("hf_dinov2", "hf_dinov2", Family::HuggingFaceDinov2, PositionResize::Size),
    ("hf_dinov2_registers", "hf_dinov2_registers", Family::HuggingFaceDinov2, PositionResize::Antialias),
];

/// The heads of the fixtures have a width of 8. DINO's own files have no config that declares the width.
fn answers() -> GivenSettings {
    GivenSettings { vision_heads: Some(2), ..GivenSettings::default() }
}

fn found(folder: &str) -> Detected {
    let found = detected(&path_of(&format!("self_supervised/{folder}")), &answers());
    found.unwrap_or_else(|err| panic!("{folder}: {err}")).0
}

/// Opens the model of a folder of fixtures, in f32.
fn opened(folder: &str) -> Model {
    let pack = converted(&path_of(&format!("self_supervised/{folder}")), &answers(), Quantisation::F32);
    model(pack.unwrap_or_else(|err| panic!("{folder}: {err}")))
}

/// Returns a crop of the reference.
fn crop(expected: &StateDict, size: &str) -> Crop {
    let pixels = &expected.tensors[&format!("{size}.pixels")];
    let [3, height, width] = pixels.shape[..] else { panic!("pixels of shape {:?}", pixels.shape) };
    Crop { size: Size { width, height }, values: pixels.values.clone() }
}

#[test]
fn every_layout_computes_like_pytorch_on_every_grid() {
    let expected = tensors_of("self_supervised/all.expected");
    for (folder, reference, family, resize) in FOLDERS {
        let detected = found(folder);
        assert_eq!((detected.family, detected.model.vision.position_resize), (family, resize), "{folder}");
        let model = opened(folder);
        let width = model.config.vision.width;
        for (size, grid) in SIZES {
            let trace = pollster::block_on(model.vision.trace(&crop(&expected, size))).unwrap();
            assert_eq!(trace.grid, grid, "{folder}");
            let of = |part: &str| &expected.tensors[&format!("{reference}.{size}.{part}")].values;
            let last = &trace.layers[trace.layers.len() - 1];
            let errors = [
                ("embedding", relative(&trace.embedding, &of("tokens")[..width], width)),
                ("last CLS attention", relative(&last.attention, of("attention"), trace.tokens)),
            ];
            for (what, error) in errors {
                assert!(error < TOLERANCE, "{folder}, {size}: the {what} is off by {error:.1e}");
            }
            for (what, error) in feature_errors(&model, &crop(&expected, size), &of) {
                assert!(error < TOLERANCE, "{folder}, {size}: the {what} are off by {error:.1e}");
            }
            let residual = Decomposition::new(&model.readout, &trace).residual();
            assert!(residual < 1e-6, "{folder}, {size}: the parts miss the whole by {residual:.1e}");
        }
    }
}

/// Returns the relative error of each part of a crop's features. `of` gives the reference of a part.
fn feature_errors<'a>(model: &Model, crop: &Crop, of: &impl Fn(&str) -> &'a Vec<f32>) -> [(&'static str, f64); 4] {
    let features = pollster::block_on(model.vision.features(crop)).unwrap();
    let (width, leading) = (features.width, model.config.vision.leading_tokens());
    let patches = features.grid.len();
    let attention: Vec<f32> =
        of("attention").chunks(leading + patches).flat_map(|row| row[leading..].to_vec()).collect();
    [
        ("patches' attention", relative(&features.cls_attention, &attention, patches)),
        ("queries", relative(&features.queries, of("queries"), width)),
        ("keys", relative(&features.keys, of("keys"), width)),
        ("patches' tokens", relative(&features.tokens, &of("tokens")[leading * width..], width)),
    ]
}

/// Another method to resize positions must fail the comparison.
#[test]
fn the_resize_method_of_positions_matters() {
    let expected = tensors_of("self_supervised/all.expected");
    for (folder, reference, _, resize) in FOLDERS {
        let all = [PositionResize::Size, PositionResize::DinoScale, PositionResize::Antialias];
        for other in all.into_iter().filter(|other| *other != resize) {
            let path = path_of(&format!("self_supervised/{folder}"));
            let mut pack = converted(&path, &answers(), Quantisation::F32).unwrap();
            pack.manifest.model.vision.position_resize = other;
            let model = model(pack);
            let trace = pollster::block_on(model.vision.trace(&crop(&expected, "wide"))).unwrap();
            let right = &expected.tensors[&format!("{reference}.wide.tokens")].values[..16];
            assert!(
                relative(&trace.embedding, right, 16) > 10.0 * TOLERANCE,
                "{folder}: {other:?} passes the comparison"
            );
        }
    }
}

#[test]
fn a_model_without_a_text_tower_is_reported() {
    let model = opened("dino");
    assert!(model.config.text.is_none());
    let said = model.text_tower().err().unwrap().to_string();
    assert!(said.contains("headlamp align"), "{said}");
    let manifest = found("dinov2").manifest(None, None, "a test", Quantisation::Q8);
    assert!(manifest.description.starts_with("A self-supervised"), "{}", manifest.description);
}

#[test]
fn preprocessing_is_read_from_configs() {
    let of = |folder| found(folder).model.vision;
    let dino = of("dino");
    assert_eq!((dino.image_size, dino.eps, dino.mean), (20, 1e-6, [0.485, 0.456, 0.406]));
    let timm = of("timm");
    assert_eq!((timm.mean, timm.std), ([0.4, 0.5, 0.6], [0.2, 0.3, 0.25]));
    let hugging = of("hf_dinov2");
    // A crop of 18 pixels has four patches of 4.
    assert_eq!((hugging.image_size, hugging.mean, hugging.heads), (16, [0.5; 3], 2));
    assert_eq!(of("hf_vit").eps, 1e-12);
}

#[test]
fn an_unknown_number_of_heads_is_asked_for() {
    let path = path_of("self_supervised/dino");
    let Err(CheckpointError::MissingSettings(missing)) =
        detected(&path, &GivenSettings::default()).map(|found| found.0)
    else {
        panic!("the number of heads of a tower of width 16 must be unknown")
    };
    assert_eq!(missing.0.len(), 1, "{missing}");
}

/// The layouts work in every way to store weights. q8 and q4 stay close.
#[test]
fn quantised_towers_stay_close() {
    let expected = tensors_of("self_supervised/all.expected");
    for (quantisation, most) in [(Quantisation::F16, 1e-2), (Quantisation::Q8, 5e-2), (Quantisation::Q4, 0.6)] {
        for (folder, reference, ..) in FOLDERS {
            let path = path_of(&format!("self_supervised/{folder}"));
            let model = model(converted(&path, &answers(), quantisation).unwrap());
            let trace = pollster::block_on(model.vision.trace(&crop(&expected, "native"))).unwrap();
            let right = &expected.tensors[&format!("{reference}.native.tokens")].values[..16];
            let error = relative(&trace.embedding, right, 16);
            assert!(error < most, "{folder} in {quantisation:?} is off by {error:.2}");
        }
    }
}
