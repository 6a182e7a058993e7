//! `headlamp eval discovery`: compares the boxes around discovered objects with labelled boxes (CorLoc; docs/PAPERS.md,
//! 2.1 and 2.5). The baselines are boxes around the raw attention of heads and around the mean attention.

use std::path::PathBuf;

use clap::Args;
use serde::{Deserialize, Serialize};
use serde_json::json;

use super::evaluation::{Evaluation, EvaluationOptions};
use super::report::{EvaluationResults, per_cent, table};
use super::voc::{AnnotatedPicture, annotated_pictures};
use crate::cli::error::CliError;
use crate::cli::pictures;
use crate::cli::track::ObjectOptions;
use crate::foreground;
use crate::geometry::Framing;
use crate::metrics::discovery::{PixelBox, localised};
use crate::session::PhotoFeatures;
use crate::track::regions::largest;

/// How often a box around a discovered object is right: CorLoc on the boxes of Pascal VOC
///
/// DIR has JPEGImages/, and Annotations/ with an XML file for each picture.
#[derive(Args, Debug)]
pub struct EvalDiscovery {
    #[command(flatten)]
    evaluation: EvaluationOptions,
    /// List with the names of pictures, like ImageSets/Main/trainval.txt. Default: all pictures with an annotation
    #[arg(long, value_name = "FILE")]
    split: Option<PathBuf>,
    #[command(flatten)]
    objects: ObjectOptions,
    /// Short side of the pictures that the model sees, in pixels. Default: the model's own
    #[arg(long, value_name = "PIXELS")]
    resolution: Option<usize>,
}

/// The methods, in the order of the records. The first two find one box for each picture. The others find one box for
/// each object or head, and count as right if any of the boxes is right.
const METHODS: [&str; 4] = ["mean attention", "the track with most attention", "any raw head", "any track"];

/// The record of one picture: whether each of [`METHODS`] is right.
#[derive(Clone, Serialize, Deserialize)]
struct RightBoxes {
    right: [bool; METHODS.len()],
}

#[derive(Serialize)]
struct DiscoveryResults {
    objects: usize,
    heads: Option<Vec<usize>>,
    rows: Vec<CorLocRow>,
}

#[derive(Serialize)]
struct CorLocRow {
    method: &'static str,
    corloc: f64,
}

impl EvalDiscovery {
    pub fn run(&self) -> Result<(), CliError> {
        let pictures = annotated_pictures(&self.evaluation.data, self.split.as_deref())?;
        let pictures = self.evaluation.limited(pictures)?;
        let evaluation = self.evaluation.open(None)?;
        let mut own = self.objects.to_json();
        own["resolution"] = json!(self.resolution);
        let gathered = evaluation.gather(
            DiscoveryResults::NAME,
            &own,
            &pictures,
            |picture| &picture.name,
            |picture| self.discover(&evaluation, picture),
        )?;
        let corloc = |index: usize| {
            let right = gathered.records.iter().filter(|boxes| boxes.right[index]).count();
            right as f64 / gathered.records.len() as f64
        };
        let row = |(index, method): (usize, &&'static str)| CorLocRow { method, corloc: corloc(index) };
        let results = DiscoveryResults {
            objects: self.objects.count(),
            heads: self.objects.named_heads().map(<[usize]>::to_vec),
            rows: METHODS.iter().enumerate().map(row).collect(),
        };
        evaluation.answer(gathered, results)
    }

    fn discover(&self, evaluation: &Evaluation<'_>, picture: &AnnotatedPicture) -> Result<RightBoxes, CliError> {
        let session = &evaluation.session;
        let short_side = self.resolution.unwrap_or(session.model().config.vision.image_size);
        let photo = pictures::read_guarded(&picture.picture)?;
        let featured = pollster::block_on(session.features(&photo, Framing::WholeFrame { short_side }))?;
        let features = &featured.features;
        let (mut tracker, heads) = self.objects.tracker(features);
        let tracked = tracker.push(features)?;
        let found: Vec<&[f32]> = tracked.tracks.chunks(features.grid.len()).collect();
        let mean = features.mean_attention();
        let attention_in =
            |track: &[f32]| -> f32 { track.iter().zip(&mean).map(|(share, value)| share * value).sum() };
        let most = found.iter().max_by(|a, b| attention_in(a).total_cmp(&attention_in(b)));
        let raw: Vec<&[f32]> = heads.iter().map(|head| features.attention(*head)).collect();
        let maps = [vec![&mean[..]], most.into_iter().copied().collect(), raw, found];
        let right = maps.map(|maps| {
            let boxes: Vec<PixelBox> = maps.into_iter().filter_map(|map| box_around(map, &featured)).collect();
            localised(&boxes, &picture.boxes)
        });
        Ok(RightBoxes { right })
    }
}

/// Returns the box, in the photo's pixels, around the largest region of patches above the mean of the map.
fn box_around(map: &[f32], featured: &PhotoFeatures) -> Option<PixelBox> {
    let region = largest(&foreground::above_mean(map), featured.features.grid);
    PixelBox::around(&foreground::in_photo(&region, &featured.frame), featured.frame.photo)
}

impl EvaluationResults for DiscoveryResults {
    const NAME: &'static str = "discovery";

    fn tables(&self) -> String {
        let cells = |row: &CorLocRow| vec![row.method.to_owned(), per_cent(row.corloc)];
        let heads = match &self.heads {
            None => format!("the {} most concentrated heads of each picture", self.objects),
            Some(heads) => format!("heads {heads:?}"),
        };
        format!(
            "By {heads}. A box lies around the largest region above the mean of a map. It is right if its IoU with any \
             labelled box is at least 0.5.\n\n{}",
            table(&["method", "CorLoc, %"], self.rows.iter().map(cells))
        )
    }
}
