//! Published models are recognised by sizes and name, from a header alone: no weights are needed for that.

use headlamp::checkpoint::detect::{Answers, Detected, Unknown, detect};
use headlamp::checkpoint::index::{Index, Opened, Opening};
use headlamp::checkpoint::known::{KNOWN, Known, Tower};
use headlamp::checkpoint::{CheckpointError, Companions};
use headlamp::model::Activation;
use serde_json::{Map, json};

/// OpenCLIP's names and shapes of a model, as far as its sizes go by them.
fn listing(known: &Known) -> Vec<(String, Vec<usize>)> {
    let sizes = known.sizes;
    let Tower { width, layers, .. } = sizes.vision;
    let text = sizes.text;
    let mut listing = vec![
        ("visual.class_embedding".to_owned(), vec![width]),
        ("visual.conv1.weight".to_owned(), vec![width, 3, sizes.patch, sizes.patch]),
        ("visual.positional_embedding".to_owned(), vec![1 + sizes.grid * sizes.grid, width]),
        ("visual.ln_pre.weight".to_owned(), vec![width]),
        ("visual.proj".to_owned(), vec![width, sizes.embedding]),
        ("token_embedding.weight".to_owned(), vec![49_408, text.width]),
        ("positional_embedding".to_owned(), vec![77, text.width]),
    ];
    for (prefix, Tower { width, layers, .. }) in [("visual.", Tower { width, layers, heads: 0 }), ("", text)] {
        for layer in 0..layers {
            let name = format!("{prefix}transformer.resblocks.{layer}.mlp.c_fc.weight");
            listing.push((name, vec![4 * width, width]));
        }
    }
    listing
}

/// The index of a safetensors file of which only the header exists.
fn index(listing: &[(String, Vec<usize>)]) -> Index {
    let mut header = Map::new();
    let mut end = 0_usize;
    for (name, shape) in listing {
        let start = end;
        end += 2 * shape.iter().product::<usize>();
        header.insert(name.clone(), json!({"dtype": "F16", "shape": shape, "data_offsets": [start, end]}));
    }
    let header = serde_json::to_vec(&header).unwrap();
    let opening = Opening::new("a header", (8 + header.len() + end) as u64);
    let Opened::Further(opening) = opening.push(&(header.len() as u64).to_le_bytes()).unwrap() else { panic!() };
    let Opened::Whole(index) = opening.push(&header).unwrap() else { panic!() };
    index
}

fn recognised(known: &Known, name: &str) -> Result<Detected, CheckpointError> {
    detect(index(&listing(known)), &Companions::new(), name, &Answers::default())
}

#[test]
fn every_known_model_is_recognised_by_its_repository() {
    for known in KNOWN.iter().filter(|known| known.activation.is_some()) {
        let found = recognised(known, known.repository).unwrap_or_else(|err| panic!("{}: {err}", known.name));
        assert_eq!(found.known.map(|known| known.name), Some(known.name));
        let (vision, text) = (&found.model.vision, &found.model.text);
        assert_eq!(
            (vision.heads, text.heads),
            (known.sizes.vision.heads, known.sizes.text.heads),
            "{}",
            known.name
        );
        assert_eq!(Some(vision.activation), known.activation, "{}", known.name);
        assert_eq!((vision.mean, vision.std), (known.mean, known.std), "{}", known.name);
        assert_eq!(vision.image_size, known.sizes.patch * known.sizes.grid, "{}", known.name);
    }
}

#[test]
fn the_papers_models_differ_as_published() {
    let of = |repository: &str| KNOWN.iter().find(|known| known.repository == repository).unwrap();
    let large = of("laion/CLIP-ViT-L-14-laion2B-s32B-b82K");
    assert_eq!((large.mean, large.activation), ([0.5; 3], Some(Activation::Gelu)));
    let huge = of("laion/CLIP-ViT-H-14-laion2B-s32B-b79K");
    assert_eq!(huge.sizes.vision.width / huge.sizes.vision.heads, 80);
    assert_eq!(of("openai/clip-vit-large-patch14-336").sizes.grid, 24);
}

/// Sizes that are known tell the heads; whose weights they are, only the name can.
#[test]
fn a_known_size_of_unknown_weights_is_asked_about() {
    let CheckpointError::Unknown(unknowns) = recognised(&KNOWN[0], "mine/epoch_3.pt").unwrap_err() else {
        panic!()
    };
    assert_eq!(unknowns.0, [Unknown::Activation, Unknown::Normalisation]);
}

#[test]
fn models_of_other_kinds_are_refused_by_kind() {
    let cases = [
        ("visual.trunk.blocks.0.norm1.weight", "timm"),
        ("visual.layer1.0.conv1.weight", "ResNet"),
        ("vision_model.embeddings.patch_embedding.bias", "SigLIP"),
        ("embeddings.cls_token", "neither"),
    ];
    for (name, expected) in cases {
        let index = index(&[(name.to_owned(), vec![4])]);
        let err = detect(index, &Companions::new(), "", &Answers::default()).unwrap_err();
        assert!(err.to_string().contains(expected), "{name}: {err}");
    }
}

#[test]
fn configs_of_other_kinds_are_refused() {
    let cases = [
        ("config.json", json!({"model_type": "siglip"}), "siglip"),
        ("config.json", json!({"vision_config": {"hidden_act": "gelu_pytorch_tanh"}}), "gelu_pytorch_tanh"),
        ("open_clip_config.json", json!({"model_cfg": {"vision_cfg": {"timm_model_name": "vit_x"}}}), "vit_x"),
        ("open_clip_config.json", json!({"model_cfg": {"vision_cfg": {"pool_type": "avg"}}}), "pool_type"),
        ("config.json", json!({"vision_config": {"hidden_size": 12}}), "width of the image tower is 12"),
    ];
    for (file, config, expected) in cases {
        let companions = Companions::from([(file.to_owned(), serde_json::to_vec(&config).unwrap())]);
        let err = detect(index(&listing(&KNOWN[0])), &companions, "openai", &Answers::default()).unwrap_err();
        assert!(err.to_string().contains(expected), "{config}: {err}");
    }
    let companions = Companions::from([("config.json".to_owned(), b"{".to_vec())]);
    let err = detect(index(&listing(&KNOWN[0])), &companions, "openai", &Answers::default()).unwrap_err();
    assert!(matches!(err, CheckpointError::Malformed { .. }), "{err}");
}
