//! The texts of all heads as files: Markdown for people and JSON for programs.

use std::fmt::Write as _;

use serde_json::json;

use crate::protocol::HeadLabel;
use crate::text::units;

/// Returns Markdown with a table for each head, the last layer first. `labels` is `[layer][head]`.
pub fn markdown(pack: &str, labels: &[Vec<Vec<HeadLabel>>], images: u64) -> String {
    let mut text = format!(
        "# What the heads of {pack} stand for\n\nTextSpan over {}.\n",
        units::plural(images, "image", "images")
    );
    for (layer, heads) in labels.iter().enumerate().rev() {
        for (head, labels) in heads.iter().enumerate() {
            // Writing to a string does not fail.
            let _written =
                write!(text, "\n## Layer {layer}, head {head}\n\n| text | variance explained |\n|---|---|\n");
            for HeadLabel { text: label, variance_explained, .. } in labels {
                let label = label.replace('|', "\\|");
                let _written = writeln!(text, "| {label} | {} |", units::percent(*variance_explained));
            }
        }
    }
    text
}

/// Returns JSON: `{"pack", "images", "heads": [{"layer", "head", "labels": [{"text", "variance_explained"}]}]}`.
pub fn json(pack: &str, labels: &[Vec<Vec<HeadLabel>>], images: u64) -> String {
    let heads: Vec<_> = labels
        .iter()
        .enumerate()
        .flat_map(|(layer, heads)| heads.iter().enumerate().map(move |(head, labels)| (layer, head, labels)))
        .map(|(layer, head, labels)| json!({ "layer": layer, "head": head, "labels": labels }))
        .collect();
    format!("{:#}\n", json!({ "pack": pack, "images": images, "heads": heads }))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn labels() -> Vec<Vec<Vec<HeadLabel>>> {
        let label = |text: &str, variance_explained| HeadLabel {
            text: text.to_owned(),
            property: None,
            variance_explained,
        };
        vec![
            vec![vec![label("red | green", 0.25), label("a cat", 0.5)], vec![]],
            vec![vec![], vec![label("fur", 0.125)]],
        ]
    }

    #[test]
    fn json_has_every_head_with_its_texts() {
        let parsed: serde_json::Value = serde_json::from_str(&json("tiny", &labels(), 7)).unwrap();
        assert_eq!(parsed["heads"].as_array().unwrap().len(), 4);
        assert_eq!(parsed["heads"][3]["labels"][0]["text"], "fur");
        assert_eq!((&parsed["images"], &parsed["heads"][2]["layer"]), (&7.into(), &1.into()));
    }

    #[test]
    fn markdown_cells_stay_cells() {
        let text = markdown("tiny", &labels(), 7);
        assert!(text.contains("| red \\| green | 25 % |"), "{text}");
        assert!(text.find("Layer 1, head 0") < text.find("Layer 0, head 0"), "the last layer first");
    }
}
