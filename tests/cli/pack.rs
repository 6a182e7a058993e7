//! `headlamp pack` and `headlamp inspect`.

use std::path::Path;

use test_support::tool::{error_of, folder, headlamp, json, on_pack, output_of, pack, photo};

const FILES: [&str; 6] = [
    "pack.json",
    "pool.safetensors",
    "pool.txt",
    "statistics.safetensors",
    "tokenizer.json",
    "weights.safetensors",
];

fn files(folder: &Path) -> Vec<Vec<u8>> {
    FILES.iter().map(|name| std::fs::read(folder.join(name)).unwrap()).collect()
}

#[test]
fn the_same_seed_gives_the_same_bytes() {
    let folder = folder("seeds");
    let made = |seed: &str, name: &str| {
        let out = folder.join(name);
        output_of(headlamp().args(["pack", "random", "--seed", seed, "--out"]).arg(&out));
        files(&out)
    };
    assert_eq!(made("7", "seven"), files(pack()));
    assert_ne!(made("8", "eight")[5], files(pack())[5]);
}

#[test]
fn pack_does_not_overwrite_other_files() {
    let refused = error_of(headlamp().args(["pack", "random", "--out"]).arg(pack()), 1);
    assert!(refused.contains("there already"), "{refused}");
}

#[test]
fn inspect_verifies_every_file_of_a_pack() {
    let answer = json(headlamp().arg("inspect").arg(pack()));
    assert_eq!(answer["kind"], "pack");
    assert!(answer["name"].as_str().unwrap().contains("for tests only"));
    assert_eq!((&answer["statistics_images"], &answer["pool_lines"]), (&40.into(), &60.into()));
    assert_eq!(answer["quantisation"], "q8");
    let listed = answer["files"].as_array().unwrap();
    assert_eq!(listed.len(), FILES.len() - 1);
    assert!(listed.iter().all(|file| file["verified"] == true));
    let bytes: u64 = listed.iter().map(|file| file["bytes"].as_u64().unwrap()).sum();
    assert_eq!(answer["bytes"].as_u64(), Some(bytes));
    assert!(output_of(headlamp().arg("inspect").arg(pack().join("pack.json"))).contains("for tests only"));
    let statistics = json(headlamp().arg("inspect").arg(pack().join("statistics.safetensors")));
    assert_eq!((&statistics["kind"], &statistics["images"]), (&"statistics".into(), &40.into()));
    let weights = json(headlamp().arg("inspect").arg(pack().join("weights.safetensors")));
    assert_eq!(weights["kind"], "tensors");
}

#[test]
fn inspect_names_the_damaged_file() {
    let copy = folder("damaged");
    for (name, bytes) in FILES.iter().zip(files(pack())) {
        std::fs::write(copy.join(name), bytes).unwrap();
    }
    let weights = copy.join("weights.safetensors");
    let mut bytes = std::fs::read(&weights).unwrap();
    *bytes.last_mut().unwrap() ^= 1;
    std::fs::write(&weights, bytes).unwrap();
    let output = headlamp().arg("inspect").arg(&copy).arg("--json").output().unwrap();
    assert_eq!(output.status.code(), Some(1));
    let answer: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    let broken: Vec<_> =
        answer["files"].as_array().unwrap().iter().filter(|file| file["verified"] == false).collect();
    assert!(broken.len() == 1 && broken[0]["path"] == "weights.safetensors");
    let mut explain = headlamp();
    explain.args(["explain", "--text", "a cat", "--pack"]).arg(&copy).arg(photo("chelsea.png"));
    assert!(error_of(&mut explain, 1).contains("weights.safetensors does not match"));
}

#[test]
fn the_default_pack_names_a_missing_ingredient() {
    let folder = folder("ingredients");
    let tokenizer = pack().join("tokenizer.json");
    let mut recipe = headlamp();
    recipe.args(["pack", "default", "--quant", "q8", "--onnx", "missing.onnx", "--minilm", "missing.safetensors"]);
    recipe.arg("--alignment").arg(pack().join("weights.safetensors")).arg("--tokenizer").arg(&tokenizer);
    let refused = error_of(recipe.arg("--out").arg(folder.join("pack")), 1);
    assert!(refused.contains("missing.onnx"), "{refused}");
    assert!(!folder.join("pack").exists());
}

#[test]
fn the_pack_can_come_from_the_environment() {
    let texts =
        |command: &mut std::process::Command| command.args(["heads", "--layer", "0", "--head", "0"]).output();
    let output = texts(headlamp().env("HEADLAMP_PACK", pack())).unwrap();
    assert!(output.status.success());
    let named = on_pack(&["heads", "--layer", "0", "--head", "0"]).output().unwrap();
    assert_eq!(output.stdout, named.stdout);
}
