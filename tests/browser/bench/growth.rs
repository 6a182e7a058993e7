//! How the cost of headlamp's worker grows, on the CPU: measured and expected.

use headlamp::checkpoint::random_model::RandomWeights;
use headlamp::checkpoint::{Manifest, PackWriter, Quantisation, default_pack};
use headlamp::geometry::Grid;
use headlamp::model::{Activation, ModelConfig, VisionConfig};
use serde_json::{Value, json};

use super::{ask, bench_site, grown, median, milliseconds, open_bench};
use test_support::TemporaryFolder;

use crate::driver::Graphics;

/// The encoder's time, and the time that its multiplications predict.
#[test]
#[ignore = "needs the set-up of `cargo xtask bench`"]
fn bench_growth_tokens() {
    const BASE: usize = 224;
    let serving = bench_site().serve(0).unwrap();
    let window = open_bench(&serving.url(), Graphics::None);
    let vision = default_pack::config().vision;
    println!("\n| short side | tokens | encoder | growth | multiplications' | memory at most |");
    println!("|---:|---:|---:|---:|---:|---:|");
    for short_side in [BASE, 336, 448, 518] {
        let options = json!({ "pack": "/packs/default/", "photoUrl": "/samples/chelsea.png", "device": "cpu",
            "baseSide": BASE, "shortSide": short_side, "runs": 5 });
        let found = ask(&window, "tokens", &options);
        let tokens = |index: usize| found[index]["tokens"].as_f64().unwrap();
        let seconds = |index: usize| found[index]["seconds"].as_f64().unwrap();
        println!(
            "| {short_side} px | {} | {} | {:.2} | {:.2} | {} MB |",
            tokens(1),
            milliseconds(seconds(1)),
            seconds(1) / seconds(0),
            multiplications(&vision, tokens(1)) / multiplications(&vision, tokens(0)),
            window.renderer_peak() / 1_000_000
        );
    }
}

/// Returns the multiplications of a tower: linear layers grow with the tokens, attention with their square.
fn multiplications(vision: &VisionConfig, tokens: f64) -> f64 {
    let [layers, width, mlp] = [vision.layers, vision.width, vision.mlp_width].map(|size| size as f64);
    layers * ((4.0 * width * width + 2.0 * width * mlp) * tokens + 2.0 * width * tokens * tokens)
}

/// Image towers of three sizes with seeded random weights, side by side.
#[test]
#[ignore = "needs the set-up of `cargo xtask bench`"]
fn bench_growth_models() {
    let scratch = TemporaryFolder::new("bench-models");
    let models = [
        ("ViT-S/14", tower(384, 12, 6, 14, 384)),
        ("ViT-B/16", tower(768, 12, 12, 16, 512)),
        ("ViT-L/14", tower(1024, 24, 16, 14, 768)),
    ];
    let packs = models.iter().map(|(name, config)| {
        let folder = name.replace('/', "-").to_lowercase();
        write_random(config, &scratch.path().join(&folder));
        ((*name).to_owned(), json!(format!("/random/{folder}/")))
    });
    let packs: Value = packs.collect::<serde_json::Map<_, _>>().into();
    let serving = bench_site().mount("random", scratch.path()).serve(0).unwrap();
    let window = open_bench(&serving.url(), Graphics::None);
    let options = json!({ "packs": packs, "photoUrl": "/samples/coffee.png", "runs": 5 });
    let found = ask(&window, "models", &options);
    println!(
        "\n| image tower | parameters | tokens | open | encoder | growth | multiplications' | pack | worker's memory |"
    );
    println!("|---|---:|---:|---:|---:|---:|---:|---:|---:|");
    let mut first = None;
    for (name, config) in &models {
        let model = &found[name];
        let number = |value: &Value| value.as_f64().unwrap_or_else(|| panic!("no number in {model}"));
        let (tokens, seconds, opened) = (number(&model["tokens"]), number(&model["seconds"]), &model["opened"]);
        let work = multiplications(&config.vision, tokens);
        let (first_seconds, first_work) = *first.get_or_insert((seconds, work));
        println!(
            "| {name} | {:.1} M | {tokens} | {:.2} s | {} | {:.2} | {:.2} | {:.1} MB | {:.0} MB |",
            number(&opened["parameters"]) / 1e6,
            number(&opened["seconds"]["download"]) + number(&opened["seconds"]["load"]),
            milliseconds(seconds),
            seconds / first_seconds,
            work / first_work,
            number(&opened["bytes"]) / 1e6,
            number(&opened["memory"]["worker"]) / 1e6
        );
    }
}

/// Returns the config of an image tower in CLIP's shape, without texts.
fn tower(width: usize, layers: usize, heads: usize, patch: usize, embedding: usize) -> ModelConfig {
    let side = 224 / patch;
    let vision = VisionConfig {
        width,
        layers,
        heads,
        patch,
        mlp_width: 4 * width,
        activation: Activation::QuickGelu,
        ln_pre: true,
        position_grid: Grid { rows: side, columns: side },
        projection_bias: false,
        ..default_pack::config().vision
    };
    ModelConfig { vision, text: None, embedding }
}

/// Writes a pack of random weights in 8 bits.
fn write_random(config: &ModelConfig, folder: &std::path::Path) {
    let writer = PackWriter::new(config, &mut RandomWeights::new(1), Quantisation::Q8).unwrap();
    let manifest = Manifest {
        name: "random weights of a benchmark".into(),
        description: "They mean nothing.".into(),
        model: config.clone(),
        propagation_layer: None,
        ..default_pack::manifest(Quantisation::Q8)
    };
    writer.finish(manifest).unwrap().write(folder).unwrap();
}

/// A gallery of the default pack in the browser's storage. Everything except adding should grow with the pictures.
#[test]
#[ignore = "needs the set-up of `cargo xtask bench`"]
fn bench_growth_gallery() {
    /// The first size warms up.
    const SIZES: [usize; 3] = [10, 100, 1000];
    let serving = bench_site().serve(0).unwrap();
    let window = open_bench(&serving.url(), Graphics::None);
    println!("\n| pictures | add one | order by a head | by the whole model | by a phrase | open again | kept |");
    println!("|---:|---:|---:|---:|---:|---:|---:|");
    let mut first = None;
    for count in SIZES {
        let options = json!({ "pack": "/packs/default/", "device": "cpu", "count": count, "head": [11, 3],
            "photoUrls": ["/samples/coffee.png", "/samples/flower.jpg", "/samples/chelsea.png"],
            "phrase": "a photo of a cat" });
        let found = ask(&window, "gallery", &options);
        if count == SIZES[0] {
            continue;
        }
        let first = first.get_or_insert_with(|| (count, found.clone()));
        let number = |name: &str| (found[name].as_f64().unwrap(), first.1[name].as_f64().unwrap());
        let cells = ["add", "byHead", "byWhole", "byPhrase", "open"].map(|name| {
            let (time, first) = number(name);
            grown(milliseconds(time), time, first)
        });
        let (bytes, first_bytes) = number("bytes");
        println!(
            "| {} | {} | {} |",
            grown(count.to_string(), count as f64, first.0 as f64),
            cells.join(" | "),
            grown(format!("{:.1} MB", bytes / 1e6), bytes, first_bytes)
        );
    }
}

/// Frames of a video, one after another, on the default pack.
#[test]
#[ignore = "needs the set-up of `cargo xtask bench`"]
fn bench_growth_video() {
    /// As many frames as the shortest video has.
    const ENDS: usize = 15;
    let serving = bench_site().serve(0).unwrap();
    println!(
        "\n| frames | first {ENDS}, each | last {ENDS}, each | growth | memory at most | kept of the frames |"
    );
    println!("|---:|---:|---:|---:|---:|---:|");
    for count in [ENDS, 60, 240] {
        // A page of its own, whose memory belongs to this video alone.
        let window = open_bench(&serving.url(), Graphics::None);
        let options = json!({ "pack": "/packs/default/", "photoUrl": "/samples/coffee.png", "device": "cpu",
            "count": count });
        let found = ask(&window, "video", &options);
        let seconds: Vec<f64> = found["seconds"].as_array().unwrap().iter().filter_map(Value::as_f64).collect();
        let (first, last) = (median(seconds[..ENDS].to_vec()), median(seconds[count - ENDS..].to_vec()));
        println!(
            "| {count} | {} | {} | {:.2} | {} MB | {:.1} MB |",
            milliseconds(first),
            milliseconds(last),
            last / first,
            window.renderer_peak() / 1_000_000,
            found["bytes"].as_f64().unwrap() / 1e6
        );
    }
}
