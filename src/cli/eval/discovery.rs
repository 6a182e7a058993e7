//! `headlamp eval discovery`: boxes around the objects that heads find in a picture, against labelled ones (CorLoc),
//! beside those around raw heads and around the mean attention.

use std::path::PathBuf;

use clap::Args;
use serde::{Deserialize, Serialize};
use serde_json::json;

use super::bench::{Bench, BenchOptions};
use super::records::Records;
use super::report::{Results, per_cent, table};
use super::voc::{Annotated, annotated};
use crate::cli::CliError;
use crate::cli::propagate::of_picture;
use crate::cli::track::Refine;
use crate::foreground;
use crate::geometry::Framing;
use crate::metrics::discovery::{PixelBox, localised};
use crate::session::Featured;
use crate::track::Tracker;
use crate::track::prototypes::concentrated_heads;
use crate::track::regions::largest;

/// How often a box around a discovered object is right: CorLoc on VOC's boxes
///
/// DIR has JPEGImages/ and Annotations/ with a file of XML for each picture.
#[derive(Args, Debug)]
pub struct DiscoveryTable {
    #[command(flatten)]
    bench: BenchOptions,
    /// A list of the pictures' names, like ImageSets/Main/trainval.txt. Default: all that have an annotation
    #[arg(long, value_name = "FILE")]
    split: Option<PathBuf>,
    /// How many objects: as many heads, those whose attention is the most concentrated
    #[arg(long, value_name = "N", default_value_t = 3)]
    objects: usize,
    /// Heads of the last layer, an object each, like 0,2,4
    #[arg(long, value_name = "H,H,...", value_delimiter = ',', conflicts_with = "objects")]
    heads: Vec<usize>,
    /// Whether prototypes are refined by Sinkhorn-Knopp as in the paper, where the model bears it, or not
    #[arg(long, value_enum, default_value_t)]
    refine: Refine,
    /// Short side of the pictures in pixels, as the model sees them. Default: the model's own
    #[arg(long, value_name = "PIXELS")]
    resolution: Option<usize>,
}

/// The methods, in the order of the records. The first two have one box for each picture, the others one for each
/// object or head, of which any may be right.
const METHODS: [&str; 4] = ["mean attention", "the track with most attention", "any raw head", "any track"];

/// What was found of one picture: whether a box is right, for each of [`METHODS`].
#[derive(Clone, Serialize, Deserialize)]
struct Found {
    right: [bool; METHODS.len()],
}

#[derive(Serialize)]
struct Table {
    objects: usize,
    heads: Option<Vec<usize>>,
    rows: Vec<Row>,
}

#[derive(Serialize)]
struct Row {
    method: &'static str,
    corloc: f64,
}

impl DiscoveryTable {
    pub fn run(&self) -> Result<(), CliError> {
        let pictures = self.bench.limited(annotated(&self.bench.data, self.split.as_deref())?)?;
        let bench = self.bench.open(None)?;
        let refine = format!("{:?}", self.refine);
        let own = json!({
            "objects": self.objects, "heads": self.heads, "refine": refine, "resolution": self.resolution,
        });
        let records = Records::go_on(self.bench.out.as_deref(), &bench.heading(Table::NAME, &own)?)?;
        let work = |picture: &Annotated| self.discover(&bench, picture);
        let gathered = bench.gather(&pictures, |picture| &picture.name, records, work)?;
        let share = |place: usize| {
            let right = gathered.records.iter().filter(|found| found.right[place]).count();
            right as f64 / gathered.records.len() as f64
        };
        let row = |(place, method): (usize, &&'static str)| Row { method, corloc: share(place) };
        let table = Table {
            objects: if self.heads.is_empty() { self.objects } else { self.heads.len() },
            heads: (!self.heads.is_empty()).then(|| self.heads.clone()),
            rows: METHODS.iter().enumerate().map(row).collect(),
        };
        self.bench.answer(&bench, gathered, table)
    }

    fn discover(&self, bench: &Bench, picture: &Annotated) -> Result<Found, CliError> {
        let short_side = self.resolution.unwrap_or(bench.session.model().config.vision.image_size);
        let featured = of_picture(&bench.session, &picture.picture, Framing::Frame { short_side })?;
        let features = &featured.features;
        let heads = match self.heads.as_slice() {
            [] => concentrated_heads(features, self.objects),
            heads => heads.to_vec(),
        };
        let tracked = Tracker::new(heads.clone()).with_refinement(self.refine.into()).push(features)?;
        let found: Vec<&[f32]> = tracked.tracks.chunks(features.grid.len()).collect();
        let mean = features.mean_attention();
        let attended =
            |track: &[f32]| -> f32 { track.iter().zip(&mean).map(|(share, value)| share * value).sum() };
        let most = found.iter().max_by(|a, b| attended(a).total_cmp(&attended(b)));
        let raw: Vec<&[f32]> = heads.iter().map(|head| features.attention(*head)).collect();
        let maps = [vec![&mean[..]], most.into_iter().copied().collect(), raw, found];
        let right = maps.map(|maps| {
            let boxes: Vec<PixelBox> = maps.into_iter().filter_map(|map| box_around(map, &featured)).collect();
            localised(&boxes, &picture.boxes)
        });
        Ok(Found { right })
    }
}

/// The box around the largest region of what lies above a map's own mean, in the photo's pixels.
fn box_around(map: &[f32], featured: &Featured) -> Option<PixelBox> {
    let region = largest(&foreground::above_mean(map), featured.features.grid);
    PixelBox::around(&foreground::in_photo(&region, &featured.frame), featured.frame.photo)
}

impl Results for Table {
    const NAME: &'static str = "discovery";

    fn tables(&self) -> String {
        let cells = |row: &Row| vec![row.method.to_owned(), per_cent(row.corloc)];
        let heads = match &self.heads {
            None => format!("the {} most concentrated heads of each picture", self.objects),
            Some(heads) => format!("heads {heads:?}"),
        };
        format!(
            "By {heads}. A box lies around the largest region above a map's own mean, and is right from an IoU of 0.5 \
             on with any labelled box.\n\n{}",
            table(&["method", "CorLoc, %"], self.rows.iter().map(cells))
        )
    }
}
