//! `pack.json`.

use headlamp::checkpoint::pack::{FORMAT, MANIFEST};
use headlamp::checkpoint::{CheckpointError, Manifest, PackFile, Quantisation};
use serde_json::{Value, json};

use super::memory::assert_modest;
use super::tiny::{self, assert_names};

/// Returns a correct manifest as JSON.
fn honest() -> Value {
    serde_json::to_value(&tiny::pack(Quantisation::Q8).manifest).unwrap()
}

fn parse(manifest: &Value) -> Result<Manifest, CheckpointError> {
    Manifest::parse(&serde_json::to_vec(manifest).unwrap())
}

/// Returns a correct manifest with `value` at `pointer`.
fn saying(pointer: &str, value: Value) -> Value {
    let mut manifest = honest();
    *manifest.pointer_mut(pointer).unwrap_or_else(|| panic!("{pointer}")) = value;
    manifest
}

#[test]
fn a_manifest_round_trips() {
    for quantisation in [Quantisation::Q8, Quantisation::F16, Quantisation::F32] {
        let manifest = tiny::pack(quantisation).manifest;
        assert_eq!(manifest.files.len(), 2);
        assert_eq!(Manifest::parse(&serde_json::to_vec_pretty(&manifest).unwrap()).unwrap(), manifest);
    }
}

#[test]
fn mask_propagation_reads_the_last_layer_unless_the_pack_chooses() {
    let mut manifest = honest();
    let layers = manifest["model"]["vision"]["layers"].as_u64().unwrap() as usize;
    assert_eq!(parse(&manifest).unwrap().propagation_layer(), layers - 1);
    manifest["propagation_layer"] = json!(0);
    assert_eq!(parse(&manifest).unwrap().propagation_layer(), 0);
    manifest["propagation_layer"] = json!(layers);
    assert_names(parse(&manifest), MANIFEST, "a layer that the model does not have");
}

/// Another format number is reported as another format and not as damage, even if the fields differ as well.
#[test]
fn another_format_number_is_refused() {
    for format in [0, FORMAT + 1, u32::MAX] {
        for manifest in [saying("/format", json!(format)), json!({"format": format, "tensors": []})] {
            let error = parse(&manifest).unwrap_err();
            assert!(matches!(error, CheckpointError::Format { found } if found == format), "{error}");
        }
    }
    for format in [json!(-1), json!(1.5), json!("1"), json!(null), json!(1_u64 << 32)] {
        assert_names(parse(&saying("/format", format.clone())), MANIFEST, &format!("format {format}"));
    }
}

/// No listed file is outside the pack's folder, or has a name that some system reads as a path.
#[test]
fn file_names_that_leave_the_folder_are_refused() {
    for path in [
        "",
        ".",
        "..",
        "../weights.safetensors",
        "..\\weights.safetensors",
        "a/../../weights.safetensors",
        "folder/weights.safetensors",
        "/etc/passwd",
        "\\\\server\\share",
        "C:weights.safetensors",
        "http://elsewhere/weights.safetensors",
        "%2e%2e%2fweights.safetensors",
        ".hidden",
        "weights.safetensors\0",
        "weights safetensors",
        "weïghts.safetensors",
    ] {
        let error = parse(&saying("/files/0/path", json!(path))).expect_err(path).to_string();
        assert!(error.contains(MANIFEST) && error.contains(&format!("{path:?}")), "{path:?}: {error}");
    }
}

#[test]
fn impossible_file_sizes_are_refused() {
    for bytes in [json!(u64::MAX), json!((8_u64 << 30) + 1), json!(-1), json!(1e30)] {
        assert_names(parse(&saying("/files/0/bytes", bytes.clone())), MANIFEST, &format!("{bytes} bytes"));
    }
}

/// A config that no model can have, or that would need all memory, is refused by the name of the field, before
/// anything is allocated for it.
#[test]
fn impossible_configs_are_refused_by_field() {
    for (field, value) in [
        ("vision.width", json!(0)),
        ("vision.width", json!(47)),
        ("vision.width", json!(1_u64 << 40)),
        ("vision.layers", json!(0)),
        ("vision.layers", json!(1_000_000_000)),
        ("vision.heads", json!(0)),
        ("vision.patch", json!(0)),
        ("vision.image_size", json!(1 << 30)),
        ("vision.mlp_width", json!(1_u64 << 60)),
        ("vision.registers", json!(65)),
        ("vision.position_grid", json!({"rows": 0, "columns": 9})),
        ("vision.position_grid", json!({"rows": 1_u64 << 32, "columns": 1_u64 << 32})),
        ("vision.std", json!([0.2, 0.0, 0.2])),
        ("vision.std", json!([0.2, -0.2, 0.2])),
        ("text.width", json!(31)),
        ("text.layers", json!(129)),
        ("text.vocabulary", json!(1_u64 << 50)),
        ("text.context", json!(0)),
        ("embedding", json!(0)),
    ] {
        let pointer = format!("/model/{}", field.replace('.', "/"));
        assert_names(parse(&saying(&pointer, value.clone())), field, &format!("{field} {value}"));
    }
    for unprojected in ["/model/vision/projection", "/model/text/projection"] {
        assert_names(parse(&saying(unprojected, json!(false))), "wide", unprojected);
    }
    assert_modest();
}

/// The parameters of the largest possible model are counted, not allocated.
#[test]
fn the_largest_config_costs_no_memory() {
    let mut manifest = saying("/model/text/vocabulary", json!(1_000_000));
    manifest["model"]["text"]["width"] = json!(8192);
    let manifest = parse(&manifest).unwrap();
    assert!(manifest.parameters() > 8_000_000_000, "{}", manifest.parameters());
    assert_modest();
}

#[test]
fn a_truncated_manifest_is_refused() {
    let manifest = serde_json::to_vec(&honest()).unwrap();
    for len in 0..manifest.len() {
        assert_names(Manifest::parse(&manifest[..len]), MANIFEST, &format!("cut to {len} bytes"));
    }
}

/// Damage to the manifest itself is refused or harmless: no flipped bit makes a file name leave the folder.
#[test]
fn a_manifest_with_flipped_bits_never_leaves_the_folder() {
    let honest = serde_json::to_vec(&honest()).unwrap();
    let mut refused = 0;
    for (index, bit) in (0..honest.len()).flat_map(|index| (0..8).map(move |bit| (index, bit))) {
        let mut manifest = honest.clone();
        manifest[index] ^= 1 << bit;
        match Manifest::parse(&manifest) {
            Err(CheckpointError::Format { .. }) => refused += 1,
            Err(error) => {
                refused += 1;
                assert!(error.to_string().contains(MANIFEST), "{error}");
            }
            Ok(manifest) => {
                let plain = |file: &PackFile| !file.path.starts_with('.') && !file.path.contains(['/', '\\']);
                assert!(manifest.files.iter().all(plain), "{:?}", manifest.files);
            }
        }
    }
    assert!(refused > honest.len(), "only {refused} flips were detected");
}
