//! `headlamp explain`.

use std::process::Stdio;

use serde_json::Value;

use test_support::tool::{
    error_of, folder, gallery, json, members, numbers, on_pack, output_of, photo, write_unreadable,
};

const TEXTS: [&str; 3] = ["a cat", "a dog", "the night sky"];
const LAYERS: usize = 3;
const HEADS: usize = 3;

fn explain(more: &[&str]) -> std::process::Command {
    let texts = TEXTS.iter().flat_map(|text| ["--text", text]);
    let arguments: Vec<&str> = ["explain"].into_iter().chain(texts).chain(more.iter().copied()).collect();
    on_pack(&arguments)
}

fn lists(value: &Value) -> &Vec<Value> {
    value.as_array().unwrap()
}

#[test]
fn json_has_the_documented_shape_and_its_parts_sum() {
    let answer = json(explain(&[]).arg(photo("chelsea.png")));
    let expected = [
        "device",
        "embedding",
        "heads",
        "means",
        "mlps",
        "pack",
        "patches",
        "probabilities",
        "residual",
        "scores",
        "seconds",
        "texts",
    ];
    assert_eq!(members(&answer), expected);
    assert_eq!(answer["texts"], serde_json::json!(TEXTS));
    assert!(answer["pack"].as_str().unwrap().contains("random"));
    assert!(answer["device"].as_str().unwrap().starts_with("CPU"));
    assert_eq!(members(&answer["seconds"]), ["decode", "decompose", "encode", "load"]);
    assert!(answer["residual"].as_f64().unwrap() < 1e-4);

    let (scores, probabilities) = (numbers(&answer["scores"]), numbers(&answer["probabilities"]));
    assert!((probabilities.iter().sum::<f64>() - 1.0).abs() < 1e-5);
    assert_eq!((scores.len(), probabilities.len()), (TEXTS.len(), TEXTS.len()));

    let heads: Vec<Vec<Vec<f64>>> =
        lists(&answer["heads"]).iter().map(|layer| lists(layer).iter().map(numbers).collect()).collect();
    let mlps: Vec<Vec<f64>> = lists(&answer["mlps"]).iter().map(numbers).collect();
    assert_eq!((heads.len(), mlps.len()), (LAYERS, LAYERS));
    assert!(heads.iter().all(|layer| layer.len() == HEADS));
    let embedding = numbers(&answer["embedding"]);
    for (text, score) in scores.iter().enumerate() {
        let heads: f64 = heads.iter().flatten().map(|parts| parts[text]).sum();
        let mlps: f64 = mlps.iter().map(|parts| parts[text]).sum();
        let total = heads + mlps + embedding[text];
        assert!((total - score).abs() < 1e-5, "{}: the parts sum to {total}, not {score}", TEXTS[text]);
    }
    // 64 pixels in patches of 16.
    let patches: Vec<Vec<f64>> = lists(&answer["patches"]).iter().map(numbers).collect();
    assert!(patches.len() == 4 && patches.iter().all(|row| row.len() == 4));
    assert!(patches.iter().flatten().any(|part| part.abs() > 1e-4));
}

#[test]
fn the_whole_photo_has_more_patches_than_its_crop() {
    // 451 x 300 pixels: four patches high, six wide.
    let answer = json(explain(&["--whole-photo"]).arg(photo("chelsea.png")));
    let rows = lists(&answer["patches"]);
    assert_eq!((rows.len(), lists(&rows[0]).len()), (4, 6));
}

#[test]
fn templates_change_the_scores() {
    let scores = |more: &[&str]| numbers(&json(explain(more).arg(photo("coffee.png")))["scores"]);
    assert_ne!(scores(&[]), scores(&["--templates"]));
}

#[test]
fn text_output_has_scores_heads_and_the_sum_check() {
    let answer = output_of(explain(&[]).arg(photo("chelsea.png")));
    assert!(TEXTS.iter().all(|text| answer.contains(text)), "{answer}");
    assert_eq!(answer.lines().filter(|line| line.starts_with("  layer ") && line.contains(" · ")).count(), 5);
    assert!(answer.contains("Sum check"), "{answer}");
}

#[test]
fn each_picture_is_one_line_even_after_a_bad_one() {
    let folder = gallery("several", &["rocket.jpg", "coffee.png", "chelsea.png"]);
    write_unreadable(&folder.join("d.jpg"));
    std::fs::write(folder.join("notes.txt"), "no picture, nor called one").unwrap();
    let output = explain(&["--json"]).arg(&folder).output().unwrap();
    assert_eq!(output.status.code(), Some(1));
    let stderr = String::from_utf8(output.stderr).unwrap();
    assert_eq!(stderr.lines().count(), 1, "{stderr}");
    assert!(stderr.starts_with("headlamp: ") && stderr.contains("d.jpg"), "{stderr}");

    let stdout = String::from_utf8(output.stdout).unwrap();
    let lines: Vec<Value> = stdout.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let images: Vec<&str> = lines.iter().map(|line| line["image"].as_str().unwrap()).collect();
    let expected = ["chelsea.png", "coffee.png", "d.jpg", "rocket.jpg"].map(|name| folder.join(name));
    assert_eq!(images, expected.each_ref().map(|path| path.to_str().unwrap()));
    assert_eq!(members(&lines[2]), ["error", "image"]);

    let alone = json(explain(&[]).arg(photo("rocket.jpg")));
    assert_eq!(lines[3]["heads"], alone["heads"]);
}

#[test]
fn an_unreadable_picture_gives_one_line_of_error() {
    let spoiled_photo = folder("unreadable").join("spoiled.png");
    write_unreadable(&spoiled_photo);
    assert!(error_of(explain(&[]).arg(&spoiled_photo), 1).contains("spoiled.png"));
    assert!(error_of(explain(&[]).arg("missing.png"), 1).contains("missing.png"));
    let empty = folder("no-pictures");
    assert!(error_of(explain(&[]).arg(&empty), 1).contains("no-pictures"));
}

#[test]
fn a_closed_pipe_is_no_failure() {
    let mut tool = explain(&["--json"]);
    let mut child = tool.arg(photo("chelsea.png")).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    drop(child.stdout.take());
    let output = child.wait_with_output().unwrap();
    assert!(output.status.success());
    assert_eq!(String::from_utf8(output.stderr).unwrap(), "");
}
