//! What came of an alignment, for people and programs.

use std::path::Path;

use serde::Serialize;

use crate::align::LearnedProjection;
use crate::align::retrieval::{Recall, Retrieval};
use crate::cli::stats::Skipped;
use crate::cli::{CliError, output};

/// Retrieval among the pictures held out; none where there are not two.
#[derive(Debug, Default, Serialize)]
pub struct Found {
    /// By the ridge regression alone.
    pub ridge: Option<Retrieval>,
    /// By what the pack has.
    pub aligned: Option<Retrieval>,
    pub chance: Option<Retrieval>,
}

pub struct Report<'a> {
    pub out: &'a Path,
    pub pack: &'a str,
    pub device: String,
    pub images: usize,
    pub captions: usize,
    pub training: usize,
    pub held_out: usize,
    pub skipped: Vec<Skipped>,
    pub learned: &'a LearnedProjection,
    pub found: Found,
    pub statistics_images: u64,
    pub seconds: f64,
}

/// The answer.
#[derive(Serialize)]
struct Answer<'a> {
    out: &'a Path,
    pack: &'a str,
    device: &'a str,
    images: usize,
    captions: usize,
    training: usize,
    held_out: usize,
    skipped: &'a [Skipped],
    ridge: RidgeAnswer<'a>,
    epochs: usize,
    losses: &'a [f64],
    logit_scale: f64,
    retrieval: &'a Found,
    statistics_images: u64,
    seconds: f64,
}

#[derive(Serialize)]
struct RidgeAnswer<'a> {
    penalty: f64,
    tried: Vec<Trial<'a>>,
}

#[derive(Serialize)]
struct Trial<'a> {
    penalty: &'a f64,
    mean_reciprocal_rank: &'a f64,
}

impl Report<'_> {
    pub fn print(&self, json: bool) -> Result<(), CliError> {
        if !json {
            return output::print(&self.in_words());
        }
        let LearnedProjection { penalty, trials, losses, epochs, logit_scale, .. } = self.learned;
        let trial = |(penalty, rank)| Trial { penalty, mean_reciprocal_rank: rank };
        output::print_json(&Answer {
            out: self.out,
            pack: self.pack,
            device: &self.device,
            images: self.images,
            captions: self.captions,
            training: self.training,
            held_out: self.held_out,
            skipped: &self.skipped,
            ridge: RidgeAnswer {
                penalty: *penalty,
                tried: trials.iter().map(|(penalty, rank)| trial((penalty, rank))).collect(),
            },
            epochs: *epochs,
            losses,
            logit_scale: *logit_scale,
            retrieval: &self.found,
            statistics_images: self.statistics_images,
            seconds: self.seconds,
        })
    }

    fn in_words(&self) -> String {
        let LearnedProjection { penalty, epochs, losses, logit_scale, .. } = self.learned;
        let mut lines = vec![
            format!("{}: {}", self.out.display(), self.pack),
            format!(
                "{} with {}: {} learned from, {} held out; statistics over {}; {:.0} s",
                output::count(self.images as u64, "picture"),
                output::count(self.captions as u64, "caption"),
                self.training,
                self.held_out,
                self.statistics_images,
                self.seconds
            ),
            format!(
                "ridge penalty {penalty}, then {}; logit scale {logit_scale:.1}",
                output::count(*epochs as u64, "epoch")
            ),
        ];
        if let (Some(first), Some(best)) = (losses.first(), losses.get(*epochs)) {
            lines.push(format!(
                "contrastive loss on a part of the training pictures: {first:.3}, refined {best:.3}"
            ));
        }
        let rows =
            [("ridge", &self.found.ridge), ("refined", &self.found.aligned), ("chance", &self.found.chance)];
        for (direction, of) in DIRECTIONS {
            lines.push(format!("\n{direction:<20} R@1     R@5    R@10  median rank"));
            for (name, found) in rows {
                lines.extend(found.as_ref().map(|found| row(name, of(found))));
            }
        }
        if self.found.aligned.is_none() {
            lines.push("(nothing was held out to measure retrieval on)".to_owned());
        }
        lines.join("\n")
    }
}

/// A direction's name, and its figures.
type Direction = (&'static str, fn(&Retrieval) -> &Recall);

const DIRECTIONS: [Direction; 2] =
    [("image to text", |found| &found.image_to_text), ("text to image", |found| &found.text_to_image)];

fn row(name: &str, Recall { at: [one, five, ten], median_rank, candidates, .. }: &Recall) -> String {
    let [one, five, ten] = [one, five, ten].map(|share| 100.0 * share);
    format!("  {name:<14} {one:5.1} % {five:5.1} % {ten:5.1} %  {median_rank} of {candidates}")
}

impl Found {
    /// What a pack says of its own alignment.
    pub fn in_a_sentence(&self, training: usize) -> String {
        let learned = format!("Learned from {}", output::count(training as u64, "picture"));
        let Some((found, chance)) = self.aligned.as_ref().zip(self.chance.as_ref()) else {
            return format!("{learned}; nobody measured how well.");
        };
        let percent = |recall: &Recall, place: usize| 100.0 * recall.at[place];
        let (images, texts) = (&found.image_to_text, &found.text_to_image);
        format!(
            "{learned}. On {} others it finds the caption of a picture among {} in the first place {:.0} % of the time, \
             in the first five {:.0} % (chance {:.1} %, {:.1} %), and the picture of a caption {:.0} %, {:.0} %.",
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
