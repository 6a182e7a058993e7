//! `headlamp eval textspan`.

use std::process::Command;

use crate::sets::{assert_close, assert_members, column, data, eval, expected, records};
use test_support::tool::{folder, json, numbers, on_pack};

/// Returns the evaluation with statistics over the pictures themselves, as in the reference.
fn textspan(name: &str) -> Command {
    let statistics = folder(name).join("statistics.safetensors");
    json(on_pack(&["stats"]).arg(data("imagenet")).arg("--out").arg(&statistics));
    let mut command = eval("textspan", &data("imagenet"));
    command.arg("--statistics").arg(statistics);
    command
}

#[test]
fn the_curve_matches_the_plain_algorithm() {
    let out = folder("curve");
    let answer =
        json(textspan("curve-statistics").args(["--late-layers", "2", "--counts", "0,1,2,5", "--out"]).arg(&out));
    assert_members(&answer, &["classes", "counts", "explained", "late_layers", "pool", "rows", "templates"]);
    let expected = expected("textspan");
    assert_eq!((&answer["counts"], &answer["late_layers"]), (&expected["counts"], &expected["late_layers"]));
    assert_close(&column(&answer["rows"], "accuracy"), &numbers(&expected["accuracy"]), 1e-12);
    assert_close(&numbers(&answer["explained"]), &numbers(&expected["explained"]), 1e-5);
    for (picture, record) in records(&out, "textspan") {
        assert_eq!(record["top"], expected["top"][&picture], "{picture}");
    }
}

/// If all layers are late, no attention is ablated.
#[test]
fn without_earlier_layers_the_first_two_rows_agree() {
    let answer = json(textspan("all-late").args(["--late-layers", "3", "--counts", "0"]));
    let accuracy = column(&answer["rows"], "accuracy");
    assert_eq!(accuracy.len(), 3);
    assert_eq!(accuracy[0], accuracy[1]);
}

#[test]
fn textspan_takes_custom_texts() {
    let texts = folder("own-texts").join("texts.txt");
    std::fs::write(&texts, "a red square\na blue circle\n").unwrap();
    let answer =
        json(eval("textspan", &data("imagenet")).args(["--counts", "2,9", "--limit", "4", "--texts"]).arg(texts));
    assert_eq!((&answer["pool"], &answer["images"]), (&2.into(), &4.into()));
    // There are two texts, so no head can take more than two.
    let explained = numbers(&answer["explained"]);
    assert_eq!(explained[0], explained[1]);
}
