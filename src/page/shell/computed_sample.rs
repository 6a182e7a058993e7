//! The precomputed results for the sample photos (`cargo xtask samples` computes them). The page shows them while the
//! model loads.

use serde::Deserialize;

use crate::geometry::{CropFromPhoto, Framing, LongSide, Size};
use crate::protocol::{Attribution, HeadLabel};

/// The results for one photo. The soft map is a grey picture of the photo's size, in the same folder as this file.
#[derive(Clone, Debug, Deserialize)]
pub struct Computed {
    /// The model's name.
    pub pack: String,
    /// The side of the model's crop and of its patches, in pixels.
    pub image_size: usize,
    pub patch: usize,
    pub residual: f64,
    pub attribution: Attribution,
    /// The phrase with the highest score. The photo is segmented by this phrase.
    pub phrase: String,
    pub threshold: f32,
    pub is_empty: bool,
    /// The head that contributes most to the phrase, and its texts.
    pub layer: usize,
    pub head: usize,
    pub labels: Vec<HeadLabel>,
    pub images: u64,
}

impl Computed {
    /// Returns the part of a photo that the model saw.
    pub fn frame(&self, photo: Size) -> CropFromPhoto {
        CropFromPhoto::new(photo, Framing::CentreCrop, self.image_size, self.patch, LongSide::Rounded)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::page::photo::phrase_list::PhraseList;

    #[test]
    fn every_sample_has_results_for_the_example_phrases() {
        for sample in ["astronaut", "chelsea", "china", "coffee", "flower", "rocket"] {
            let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/www/samples/computed");
            let json = std::fs::read(format!("{folder}/{sample}.json")).unwrap();
            let computed: Computed = serde_json::from_slice(&json).unwrap();
            let attribution = &computed.attribution;
            assert_eq!(attribution.texts, PhraseList::default().as_slice(), "run `cargo xtask samples`");
            for (text, score) in attribution.scores.iter().enumerate() {
                let heads: f32 = attribution.heads.iter().flatten().map(|texts| texts[text]).sum();
                let mlps: f32 = attribution.mlps.iter().map(|texts| texts[text]).sum();
                let sum = heads + mlps + attribution.embedding[text];
                // About eighty values are added, each rounded to five digits.
                assert!((sum - score).abs() < 4e-4, "{sample}: parts of text {text} sum to {sum}, not {score}");
            }
            let best = attribution.scores.iter().copied().fold(f32::MIN, f32::max);
            let at = attribution.texts.iter().position(|text| *text == computed.phrase).unwrap();
            assert_eq!(attribution.scores[at], best);
            assert_eq!(computed.labels.len(), 10);
            let map = std::fs::read(format!("{folder}/{sample}.png")).unwrap();
            assert!(map.starts_with(b"\x89PNG") && map.len() < 160 << 10, "{} bytes", map.len());
        }
    }
}
