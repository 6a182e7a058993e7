//! `headlamp align` on pictures that it can learn: coloured shapes, with captions that name shape and colour.

use std::path::{Path, PathBuf};

use serde_json::Value;

use test_support::tool::{error_of, folder, headlamp, json, output_of, pack, write_unreadable};

const COLOURS: [(&str, [u8; 3]); 5] = [
    ("red", [220, 40, 40]),
    ("green", [40, 180, 60]),
    ("blue", [50, 70, 220]),
    ("yellow", [230, 210, 50]),
    ("white", [245, 245, 245]),
];
const SHAPES: [&str; 3] = ["circle", "square", "bar"];
const SIDE: usize = 64;
/// The number of pictures for each colour and shape.
const EACH: usize = 20;

/// Draws a shape near the middle, on a dark ground of random brightness, as a PPM file.
fn picture(shape: &str, colour: [u8; 3], number: usize) -> Vec<u8> {
    let (x0, y0) = (28 + (number * 5) % 9, 27 + (number * 7) % 11);
    let ground = 20 + (number * 13 % 40) as u8;
    let radius = 14 + number % 5;
    let mut ppm = format!("P6 {SIDE} {SIDE} 255\n").into_bytes();
    for (y, x) in (0..SIDE).flat_map(|y| (0..SIDE).map(move |x| (y, x))) {
        let (dx, dy) = (x.abs_diff(x0), y.abs_diff(y0));
        let is_in = match shape {
            "circle" => dx * dx + dy * dy <= radius * radius,
            "square" => dx <= radius && dy <= radius,
            _ => dy <= radius / 3,
        };
        ppm.extend(if is_in { colour } else { [ground; 3] });
    }
    ppm
}

/// Writes the pictures, and a table of their captions.
fn shapes(name: &str) -> PathBuf {
    let place = folder(name);
    let mut table = String::new();
    for (shape, (colour, rgb)) in SHAPES.iter().flat_map(|shape| COLOURS.iter().map(move |colour| (shape, colour)))
    {
        for number in 0..EACH {
            let file = format!("{colour}-{shape}-{number}.ppm");
            std::fs::write(place.join(&file), picture(shape, *rgb, number)).unwrap();
            table.push_str(&format!("{file}\ta {colour} {shape}\n"));
        }
    }
    let path = place.join("captions.tsv");
    std::fs::write(&path, table).unwrap();
    path
}

/// Returns `headlamp align` for the image tower of the tiny pack and its text tower.
fn align(pairs: &Path, out: &Path) -> std::process::Command {
    let mut command = headlamp();
    // `align` caches features there.
    command.env("HEADLAMP_CACHE", out.parent().unwrap().join("cache"));
    command.args(["align", "--device", "cpu", "--held-out", "0.2"]);
    command.arg("--tower").arg(pack()).arg("--text").arg(pack()).arg("--pairs").arg(pairs).arg("--out").arg(out);
    command
}

fn share(answer: &Value, which: &str, direction: &str, place: usize) -> f64 {
    answer["retrieval"][which][direction]["at"][place].as_f64().unwrap()
}

#[test]
fn held_out_pictures_and_captions_retrieve_each_other() {
    let pairs = shapes("align-shapes");
    let place = folder("align-out");
    let out = place.join("aligned");
    let answer = json(align(&pairs, &out).args(["--epochs", "20", "--centre"]));
    assert_eq!((answer["images"].as_u64(), answer["captions"].as_u64()), (Some(300), Some(15)));
    assert_eq!((answer["training"].as_u64(), answer["held_out"].as_u64()), (Some(240), Some(60)));
    assert_eq!(answer["statistics_images"], 240);
    for direction in ["image_to_text", "text_to_image"] {
        let of = |which, place| share(&answer, which, direction, place);
        println!("{direction}: {:.2} in the first place, by chance {:.2}", of("aligned", 0), of("chance", 0));
        assert!(of("aligned", 0) > 5.0 * of("chance", 0), "{direction}: {answer}");
        assert!(of("aligned", 1) > 0.75 && of("chance", 1) < 0.35, "{direction}: {answer}");
    }
    // The output is a complete pack: phrases, statistics, a pool, and parts that sum to the embedding.
    let contents = json(headlamp().arg("inspect").arg(&out));
    assert_eq!((contents["statistics_images"].as_u64(), contents["pool_lines"].as_u64()), (Some(240), Some(60)));
    assert!(contents["description"].as_str().unwrap().contains("Learned from 240 pictures"), "{contents}");
    let explain = |text: &str| {
        let mut command = headlamp();
        command.arg("explain").arg(pairs.with_file_name("red-square-3.ppm")).arg("--pack").arg(&out);
        json(command.args(["--device", "cpu", "--text", text, "--text", "a blue circle"]))
    };
    let scores = explain("a red square");
    let scores = |place: usize| scores["scores"][place].as_f64().unwrap();
    assert!(scores(0) > scores(1), "a red picture scores higher for blue: {} {}", scores(0), scores(1));
    assert!(explain("a red square")["residual"].as_f64().unwrap() < 1e-4);
    let heads = json(headlamp().args(["heads", "--layer", "2", "--device", "cpu"]).arg("--pack").arg(&out));
    assert_eq!(heads["heads"].as_array().unwrap().len(), 3);
}

/// Features of an earlier run are read again, and an interrupted run resumes.
#[test]
fn features_are_cached() {
    let pairs = shapes("align-kept-shapes");
    let place = folder("align-kept");
    let first = json(align(&pairs, &place.join("first")).args(["--epochs", "2"]));
    let kept: Vec<PathBuf> =
        std::fs::read_dir(place.join("cache/align")).unwrap().map(|entry| entry.unwrap().path()).collect();
    let [kept] = &kept[..] else { panic!("{kept:?}") };
    let whole = std::fs::read(kept).unwrap();
    // The file ends with an incomplete row, as an interrupted run leaves it.
    std::fs::write(kept, &whole[..whole.len() / 2 + 50]).unwrap();
    let again = json(align(&pairs, &place.join("again")).args(["--epochs", "2"]));
    assert_eq!(std::fs::read(kept).unwrap(), whole);
    assert_eq!(first["retrieval"], again["retrieval"]);
    let weights = |run: &str| std::fs::read(place.join(run).join("weights.safetensors")).unwrap();
    assert!(weights("first") == weights("again"), "the weights differ from the first run's");
}

#[test]
fn unreadable_pictures_are_skipped() {
    let pairs = shapes("align-spoiled-shapes");
    write_unreadable(&pairs.with_file_name("red-bar-0.ppm"));
    let place = folder("align-spoiled");
    let answer = json(align(&pairs, &place.join("out")).args(["--epochs", "0", "--statistics", "4"]));
    assert_eq!((answer["images"].as_u64(), answer["statistics_images"].as_u64()), (Some(299), Some(4)));
    assert_eq!(answer["skipped"].as_array().unwrap().len(), 1);
    // The second run takes the features from the cache.
    let again = json(align(&pairs, &place.join("again")).args(["--epochs", "0", "--statistics", "4"]));
    assert_eq!(again["skipped"][0]["image"], answer["skipped"][0]["image"]);
    assert_eq!(
        answer["retrieval"]["ridge"], answer["retrieval"]["aligned"],
        "without epochs the regression must stay unrefined"
    );
}

#[test]
fn unusable_input_of_align_is_refused() {
    let place = folder("align-refused");
    let table = place.join("few.tsv");
    std::fs::write(place.join("a.ppm"), picture("circle", [200, 0, 0], 1)).unwrap();
    std::fs::write(&table, "a.ppm\ta circle\n").unwrap();
    let said_of = error_of(&mut align(&table, &place.join("out")), 1);
    assert!(said_of.contains("too few"), "{said_of}");
    std::fs::write(&table, "a.ppm\n").unwrap();
    assert!(error_of(&mut align(&table, &place.join("out")), 1).contains("line 1"));
    assert!(error_of(align(&table, &place.join("out")).args(["--ridge", "0"]), 2).contains("auto"));
    assert!(!place.join("out").exists(), "a refused run left a file");
}

/// DINO's own file of the tower alone becomes a pack, and the pack is aligned.
#[test]
fn a_dino_is_aligned_from_its_file() {
    let weights = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("tests/reference/fixtures/self_supervised/dino_training/checkpoint0100.pth");
    let place = folder("align-dino");
    let dino = place.join("dino");
    let mut command = headlamp();
    output_of(
        command.args(["pack", "from", "--heads", "2", "--quant", "q4"]).arg(weights).arg("--out").arg(&dino),
    );
    let contents = json(headlamp().arg("inspect").arg(&dino));
    assert!(contents["model"].get("text").is_none(), "{contents}");
    let explain = |pack: &Path| {
        let mut command = headlamp();
        command.args(["explain", "--text", "a cat", "--device", "cpu", "--pack"]).arg(pack);
        command.arg(test_support::tool::photo("coffee.png"));
        command
    };
    assert!(error_of(&mut explain(&dino), 1).contains("headlamp align"));
    let pairs = shapes("align-dino-shapes");
    let mut command = headlamp();
    command.env("HEADLAMP_CACHE", place.join("cache"));
    command.args(["align", "--device", "cpu", "--epochs", "4"]).arg("--tower").arg(&dino);
    let answer =
        json(command.arg("--text").arg(pack()).arg("--pairs").arg(pairs).arg("--out").arg(place.join("out")));
    let found = share(&answer, "aligned", "image_to_text", 1);
    assert!(found > 1.5 * share(&answer, "chance", "image_to_text", 1), "{answer}");
    output_of(&mut explain(&place.join("out")));
}
