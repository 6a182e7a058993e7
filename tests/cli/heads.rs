//! `headlamp heads` and `headlamp stats`.

use std::collections::BTreeMap;
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
    assert_eq!(members(&answer), ["consistency", "entanglement", "heads", "images", "pack", "pool", "properties"]);
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
fn a_share_is_the_sum_over_the_texts_of_a_property() {
    let answer = heads(&[]);
    let properties: Vec<&str> =
        answer["properties"].as_array().unwrap().iter().map(|p| p.as_str().unwrap()).collect();
    assert!(properties.is_sorted() && properties.contains(&"colour"), "{properties:?}");
    for head in answer["heads"].as_array().unwrap() {
        let (mut shares, mut before, mut first) =
            (BTreeMap::<&str, f64>::new(), 0.0, BTreeMap::<&str, u32>::new());
        for (place, label) in head["labels"].as_array().unwrap().iter().enumerate() {
            let property = label["property"].as_str().unwrap();
            let explained = label["variance_explained"].as_f64().unwrap();
            *shares.entry(property).or_default() += explained - before;
            before = explained;
            *first.entry(property).or_default() += u32::from(place < 5);
        }
        let (leading, share) = shares.into_iter().max_by(|a, b| a.1.total_cmp(&b.1)).unwrap();
        assert!((head["share"].as_f64().unwrap() - share / before).abs() < 1e-4, "{head}");
        assert!((head["consistency"].as_f64().unwrap() - f64::from(first[leading]) / 5.0).abs() < 1e-6, "{head}");
        assert!(head["name"].is_null() || head["name"] == leading, "{head}");
        assert_eq!(head["texts"][0], head["labels"][0]["text"]);
    }
}

#[test]
fn one_head_has_the_name_that_it_has_among_all_heads() {
    let (all, one) = (heads(&[]), heads(&["--layer", "1", "--head", "2", "--top", "2"]));
    let (all, one) = (&all["heads"][5], &one["heads"][0]);
    assert_eq!(one["texts"].as_array().unwrap().len(), 2);
    for member in ["layer", "head", "name", "share", "p_value", "consistency"] {
        assert_eq!(all[member], one[member], "{member}");
    }
}

#[test]
fn texts_without_properties_name_no_head() {
    let texts = folder("no-properties").join("texts.txt");
    std::fs::write(&texts, "a red square\na blue circle\nsomething else\n").unwrap();
    let answer = heads(&["--pool", texts.to_str().unwrap()]);
    assert_eq!(answer["properties"], serde_json::json!([]));
    assert!(answer["heads"].as_array().unwrap().iter().all(|head| head["name"].is_null() && head["share"] == 0.0));
    let words = output_of(on_pack(&["heads", "--layer", "0", "--head", "0"]).arg("--texts").arg(&texts));
    assert!(words.contains("\nlayer 0 head 0\n"), "{words}");
}

#[test]
fn a_pool_whose_lines_make_no_sense_is_refused() {
    let texts = folder("senseless-pool").join("texts.txt");
    let refusal = |file: &str| {
        std::fs::write(&texts, file).unwrap();
        error_of(on_pack(&["heads"]).arg("--texts").arg(&texts), 1)
    };
    assert!(refusal("red\tcolour\nblue\tcolour\tcold\n").contains("line 2 has two TABs"));
    assert!(refusal("red\tcolour\n\n\tcolour\n").contains("line 3 has a property, but no text"));
    assert!(refusal("red\tcolour\nred\twine\n").contains("lines 1 and 2"));
    assert!(refusal("\n \n").contains("it holds no text"));
}

#[test]
fn roles_are_compared_with_names() {
    let folder = folder("roles");
    let (roles, among) = (folder.join("roles.json"), folder.join("among.txt"));
    std::fs::write(&roles, r#"{"2.1": {"role": "colour", "trained": true}, "0.0": {"role": "generic"}}"#).unwrap();
    let compare = |more: &[&str]| json(on_pack(&["heads"]).arg("--roles").arg(&roles).args(more));
    let answer = compare(&[]);
    assert_eq!((&answer["with_role"], &answer["without_role"]), (&1.into(), &8.into()));
    assert!((answer["chance"].as_f64().unwrap() - 10.0 / 60.0).abs() < 1e-6, "{answer}");
    let counted = ["recovered", "other_name", "mixed"].map(|member| answer[member].as_u64().unwrap());
    assert_eq!(counted.iter().sum::<u64>(), 1);
    let (generic, colour) = (&answer["heads"][0], &answer["heads"][1]);
    assert!(generic["consistency"].is_null() && generic["role"] == "generic");
    assert_eq!((&colour["layer"], &colour["head"], &colour["role"]), (&2.into(), &1.into(), &"colour".into()));
    assert_eq!(colour["texts"].as_array().unwrap().len(), 5);

    std::fs::write(&among, "a red surface\na cat\na dog\na green field\n").unwrap();
    let few = compare(&["--among", among.to_str().unwrap()]);
    assert_eq!((&few["pool"], few["chance"].as_f64()), (&4.into(), Some(0.5)));
    let words = output_of(on_pack(&["heads"]).arg("--roles").arg(&roles));
    assert!(words.contains("\n| 2.1 | colour | ") && words.contains("Of 1 heads with a trained role"), "{words}");
}

#[test]
fn roles_and_texts_that_do_not_exist_are_refused() {
    let folder = folder("wrong-roles");
    let (roles, among) = (folder.join("roles.json"), folder.join("among.txt"));
    let refusal = |file: &str, status| {
        std::fs::write(&roles, file).unwrap();
        error_of(on_pack(&["heads"]).arg("--roles").arg(&roles), status)
    };
    assert!(refusal(r#"{"2-1": {"role": "colour"}}"#, 1).contains("write LAYER.HEAD"));
    assert!(refusal(r#"{"2.1": "colour"}"#, 1).contains("roles.json"));
    assert!(refusal(r#"{"7.0": {"role": "colour"}}"#, 2).contains("no head 0 in layer 7"));
    std::fs::write(&among, "a cat\na unicorn\n").unwrap();
    let refused = error_of(on_pack(&["heads"]).arg("--among").arg(&among), 1);
    assert!(refused.contains("“a unicorn” is not in the pool"), "{refused}");
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
