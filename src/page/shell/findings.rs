//! All results for a photo, as JSON for programs and as Markdown for notes.

use std::fmt::Write as _;

use serde::Serialize;

use crate::ablate::Ablation;
use crate::geometry::{Framing, Grid, PhotoRect, Size};
use crate::page::heads::contributions::{Contributions, GridValues};
use crate::page::heads::switched_off;
use crate::protocol::{HeadLabel, HeadNames};
use crate::rle::Rle;
use crate::text::units;

/// All results. The fields have the same names in the JSON.
#[derive(Clone, Debug, Serialize)]
pub struct Findings {
    /// "headlamp 0.1.0"
    pub made_by: String,
    pub model: ModelFinding,
    pub photo: PhotoFinding,
    pub phrases: Vec<PhraseFinding>,
    /// The phrases that the contributions are for: "“a cat” rather than “a dog”".
    pub subject: Option<String>,
    pub contributions: Option<ContributionsFinding>,
    /// The mean of every contribution over the images of the head statistics: an average picture.
    pub means: Option<ContributionsFinding>,
    /// Whether the grid shows the contributions minus their means.
    pub shows_differences: bool,
    /// The parts that are switched off.
    pub ablation: Ablation,
    pub segmentation: Option<SegmentationFinding>,
    pub head: Option<HeadFinding>,
    /// The names of all heads; `None` until they are known.
    pub names: Option<NamesFinding>,
}

/// The names of all heads of the model.
#[derive(Clone, Debug, Serialize)]
pub struct NamesFinding {
    /// `[layer][head]`
    pub heads: Vec<Vec<HeadNameFinding>>,
    /// The number of heads with a name.
    pub named: usize,
    /// The mean consistency of these heads.
    pub consistency: f32,
    pub entanglement: f32,
    /// The number of images that the names were computed from.
    pub images: u64,
}

/// The name of a head, and the figures that it depends on.
#[derive(Clone, Debug, Serialize)]
pub struct HeadNameFinding {
    /// `None`: mixed.
    pub name: Option<String>,
    pub share: f32,
    pub p_value: f32,
    pub consistency: f32,
}

impl From<&HeadNames> for NamesFinding {
    fn from(names: &HeadNames) -> Self {
        let heads = names.heads.iter().map(|heads| {
            let finding = heads.iter().map(|head| HeadNameFinding {
                name: names.name(head).map(str::to_owned),
                share: head.share,
                p_value: head.p_value,
                consistency: head.consistency,
            });
            finding.collect()
        });
        Self {
            heads: heads.collect(),
            named: names.named(),
            consistency: names.consistency,
            entanglement: names.entanglement,
            images: names.images,
        }
    }
}

#[derive(Clone, Debug, Serialize)]
pub struct ModelFinding {
    pub name: String,
    /// SHA-256
    pub weights: String,
    pub device: String,
    pub layers: usize,
    pub heads: usize,
}

#[derive(Clone, Debug, Serialize)]
pub struct PhotoFinding {
    pub name: String,
    pub size: Size,
    pub framing: Framing,
    /// The part that the model sees, in photo pixels.
    pub crop_in_photo: PhotoRect,
    pub grid: Grid,
    /// The largest difference between the components' sum and the embedding.
    pub residual: f64,
}

#[derive(Clone, Debug, Serialize)]
pub struct PhraseFinding {
    pub phrase: String,
    pub cosine: f32,
    /// The softmax over these phrases.
    pub probability: f32,
    /// The cosine with everything switched on; `None` if nothing is switched off.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub intact: Option<f32>,
}

/// The contributions of all components. They sum to `total`.
#[derive(Clone, Debug, Serialize)]
pub struct ContributionsFinding {
    /// `[layer][head]`
    pub heads: Vec<Vec<f32>>,
    /// `[layer]`
    pub mlps: Vec<f32>,
    pub embedding: f32,
    pub total: f32,
}

impl From<&Contributions> for ContributionsFinding {
    fn from(all: &Contributions) -> Self {
        let Contributions { heads, mlps, embedding } = all.clone();
        Self { heads, mlps, embedding, total: all.total() }
    }
}

impl From<&ContributionsFinding> for Contributions {
    fn from(all: &ContributionsFinding) -> Self {
        let ContributionsFinding { heads, mlps, embedding, .. } = all.clone();
        Self { heads, mlps, embedding }
    }
}

#[derive(Clone, Debug, Serialize)]
pub struct SegmentationFinding {
    pub phrase: String,
    /// Pixels above this value are foreground.
    pub threshold: f32,
    /// The part that the mask covers, in photo pixels.
    pub crop_in_photo: PhotoRect,
    /// The share of `crop_in_photo` that is foreground.
    pub foreground: f64,
    pub mask: Rle,
}

#[derive(Clone, Debug, Serialize)]
pub struct HeadFinding {
    pub layer: usize,
    pub head: usize,
    pub contribution: Option<f32>,
    /// The mean of the contribution over the images of the head statistics.
    pub mean: Option<f32>,
    pub map: Option<HeadMapFinding>,
    pub labels: Vec<HeadLabel>,
    /// The number of images that the labels were computed from.
    pub images: u64,
}

#[derive(Clone, Debug, Serialize)]
pub struct HeadMapFinding {
    /// "contribution" or "attention"
    pub kind: &'static str,
    pub grid: Grid,
    /// Rows first.
    pub patches: Vec<f32>,
}

/// The number of heads in the notes.
const STRONGEST: usize = 8;

impl Findings {
    /// Returns the findings as JSON.
    ///
    /// # Errors
    /// Never for finite values. NaN becomes null, because JSON has no NaN.
    pub fn json(&self) -> Result<String, serde_json::Error> {
        serde_json::to_string_pretty(self).map(|json| json + "\n")
    }

    /// Returns the values of the grid.
    pub fn grid_values(&self) -> Option<GridValues> {
        let contributions = Contributions::from(self.contributions.as_ref()?);
        let means = self.means.as_ref().filter(|_| self.shows_differences).map(Contributions::from);
        let differences = means.and_then(|means| GridValues::differences(&contributions, &means));
        Some(differences.unwrap_or_else(|| GridValues::raw(contributions)))
    }

    /// Returns the name of a head; empty if it has none.
    fn name(&self, layer: usize, head: usize) -> &str {
        let named = self.names.as_ref().and_then(|names| names.heads.get(layer)?.get(head)?.name.as_deref());
        named.unwrap_or_default()
    }

    /// Returns notes with tables, in Markdown.
    pub fn markdown(&self) -> String {
        let mut text = format!("## {} through {}\n", plain(&self.photo.name), plain(&self.model.name));
        // Writing to a string does not fail.
        let mut line = |line: &str| {
            let _written = writeln!(text, "{line}");
        };
        if !self.phrases.is_empty() {
            line("\n| phrase | cosine | share |\n|---|--:|--:|");
        }
        for PhraseFinding { phrase, cosine, probability, .. } in &self.phrases {
            let (cosine, share) = (units::signed(*cosine, 3), units::percent(*probability));
            line(&format!("| {} | {cosine} | {share} |", plain(phrase)));
        }
        let off = switched_off::summary(&self.ablation, self.model.layers);
        if !off.is_empty() {
            line(&format!("\nSwitched off: {off}."));
        }
        if let Some((subject, values)) = self.subject.as_ref().zip(self.grid_values()) {
            let (subject, total) = (plain(subject), units::signed(values.total(), 4));
            let (parts, what) = match values.average {
                Some(average) => (
                    format!("{total}, of which an average picture has {}", units::signed(average, 4)),
                    "difference",
                ),
                None => (format!("of {total}"), "contribution"),
            };
            line(&format!("\nHeads that matter most for {subject} ({parts}):"));
            line(&format!("\n| layer.head | name | {what} |\n|---|---|--:|"));
            for (layer, head, value) in values.parts.ranking(STRONGEST) {
                let name = plain(self.name(layer, head));
                line(&format!("| {layer}.{head} | {name} | {} |", units::signed(value, 4)));
            }
        }
        if let Some(head) = self.head.as_ref().filter(|head| !head.labels.is_empty()) {
            line(&format!(
                "\nTexts that span layer {}, head {} (over {}):\n",
                head.layer,
                head.head,
                units::plural(head.images, "image", "images")
            ));
            for HeadLabel { text, variance_explained, .. } in &head.labels {
                line(&format!("- {} ({})", plain(text), units::percent(*variance_explained)));
            }
        }
        if let Some(SegmentationFinding { phrase, foreground, threshold, .. }) = &self.segmentation {
            let share = units::percent(*foreground as f32);
            line(&format!("\n“{}” covers {share} of what the model saw (above {threshold:.2}).", plain(phrase)));
        }
        if let Some(names) = self.names.as_ref().filter(|names| names.named > 0) {
            line(&format!(
                "\n{} of {} heads have a name; of the first five texts of such a head, {} belong to the name. \
                 Entanglement: {:.2}.",
                names.named,
                names.heads.iter().flatten().count(),
                units::percent(names.consistency),
                names.entanglement
            ));
        }
        line(&format!(
            "\nAll parts add up to the embedding within {}. Made with {}.",
            units::scientific(self.photo.residual),
            self.made_by
        ));
        text
    }
}

/// Escapes a user's words for a Markdown table.
fn plain(words: &str) -> String {
    words.replace('|', "\\|").replace(['\n', '\r'], " ")
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    fn name(name: Option<&str>) -> HeadNameFinding {
        HeadNameFinding { name: name.map(str::to_owned), share: 0.5, p_value: 0.01, consistency: 0.8 }
    }

    /// Returns invented findings that contain every character that must be escaped: quotes, angle brackets, bars.
    pub fn findings() -> Findings {
        Findings {
            made_by: "headlamp".to_owned(),
            model: ModelFinding {
                name: "tiny".to_owned(),
                weights: "00".to_owned(),
                device: "CPU".to_owned(),
                layers: 2,
                heads: 3,
            },
            photo: PhotoFinding {
                name: "a<b>.png".to_owned(),
                size: Size { width: 60, height: 40 },
                framing: Framing::CentreCrop,
                crop_in_photo: PhotoRect { left: 10.0, top: 0.0, width: 40.0, height: 40.0 },
                grid: Grid { columns: 2, rows: 2 },
                residual: 2.5e-7,
            },
            phrases: vec![
                PhraseFinding {
                    phrase: "\"red\" | & <green>".into(),
                    cosine: 0.25,
                    probability: 0.9,
                    intact: None,
                },
                PhraseFinding { phrase: "a dog".into(), cosine: -0.125, probability: 0.1, intact: Some(0.5) },
            ],
            subject: Some("“red”".to_owned()),
            contributions: Some(ContributionsFinding {
                heads: vec![vec![0.0, 0.0625, -0.03125], vec![0.125, 0.0, 0.0]],
                mlps: vec![0.0, 0.0625],
                embedding: 0.03125,
                total: 0.25,
            }),
            means: Some(ContributionsFinding {
                heads: vec![vec![0.0, 0.0, 0.0], vec![0.125, 0.0, -0.5]],
                mlps: vec![0.0, 0.0],
                embedding: 0.0,
                total: -0.375,
            }),
            shows_differences: false,
            ablation: Ablation { heads: [(0, 1)].into(), ..Ablation::default() },
            segmentation: Some(SegmentationFinding {
                phrase: "red".to_owned(),
                threshold: 0.5,
                crop_in_photo: PhotoRect { left: 10.0, top: 0.0, width: 40.0, height: 40.0 },
                foreground: 0.25,
                mask: Rle::of(&[false, false, false, true], Size { width: 2, height: 2 }),
            }),
            head: Some(HeadFinding {
                layer: 1,
                head: 0,
                contribution: Some(0.125),
                mean: Some(0.125),
                map: Some(HeadMapFinding {
                    kind: "contribution",
                    grid: Grid { columns: 2, rows: 2 },
                    patches: vec![0.0, 0.125, 0.0, 0.0],
                }),
                labels: vec![HeadLabel {
                    text: "fur & <feathers>".to_owned(),
                    property: None,
                    variance_explained: 0.5,
                }],
                images: 40,
            }),
            names: Some(NamesFinding {
                heads: [[None, None, None], [Some("fur | skin"), None, None]]
                    .map(|heads| heads.map(name).to_vec())
                    .to_vec(),
                named: 1,
                consistency: 0.75,
                entanglement: 0.125,
                images: 40,
            }),
        }
    }

    #[test]
    fn json_keeps_every_figure() {
        let parsed: serde_json::Value = serde_json::from_str(&findings().json().unwrap()).unwrap();
        assert_eq!(parsed["contributions"]["heads"][1][0], 0.125);
        assert_eq!(parsed["phrases"][0]["phrase"], "\"red\" | & <green>");
        assert_eq!(parsed["phrases"][1]["intact"], 0.5);
        assert!(parsed["phrases"][0].get("intact").is_none());
        assert_eq!(parsed["segmentation"]["mask"]["size"], serde_json::json!([2, 2]));
        assert_eq!(parsed["head"]["map"]["patches"][1], 0.125);
        assert_eq!(parsed["names"]["heads"][1][0]["name"], "fur | skin");
        assert_eq!((&parsed["names"]["entanglement"], &parsed["names"]["named"]), (&0.125.into(), &1.into()));
    }

    #[test]
    fn markdown_names_the_strongest_first_and_cells_stay_cells() {
        let text = findings().markdown();
        assert!(text.contains("| \"red\" \\| & <green> | +0.250 | 90 % |"), "{text}");
        let (first, second) = (text.find("| 1.0 | fur \\| skin | +0.1250 |"), text.find("| 0.1 |  | +0.0625 |"));
        assert!(first.is_some() && first < second, "{text}");
        let differences = Findings { shows_differences: true, ..findings() }.markdown();
        assert!(differences.contains("(+0.2500, of which an average picture has −0.3750)"), "{differences}");
        let first = differences.find("| layer.head | name | difference |\n|---|---|--:|\n| 1.2 |  | +0.5000 |");
        assert!(first.is_some(), "{differences}");
        assert!(text.contains("Switched off: 1 head.") && text.contains("fur & <feathers> (50 %)"), "{text}");
        assert!(text.contains("1 of 6 heads have a name") && text.contains("75 % belong"), "{text}");
    }
}
