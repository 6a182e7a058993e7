//! The names and texts of all heads as files: Markdown for people and JSON for programs.

use std::fmt::Write as _;

use serde_json::json;

use crate::protocol::{HeadLabel, HeadNames, NamedHead};
use crate::text::units;

/// Returns Markdown with a table for each head, the last layer first.
pub fn markdown(pack: &str, names: &HeadNames) -> String {
    let mut text = format!(
        "# The names and texts of the heads of {pack}\n\nTextSpan over {}.\n",
        units::plural(names.images, "image", "images")
    );
    for (layer, heads) in names.heads.iter().enumerate().rev() {
        for (head, named) in heads.iter().enumerate() {
            let name = names.name(named).map_or_else(String::new, |name| format!(": {name}"));
            // Writing to a string does not fail.
            let _written = write!(
                text,
                "\n## Layer {layer}, head {head}{name}\n\n| text | property | variance explained |\n|---|---|---|\n"
            );
            for HeadLabel { text: label, property, variance_explained } in &named.texts {
                let (label, property) = (cell(label), cell(property.as_deref().unwrap_or_default()));
                let _written =
                    writeln!(text, "| {label} | {property} | {} |", units::percent(*variance_explained));
            }
        }
    }
    text
}

/// Returns JSON: `{"pack", "images", "consistency", "entanglement", "heads": [{"layer", "head", "name", "share",
/// "p_value", "consistency", "labels": [{"text", "property", "variance_explained"}]}]}`.
pub fn json(pack: &str, names: &HeadNames) -> String {
    let heads: Vec<_> = names
        .heads
        .iter()
        .enumerate()
        .flat_map(|(layer, heads)| heads.iter().enumerate().map(move |(head, named)| (layer, head, named)))
        .map(|(layer, head, named)| {
            let NamedHead { share, p_value, consistency, texts, .. } = named;
            json!({
                "layer": layer, "head": head, "name": names.name(named), "share": share, "p_value": p_value,
                "consistency": consistency, "labels": texts,
            })
        })
        .collect();
    let HeadNames { images, consistency, entanglement, .. } = names;
    let all = json!({
        "pack": pack, "images": images, "consistency": consistency, "entanglement": entanglement, "heads": heads,
    });
    format!("{all:#}\n")
}

/// Returns a text for a cell of a table.
fn cell(text: &str) -> String {
    text.replace('|', "\\|")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names() -> HeadNames {
        let label = |text: &str, property: Option<&str>, variance_explained| HeadLabel {
            text: text.to_owned(),
            property: property.map(str::to_owned),
            variance_explained,
        };
        let head = |property, texts| NamedHead { property, share: 0.75, p_value: 0.001, consistency: 0.4, texts };
        let colours = vec![label("red | green", Some("colour"), 0.25), label("a cat", None, 0.5)];
        HeadNames {
            properties: vec!["colour".to_owned()],
            heads: vec![
                vec![head(Some(0), colours), head(None, vec![])],
                vec![head(None, vec![]), head(None, vec![label("fur", None, 0.125)])],
            ],
            images: 7,
            consistency: 0.4,
            entanglement: 0.25,
        }
    }

    #[test]
    fn json_has_every_head_with_its_name_and_texts() {
        let parsed: serde_json::Value = serde_json::from_str(&json("tiny", &names())).unwrap();
        assert_eq!(parsed["heads"].as_array().unwrap().len(), 4);
        assert_eq!((&parsed["heads"][0]["name"], &parsed["heads"][0]["share"]), (&"colour".into(), &0.75.into()));
        assert_eq!(parsed["heads"][0]["labels"][0]["property"], "colour");
        assert_eq!(
            (&parsed["heads"][3]["labels"][0]["text"], &parsed["heads"][3]["name"]),
            (&"fur".into(), &().into())
        );
        assert_eq!((&parsed["images"], &parsed["heads"][2]["layer"]), (&7.into(), &1.into()));
        assert_eq!(parsed["entanglement"], 0.25);
    }

    #[test]
    fn markdown_cells_stay_cells() {
        let text = markdown("tiny", &names());
        assert!(text.contains("| red \\| green | colour | 25 % |"), "{text}");
        assert!(text.find("Layer 1, head 0") < text.find("Layer 0, head 0: colour"), "the last layer first");
    }
}
