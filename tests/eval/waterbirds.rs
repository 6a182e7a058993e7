//! `headlamp eval waterbirds`.

use serde_json::Value;

use crate::sets::{assert_close, assert_members, column, data, eval, expected, records};
use test_support::tool::{folder, json, numbers, output_of};

fn groups(row: &Value) -> Vec<f64> {
    column(&row["groups"], "accuracy")
}

#[test]
fn groups_and_ranking_match_the_reference() {
    let out = folder("waterbirds");
    let run = || {
        let mut command = eval("waterbirds", &data("waterbirds"));
        json(command.args(["--late-layers", "2", "--heads", "2.0,1.2", "--rank", "2", "--out"]).arg(&out))
    };
    let answer = run();
    assert_members(&answer, &["late_layers", "names", "ranking", "rows", "split", "templates"]);
    let expected = expected("waterbirds");
    let rows = answer["rows"].as_array().unwrap();
    assert_eq!((rows.len(), &answer["images"], &answer["ranking"]["images"]), (4, &32.into(), &16.into()));
    for (row, expected) in rows.iter().zip(expected["rows"].as_array().unwrap()) {
        assert_close(&groups(row), &numbers(&expected["groups"]), 1e-12);
        let summary = [&row["overall"], &row["worst_group"]].map(|value| value.as_f64().unwrap());
        assert_close(
            &summary,
            &[&expected["overall"], &expected["worst"]].map(|value| value.as_f64().unwrap()),
            1e-12,
        );
    }
    let ranking = answer["ranking"]["heads"].as_array().unwrap();
    for (found, expected) in ranking.iter().zip(expected["ranking"].as_array().unwrap()) {
        assert_eq!((&found["layer"], &found["head"]), (&expected["layer"], &expected["head"]));
        let of = |value: &Value| [value["place"].as_f64().unwrap(), value["class"].as_f64().unwrap()];
        assert_close(&of(found), &of(expected), 1e-5);
    }
    assert_eq!(records(&out, "waterbirds").len(), 32);
    assert_eq!(records(&out, "waterbirds-ranking").len(), 16);
    let again = run();
    assert_eq!((&again["resumed"], &again["rows"]), (&32.into(), &answer["rows"]));
}

/// If all layers are late and no head is named, only MLPs and z0 are switched off.
#[test]
fn a_model_without_published_heads_has_two_rows() {
    let answer = json(&mut eval("waterbirds", &data("waterbirds")));
    assert_eq!(answer["rows"].as_array().unwrap().len(), 2);
    assert!(answer.get("ranking").is_none());
    assert_eq!(groups(&answer["rows"][0]), numbers(&expected("waterbirds")["rows"][0]["groups"]));
}

#[test]
fn text_output_lists_groups_and_ranking() {
    let answer = output_of(eval("waterbirds", &data("waterbirds")).args([
        "--rank",
        "--split",
        "all",
        "--names",
        "a cat,a dog",
    ]));
    assert!(answer.contains("| a dog, place 1 |") && answer.contains("| head | margin by place |"), "{answer}");
}
