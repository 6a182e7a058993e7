//! The roles that the heads of the default model were trained for, and the names that their texts give them
//! (docs/ROLES.md). `HEADLAMP_WRITE=1 cargo test --test default_pack roles` writes the tables of the document again.

use std::path::PathBuf;

use test_support::tool::{headlamp, json, output_of};
use xtask::places;

use super::asset;

/// A run of `headlamp heads --roles`, and its place in the document.
struct RoleTest {
    title: &'static str,
    /// The file of the texts to choose from; `None`: the whole pool.
    among: Option<&'static str>,
}

const WHOLE: RoleTest = RoleTest { title: "whole pool", among: None };
const UNTRAINED: RoleTest = RoleTest { title: "untrained texts", among: Some("untrained.txt") };

fn document() -> PathBuf {
    places::checkout().join("docs/ROLES.md")
}

impl RoleTest {
    fn command(&self) -> std::process::Command {
        let recipe = places::checkout().join("www/packs/default");
        let mut command = headlamp();
        command.args(["heads", "--device", "cpu", "--pack"]).arg(asset(places::packs().join("default")));
        command.arg("--roles").arg(recipe.join("roles.json"));
        if let Some(file) = self.among {
            command.arg("--among").arg(recipe.join(file));
        }
        command
    }

    /// Returns the part of the document between the marks of this test, and the two parts around it.
    fn split<'a>(&self, document: &'a str) -> (&'a str, &'a str, &'a str) {
        let (begin, end) = (format!("<!-- begin: {} -->\n", self.title), format!("<!-- end: {} -->", self.title));
        let start = document.find(&begin).expect("the mark of the beginning") + begin.len();
        let length = document[start..].find(&end).expect("the mark of the end");
        (&document[..start], &document[start..start + length], &document[start + length..])
    }

    fn compare_with_document(&self) {
        let said = output_of(&mut self.command());
        let table = &said[said.find("| head |").expect("a table")..];
        let text = std::fs::read_to_string(document()).unwrap();
        let (before, found, after) = self.split(&text);
        let expected = format!("\n{}\n\n", table.trim_end());
        if std::env::var_os("HEADLAMP_WRITE").is_some() {
            std::fs::write(document(), [before, &expected, after].concat()).unwrap();
        } else {
            assert_eq!(found, expected, "docs/ROLES.md does not have the table of {}", self.title);
        }
    }
}

/// One test for both tables, because both write the same document.
#[test]
fn the_document_has_the_tables_of_roles() {
    WHOLE.compare_with_document();
    UNTRAINED.compare_with_document();
}

#[test]
fn names_recover_the_trained_roles() {
    let answer = json(&mut WHOLE.command());
    let count = |member: &str| answer[member].as_u64().unwrap();
    assert_eq!((count("with_role"), count("without_role")), (22, 50));
    assert!(count("recovered") >= 18 && count("other_name") <= 1, "{answer}");
    assert!(answer["consistency"].as_f64().unwrap() > 0.75, "{answer}");
    for head in answer["heads"].as_array().unwrap().iter().filter(|head| head["role"] == "generic") {
        assert!(head["name"].is_null(), "a head without a role has a name: {head}");
    }
    // Of all names, one in twenty is expected to be wrong.
    assert!(count("without_role_named") <= 3, "{answer}");
}

#[test]
fn texts_that_the_training_never_used_show_the_roles_too() {
    let answer = json(&mut UNTRAINED.command());
    assert_eq!(answer["pool"], 247);
    let (consistency, chance) = (answer["consistency"].as_f64().unwrap(), answer["chance"].as_f64().unwrap());
    assert!(consistency > 5.0 * chance, "{consistency}, by chance {chance}");
}
