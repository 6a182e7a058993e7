//! Published models are recognised by sizes and name. The header of a file is enough; no weights are needed.

use headlamp::checkpoint::detect::{
    Detected, GivenSettings, MissingSetting, PUBLISHED_MODELS, PublishedModel, TowerSizes, detect,
};
use headlamp::checkpoint::index::{IndexReader, IndexStep, TensorIndex};
use headlamp::checkpoint::on_disk::CheckpointOnDisk;
use headlamp::checkpoint::{CheckpointError, ConfigFiles};
use headlamp::model::Activation;
use serde_json::{Map, json};

/// Returns the names and shapes that determine a model's sizes: OpenCLIP's, or DINO's for a model without texts.
fn listing(known: &PublishedModel) -> Vec<(String, Vec<usize>)> {
    match known.sizes.text {
        Some(text) => clip_listing(known, text),
        None => dino_listing(known),
    }
}

fn clip_listing(known: &PublishedModel, text: TowerSizes) -> Vec<(String, Vec<usize>)> {
    let sizes = known.sizes;
    let TowerSizes { width, layers, .. } = sizes.vision;
    let mut listing = vec![
        ("visual.class_embedding".to_owned(), vec![width]),
        ("visual.conv1.weight".to_owned(), vec![width, 3, sizes.patch, sizes.patch]),
        ("visual.positional_embedding".to_owned(), vec![1 + sizes.grid * sizes.grid, width]),
        ("visual.ln_pre.weight".to_owned(), vec![width]),
        ("visual.proj".to_owned(), vec![width, sizes.embedding]),
        ("token_embedding.weight".to_owned(), vec![49_408, text.width]),
        ("positional_embedding".to_owned(), vec![77, text.width]),
    ];
    for (prefix, TowerSizes { width, layers, .. }) in
        [("visual.", TowerSizes { width, layers, heads: 0 }), ("", text)]
    {
        for layer in 0..layers {
            let name = format!("{prefix}transformer.resblocks.{layer}.mlp.c_fc.weight");
            listing.push((name, vec![4 * width, width]));
        }
    }
    listing
}

fn dino_listing(known: &PublishedModel) -> Vec<(String, Vec<usize>)> {
    let sizes = known.sizes;
    let TowerSizes { width, layers, .. } = sizes.vision;
    let mut listing = vec![
        ("cls_token".to_owned(), vec![1, 1, width]),
        ("patch_embed.proj.weight".to_owned(), vec![width, 3, sizes.patch, sizes.patch]),
        ("pos_embed".to_owned(), vec![1, 1 + sizes.grid * sizes.grid, width]),
    ];
    if sizes.registers > 0 {
        listing.push(("register_tokens".to_owned(), vec![1, sizes.registers, width]));
    }
    for layer in 0..layers {
        listing.push((format!("blocks.{layer}.mlp.fc1.weight"), vec![4 * width, width]));
        if sizes.patch == 14 {
            listing.push((format!("blocks.{layer}.ls1.gamma"), vec![width]));
        }
    }
    listing
}

/// Returns the index of a safetensors file that has only a header.
fn index(listing: &[(String, Vec<usize>)]) -> TensorIndex {
    let mut header = Map::new();
    let mut end = 0_usize;
    for (name, shape) in listing {
        let start = end;
        end += 2 * shape.iter().product::<usize>();
        header.insert(name.clone(), json!({"dtype": "F16", "shape": shape, "data_offsets": [start, end]}));
    }
    let header = serde_json::to_vec(&header).unwrap();
    let reader = IndexReader::new("a header", (8 + header.len() + end) as u64);
    let IndexStep::Unfinished(reader) = reader.push(&(header.len() as u64).to_le_bytes()).unwrap() else {
        panic!()
    };
    let IndexStep::Finished(index) = reader.push(&header).unwrap() else { panic!() };
    index
}

fn recognised(known: &PublishedModel, name: &str) -> Result<Detected, CheckpointError> {
    detect(index(&listing(known)), &ConfigFiles::new(), name, &GivenSettings::default())
}

#[test]
fn every_known_model_is_recognised_by_repository() {
    for known in PUBLISHED_MODELS.iter().filter(|known| known.activation.is_some()) {
        let name = known.repository.unwrap_or("dora_vits16.pth");
        let found = recognised(known, name).unwrap_or_else(|err| panic!("{}: {err}", known.name));
        assert_eq!(found.published.map(|known| known.name), Some(known.name));
        let (vision, text) = (&found.model.vision, &found.model.text);
        let text_heads = text.as_ref().map(|text| text.heads);
        let known_heads = (known.sizes.vision.heads, known.sizes.text.map(|text| text.heads));
        assert_eq!((vision.heads, text_heads), known_heads, "{}", known.name);
        assert_eq!(Some(vision.activation), known.activation, "{}", known.name);
        assert_eq!((vision.mean, vision.std), (known.mean, known.std), "{}", known.name);
        // The last training steps of DINOv2 used 518 pixels. Its input size in use is 224.
        let trained = known.sizes.patch * known.sizes.grid;
        assert_eq!(vision.image_size, if trained == 518 { 224 } else { trained }, "{}", known.name);
    }
}

#[test]
fn the_papers_models_differ_as_published() {
    let of =
        |repository: &str| PUBLISHED_MODELS.iter().find(|known| known.repository == Some(repository)).unwrap();
    let large = of("laion/CLIP-ViT-L-14-laion2B-s32B-b82K");
    assert_eq!((large.mean, large.activation), ([0.5; 3], Some(Activation::Gelu)));
    let huge = of("laion/CLIP-ViT-H-14-laion2B-s32B-b79K");
    assert_eq!(huge.sizes.vision.width / huge.sizes.vision.heads, 80);
    assert_eq!(of("openai/clip-vit-large-patch14-336").sizes.grid, 24);
}

/// Weights of DINO's sizes and names are DINO's or DoRA's. Only the file's name shows which, and the difference is
/// small.
#[test]
fn a_tower_of_dino_sizes_needs_no_name() {
    let small = PUBLISHED_MODELS.iter().find(|known| known.name == "DINO ViT-S/16").unwrap();
    let found = recognised(small, "mine/teacher.pth").unwrap();
    assert_eq!((found.published.map(|known| known.name), found.model.vision.heads), (None, 6));
    assert_eq!(found.model.embedding, 384);
    let named = |name: &str| recognised(small, name).unwrap().published.map(|known| known.name);
    assert_eq!(named("fedora/teacher.pth"), None);
    assert_eq!(named("papers/my_dora.pth"), Some("DoRA ViT-S/16"));
}

#[test]
fn a_tower_with_unknown_parts_is_refused() {
    let small = PUBLISHED_MODELS.iter().find(|known| known.name == "DINO ViT-S/16").unwrap();
    let mut listing = listing(small);
    listing.push(("blocks.3.attn.q_norm.weight".to_owned(), vec![64]));
    let err = detect(index(&listing), &ConfigFiles::new(), "dino", &GivenSettings::default()).unwrap_err();
    assert!(err.to_string().contains("blocks.3.attn.q_norm.weight"), "{err}");
}

#[test]
fn a_clip_with_unknown_parts_is_refused() {
    let with = |extra: &str| {
        let mut listing = listing(&PUBLISHED_MODELS[0]);
        listing.push((extra.to_owned(), vec![64]));
        detect(index(&listing), &ConfigFiles::new(), "openai", &GivenSettings::default())
    };
    for foreign in ["visual.transformer.resblocks.3.ls_1.gamma", "transformer.resblocks.3.attn.ln.weight"] {
        let err = with(foreign).unwrap_err();
        assert!(err.to_string().contains(foreign), "{err}");
    }
    for harmless in ["transformer.resblocks.3.attn_mask", "attn_mask", "logit_bias", "visual.head.weight"] {
        assert!(with(harmless).is_ok(), "{harmless}");
    }
}

/// The sizes of a known model determine the heads. Only the name shows whose weights the file has.
#[test]
fn unknown_weights_of_a_known_size_need_an_answer() {
    let CheckpointError::MissingSettings(missing) =
        recognised(&PUBLISHED_MODELS[0], "mine/epoch_3.pt").unwrap_err()
    else {
        panic!()
    };
    assert_eq!(missing.0, [MissingSetting::Activation, MissingSetting::Normalisation]);
}

#[test]
fn other_kinds_of_models_are_refused_by_kind() {
    let cases = [
        ("visual.trunk.blocks.0.norm1.weight", "timm"),
        ("visual.layer1.0.conv1.weight", "ResNet"),
        ("vision_model.embeddings.patch_embedding.bias", "SigLIP"),
        ("mlp.w12.weight", "SwiGLU"),
        ("norm_pre.weight", "timm's image tower of a CLIP"),
        ("embedder.convolution.weight", "neither"),
    ];
    for (name, expected) in cases {
        let index = index(&[(name.to_owned(), vec![4])]);
        let err = detect(index, &ConfigFiles::new(), "", &GivenSettings::default()).unwrap_err();
        assert!(err.to_string().contains(expected), "{name}: {err}");
    }
}

#[test]
fn configs_of_other_kinds_of_models_are_refused() {
    let cases = [
        ("config.json", json!({"model_type": "siglip"}), "siglip"),
        ("config.json", json!({"vision_config": {"hidden_act": "gelu_pytorch_tanh"}}), "gelu_pytorch_tanh"),
        ("open_clip_config.json", json!({"model_cfg": {"vision_cfg": {"timm_model_name": "vit_x"}}}), "vit_x"),
        ("open_clip_config.json", json!({"model_cfg": {"vision_cfg": {"pool_type": "avg"}}}), "pool_type"),
        ("open_clip_config.json", json!({"model_cfg": {"text_cfg": {"ls_init_value": 0.1}}}), "ls_init_value"),
        ("config.json", json!({"vision_config": {"hidden_size": 12}}), "width of the image tower is 12"),
    ];
    for (file, config, expected) in cases {
        let files = ConfigFiles::from([(file.to_owned(), serde_json::to_vec(&config).unwrap())]);
        let err = detect(index(&listing(&PUBLISHED_MODELS[0])), &files, "openai", &GivenSettings::default())
            .unwrap_err();
        assert!(err.to_string().contains(expected), "{config}: {err}");
    }
    let files = ConfigFiles::from([("config.json".to_owned(), b"{".to_vec())]);
    let err =
        detect(index(&listing(&PUBLISHED_MODELS[0])), &files, "openai", &GivenSettings::default()).unwrap_err();
    assert!(matches!(err, CheckpointError::Malformed { .. }), "{err}");
}

#[test]
fn the_repository_is_read_from_a_hub_cache_path() {
    let cache = std::env::temp_dir().join(format!("headlamp-hub-cache-{}", std::process::id()));
    let folder = cache.join("models--laion--CLIP-ViT-B-32/snapshots/0123abcd");
    std::fs::create_dir_all(&folder).unwrap();
    let weights = folder.join("open_clip_model.safetensors");
    std::fs::write(&weights, []).unwrap();
    let found = CheckpointOnDisk::find(&weights).unwrap();
    std::fs::remove_dir_all(&cache).unwrap();
    assert_eq!(found.name, "models--laion--CLIP-ViT-B-32/open_clip_model.safetensors");
}
