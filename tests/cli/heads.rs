//! `headlamp heads` and `headlamp stats`.

use std::path::{Path, PathBuf};

use headlamp::statistics::Statistics;
use serde_json::Value;

use test_support::tool::{
    error_of, folder, gallery, headlamp, json, members, on_pack, output_of, write_unreadable,
};

fn stats(gallery: &Path, out: &Path, more: &[&str]) -> Value {
    json(on_pack(&["stats"]).arg(gallery).arg("--out").arg(out).args(more))
}

fn merge(files: &[&PathBuf], out: &Path) {
    json(headlamp().args(["stats", "merge"]).args(files).arg("--out").arg(out));
}

fn heads(more: &[&str]) -> Value {
    json(on_pack(&["heads"]).args(more))
}

fn labels(head: &Value) -> Vec<(&str, f64)> {
    let labels = head["labels"].as_array().unwrap();
    labels
        .iter()
        .map(|label| (label["text"].as_str().unwrap(), label["variance_explained"].as_f64().unwrap()))
        .collect()
}

#[test]
fn every_head_has_labels_of_growing_explained_variance() {
    let answer = heads(&["--top", "5"]);
    assert_eq!(members(&answer), ["heads", "images", "pack", "pool"]);
    assert_eq!((answer["images"].as_u64(), answer["pool"].as_u64()), (Some(40), Some(60)));
    let all = answer["heads"].as_array().unwrap();
    assert_eq!(all.len(), 9);
    for (index, head) in all.iter().enumerate() {
        assert_eq!(
            (head["layer"].as_u64(), head["head"].as_u64()),
            (Some(index as u64 / 3), Some(index as u64 % 3))
        );
        let labels = labels(head);
        assert_eq!(labels.len(), 5);
        assert!(labels.is_sorted_by(|a, b| a.1 < b.1) && labels[4].1 <= 1.0, "{labels:?}");
    }
}

#[test]
fn heads_takes_one_head_and_custom_texts() {
    let texts = folder("texts").join("texts.txt");
    std::fs::write(&texts, "a red square\n\n a blue circle \na red square\nsomething else\n").unwrap();
    let answer = heads(&["--layer", "2", "--head", "1", "--texts", texts.to_str().unwrap()]);
    assert_eq!(answer["pool"], 3);
    let found = answer["heads"].as_array().unwrap();
    assert_eq!(found.len(), 1);
    assert_eq!((&found[0]["layer"], &found[0]["head"]), (&2.into(), &1.into()));
    let own = ["a red square", "a blue circle", "something else"];
    assert!(labels(&found[0]).iter().all(|(text, _)| own.contains(text)));
    assert!(!labels(&found[0]).is_empty());

    let layer = heads(&["--layer", "2"]);
    assert_eq!(layer["heads"].as_array().unwrap().len(), 3);
    let words = output_of(on_pack(&["heads"]).args(["--layer", "2", "--head", "1", "--top", "2"]));
    assert_eq!(words.lines().filter(|line| line.contains('%')).count(), 2, "{words}");
}

#[test]
fn merged_statistics_equal_those_of_all_pictures() {
    let first = gallery("stats-first", &["astronaut.png", "chelsea.png", "china.jpg"]);
    let second = gallery("stats-second", &["coffee.png", "flower.jpg", "rocket.jpg"]);
    let all = folder("stats-all");
    for (part, from) in [("a", &first), ("b", &second)] {
        std::fs::create_dir(all.join(part)).unwrap();
        for entry in std::fs::read_dir(from).unwrap().flatten() {
            std::fs::copy(entry.path(), all.join(part).join(entry.file_name())).unwrap();
        }
    }
    let out = folder("stats-out");
    let [a, b, whole, merged, odd, even, parts] =
        ["a", "b", "whole", "merged", "odd", "even", "parts"].map(|name| out.join(name));
    assert_eq!(stats(&first, &a, &[])["images"], 3);
    stats(&second, &b, &[]);
    assert_eq!(stats(&all, &whole, &[])["images"], 6);
    merge(&[&a, &b], &merged);
    stats(&all, &odd, &["--part", "1/2"]);
    assert_eq!(stats(&all, &even, &["--part", "2/2"])["images"], 3);
    merge(&[&odd, &even], &parts);
    for merged in [&merged, &parts] {
        assert_equal_statistics(merged, &whole);
    }
    assert_eq!(stats(&all, &out.join("some"), &["--limit", "2"])["images"], 2);
}

/// Asserts that two statistics have the same means and give the same labels.
fn assert_equal_statistics(one: &Path, other: &Path) {
    let read = |path: &Path| Statistics::from_bytes(&std::fs::read(path).unwrap()).unwrap();
    let (found, expected) = (read(one), read(other));
    assert_eq!((found.images(), found.weights()), (expected.images(), expected.weights()));
    let close = |a: &[f64], b: &[f64]| a.iter().zip(b).all(|(a, b)| (a - b).abs() < 1e-9 * (1.0 + b.abs()));
    assert!(close(found.embedded(), expected.embedded()));
    for layer in 0..3 {
        assert!(close(found.mlp(layer), expected.mlp(layer)));
        for head in 0..3 {
            assert!(close(&found.head(layer, head).mean, &expected.head(layer, head).mean));
            assert!(close(found.cls_code(layer, head), expected.cls_code(layer, head)));
        }
    }
    let labelled = |path: &Path| heads(&["--top", "3", "--statistics", path.to_str().unwrap()]);
    let (found, expected) = (labelled(one), labelled(other));
    for (found, expected) in found["heads"].as_array().unwrap().iter().zip(expected["heads"].as_array().unwrap()) {
        for (found, expected) in labels(found).into_iter().zip(labels(expected)) {
            assert_eq!(found.0, expected.0);
            assert!((found.1 - expected.1).abs() < 1e-4);
        }
    }
}

#[test]
fn unreadable_pictures_are_counted_and_listed() {
    let gallery = gallery("stats-spoiled", &["chelsea.png"]);
    write_unreadable(&gallery.join("spoiled.jpg"));
    let out = gallery.join("stats");
    let answer = stats(&gallery, &out, &[]);
    assert_eq!((&answer["images"], answer["skipped"].as_array().unwrap().len()), (&1.into(), 1));
    assert!(answer["skipped"][0]["image"].as_str().unwrap().ends_with("spoiled.jpg"));
    // A finished file, which may have taken hours, is not overwritten.
    assert!(error_of(on_pack(&["stats"]).arg(&gallery).arg("--out").arg(&out), 1).contains("there already"));
}

#[test]
fn statistics_of_another_model_are_refused() {
    let other = folder("other-model");
    output_of(headlamp().args(["pack", "random", "--seed", "8", "--out"]).arg(other.join("pack")));
    let theirs = other.join("pack/statistics.safetensors");
    let refused = error_of(on_pack(&["heads"]).arg("--statistics").arg(&theirs), 1);
    assert!(refused.contains("another model's weights"), "{refused}");
    let ours = test_support::tool::pack().join("statistics.safetensors");
    let mut merge = headlamp();
    merge.args(["stats", "merge"]).arg(ours).arg(theirs).arg("--out").arg(other.join("merged"));
    assert!(error_of(&mut merge, 1).contains("another model's weights"));
}

#[test]
fn the_same_statistics_are_not_merged_twice() {
    let place = folder("merged-twice");
    let ours = test_support::tool::pack().join("statistics.safetensors");
    let copy = place.join("copy");
    std::fs::copy(&ours, &copy).unwrap();
    let mut merge = headlamp();
    merge.args(["stats", "merge"]).arg(ours).arg(&copy).arg("--out").arg(place.join("merged"));
    let refused = error_of(&mut merge, 1);
    assert!(refused.contains("would count twice"), "{refused}");
}
