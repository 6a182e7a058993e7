//! The answer of an alignment, for people and for programs.

use std::path::Path;

use serde::Serialize;

use crate::align::retrieval::{Recall, Retrieval, chance, retrieval};
use crate::align::{LearnedProjection, Pairs, Projection};
use crate::cli::output::{self, CommandAnswer};
use crate::cli::parallel::SkippedPicture;

/// Retrieval among the pictures held out; all `None` if fewer than two were held out.
#[derive(Debug, Default, Serialize)]
pub struct HeldOutRetrieval {
    /// With the projection of the ridge regression.
    pub ridge: Option<Retrieval>,
    /// With the projection in the pack.
    pub aligned: Option<Retrieval>,
    /// The expected retrieval of guessing.
    pub chance: Option<Retrieval>,
}

#[derive(Serialize)]
pub struct AlignAnswer<'a> {
    pub out: &'a Path,
    pub pack: &'a str,
    pub device: String,
    pub images: usize,
    pub captions: usize,
    pub training: usize,
    pub held_out: usize,
    pub skipped: Vec<SkippedPicture>,
    pub ridge: RidgeChoice,
    /// Epochs of the refinement that the pack keeps.
    pub epochs: usize,
    /// Contrastive loss on the validation part, before the first epoch and after each epoch.
    pub losses: &'a [f64],
    pub logit_scale: f64,
    pub retrieval: HeldOutRetrieval,
    pub statistics_images: u64,
    pub seconds: f64,
}

/// The ridge penalty, and the penalties that cross-validation compared.
#[derive(Serialize)]
pub struct RidgeChoice {
    penalty: f64,
    tried: Vec<PenaltyTrial>,
}

#[derive(Serialize)]
struct PenaltyTrial {
    penalty: f64,
    mean_reciprocal_rank: f64,
}

impl From<&LearnedProjection> for RidgeChoice {
    fn from(LearnedProjection { penalty, trials, .. }: &LearnedProjection) -> Self {
        let trial = |(penalty, rank): &(f64, f64)| PenaltyTrial { penalty: *penalty, mean_reciprocal_rank: *rank };
        Self { penalty: *penalty, tried: trials.iter().map(trial).collect() }
    }
}

impl CommandAnswer for AlignAnswer<'_> {
    fn in_words(&self) -> String {
        let mut lines = vec![
            format!("{}: {}", self.out.display(), self.pack),
            format!(
                "{} with {}: {} for training, {} held out; statistics over {}; {:.0} s",
                output::count(self.images as u64, "picture"),
                output::count(self.captions as u64, "caption"),
                self.training,
                self.held_out,
                self.statistics_images,
                self.seconds
            ),
            format!(
                "ridge penalty {}, then {}; logit scale {:.1}",
                self.ridge.penalty,
                output::count(self.epochs as u64, "epoch"),
                self.logit_scale
            ),
        ];
        if let (Some(first), Some(best)) = (self.losses.first(), self.losses.get(self.epochs)) {
            lines.push(format!(
                "contrastive loss on a part of the training pictures: {first:.3}, refined {best:.3}"
            ));
        }
        let HeldOutRetrieval { ridge, aligned, chance } = &self.retrieval;
        for (direction, recall_of) in DIRECTIONS {
            lines.push(format!("\n{direction:<20} R@1     R@5    R@10  median rank"));
            for (name, retrieval) in [("ridge", ridge), ("refined", aligned), ("chance", chance)] {
                lines.extend(retrieval.as_ref().map(|retrieval| row(name, recall_of(retrieval))));
            }
        }
        if aligned.is_none() {
            lines.push("(no pictures were held out to measure retrieval)".to_owned());
        }
        lines.join("\n")
    }
}

/// The name of a direction of retrieval, and its recall.
type Direction = (&'static str, fn(&Retrieval) -> &Recall);

const DIRECTIONS: [Direction; 2] = [
    ("image to text", |retrieval| &retrieval.image_to_text),
    ("text to image", |retrieval| &retrieval.text_to_image),
];

fn row(name: &str, Recall { at: [one, five, ten], median_rank, candidates, .. }: &Recall) -> String {
    let [one, five, ten] = [one, five, ten].map(|share| 100.0 * share);
    format!("  {name:<14} {one:5.1} % {five:5.1} % {ten:5.1} %  {median_rank} of {candidates}")
}

impl HeldOutRetrieval {
    /// Measures retrieval among the pairs held out.
    pub fn measure(learned: &LearnedProjection, held_out: &Pairs) -> Self {
        if held_out.images.nrows() < 2 {
            return Self::default();
        }
        let with = |projection: &Projection| retrieval(&projection.embed(&held_out.images), held_out);
        Self {
            ridge: Some(with(&learned.ridge)),
            aligned: Some(with(&learned.projection)),
            chance: Some(chance(held_out)),
        }
    }

    /// Describes the alignment for the manifest of the pack. `training` is the number of training pictures.
    pub fn in_a_sentence(&self, training: usize) -> String {
        let learned = format!("Learned from {}", output::count(training as u64, "picture"));
        let Some((aligned, chance)) = self.aligned.as_ref().zip(self.chance.as_ref()) else {
            return format!("{learned}; not measured on other pictures.");
        };
        let percent = |recall: &Recall, place: usize| 100.0 * recall.at[place];
        let (images, texts) = (&aligned.image_to_text, &aligned.text_to_image);
        format!(
            "{learned}. Measured on {} others: the right caption of a picture, out of {}, comes first in {:.0} % of the \
             cases, and among the first five in {:.0} % (chance {:.1} %, {:.1} %); the right picture of a caption in \
             {:.0} % and {:.0} %.",
            images.queries,
            images.candidates,
            percent(images, 0),
            percent(images, 1),
            percent(&chance.image_to_text, 0),
            percent(&chance.image_to_text, 1),
            percent(texts, 0),
            percent(texts, 1),
        )
    }
}
