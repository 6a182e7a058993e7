//! `headlamp eval segmentation`: masks by the text of the model's own top class, against labelled ones (docs/PAPERS.md,
//! Paper 1, Segmentation), beside raw attention and rollout.

use std::path::PathBuf;

use clap::Args;
use serde::{Deserialize, Serialize};
use serde_json::json;

use super::bench::{Bench, BenchOptions};
use super::classes::class_names;
use super::classifier::{Classifier, TemplateOptions};
use super::masks::{Masks, Sample};
use super::records::Records;
use super::report::{Results, per_cent, table};
use crate::cli::CliError;
use crate::geometry::{Framing, Size};
use crate::metrics::{PixelCounts, average_precision};
use crate::segment::{SoftMap, mask_in_photo, soft_in_photo, soft_map};
use crate::session::Traced;

/// How well masks by the model's own top class agree with labelled ones, beside raw attention and rollout
///
/// DIR is gtsegs_ijcv.mat, a folder with it, or a folder with images/ and masks/ (PNGs of the same names).
#[derive(Args, Debug)]
pub struct SegmentationTable {
    #[command(flatten)]
    bench: BenchOptions,
    #[command(flatten)]
    templates: TemplateOptions,
    /// The classes' names, one a line: id, tab, name, or the name alone. Default: DIR/classes.tsv or
    /// DIR/classnames.txt
    #[arg(long, value_name = "FILE")]
    classes: Option<PathBuf>,
    /// The layer that rollout begins at; 1 is what the published figures are for
    #[arg(long, value_name = "N", default_value_t = 1)]
    rollout_from: usize,
}

/// The methods, in the order of the records.
const METHODS: [&str; 3] = ["raw attention", "rollout", "headlamp"];

/// How one mask agrees with the labelled one.
#[derive(Clone, Copy, Serialize, Deserialize)]
struct Agreement {
    #[serde(flatten)]
    pixels: PixelCounts,
    /// Average precision
    ap: f64,
}

/// What was found of one picture; an agreement for each of [`METHODS`].
#[derive(Clone, Serialize, Deserialize)]
struct Found {
    /// The model's top class.
    top: usize,
    in_photo: [Agreement; METHODS.len()],
    squashed: [Agreement; METHODS.len()],
}

#[derive(Serialize)]
struct Table {
    classes: usize,
    templates: usize,
    rollout_from: usize,
    /// Predictions are mapped back to the photo; what the crop leaves out counts as background.
    in_photo: Vec<Row>,
    /// As the reference has it: the labelled mask is squashed to the crop's square.
    squashed: Vec<Row>,
}

#[derive(Serialize)]
struct Row {
    method: &'static str,
    /// Over all pixels of the data set.
    pixel_accuracy: f64,
    mean_iou: f64,
    /// Mean over the pictures.
    mean_ap: f64,
}

impl SegmentationTable {
    pub fn run(&self) -> Result<(), CliError> {
        let names = class_names(&self.bench.data, self.classes.as_deref())?;
        let masks = Masks::find(&self.bench.data)?;
        let entries = self.bench.limited(masks.entries())?;
        let bench = self.bench.open(None)?;
        let classifier = Classifier::new(&bench, &self.bench, &self.templates, names)?;
        let own = json!({"classes": classifier.hash, "rollout_from": self.rollout_from});
        let records = Records::go_on(self.bench.out.as_deref(), &bench.heading(Table::NAME, &own)?)?;
        let mean = classifier.mean();
        let work = |entry: &super::masks::Entry| {
            let sample = masks.read(entry.index)?;
            self.compare(&bench, &classifier, &mean, &sample)
        };
        let gathered = bench.gather(&entries, |entry| &entry.name, records, work)?;
        let table = Table {
            classes: classifier.names.len(),
            templates: classifier.templates,
            rollout_from: self.rollout_from,
            in_photo: rows(gathered.records.iter().map(|found| &found.in_photo)),
            squashed: rows(gathered.records.iter().map(|found| &found.squashed)),
        };
        self.bench.answer(&bench, gathered, table)
    }

    /// `mean` is the mean of all classes.
    fn compare(
        &self,
        bench: &Bench,
        classifier: &Classifier,
        mean: &[f32],
        sample: &Sample,
    ) -> Result<Found, CliError> {
        let traced = bench.session.trace_with_rollout(&sample.photo, Framing::CentreCrop, self.rollout_from);
        let (traced, rollout) = pollster::block_on(traced)?;
        let image = bench.session.decompose(&traced);
        let embedding: Vec<f64> = image.embedding().iter().map(|value| f64::from(*value)).collect();
        let top = classifier.top(&embedding);
        let difference: Vec<f32> = classifier.units[top].iter().zip(mean).map(|(t, mean)| t - mean).collect();
        let ours = image.patches(&bench.session.direction(&difference));
        let layers = bench.session.model().readout.layers;
        let heads = bench.session.model().readout.heads;
        let mut raw = vec![0.0; ours.len()];
        for head in 0..heads {
            let attention = image.attention(layers - 1, head);
            raw.iter_mut().zip(attention).for_each(|(sum, value)| *sum += f64::from(*value) / heads as f64);
        }
        let rollout: Vec<f64> = rollout.into_iter().map(f64::from).collect();
        let patch = bench.session.model().config.vision.patch;
        let maps = [raw, rollout, ours].map(|patches| soft_map(&patches, traced.trace.grid, patch));
        Ok(Found {
            top,
            in_photo: maps.each_ref().map(|map| in_photo(map, &traced, &sample.labelled)),
            squashed: maps.each_ref().map(|map| squashed(map, sample)),
        })
    }
}

/// Compares in the photo's own pixels.
fn in_photo(map: &SoftMap, traced: &Traced, labelled: &[bool]) -> Agreement {
    let mask = mask_in_photo(map, &traced.frame, map.threshold);
    Agreement {
        pixels: PixelCounts::of(mask.into_iter().map(|value| value > 0), labelled),
        ap: average_precision(&soft_in_photo(map, &traced.frame), labelled),
    }
}

/// Compares in the crop's pixels, with the labelled mask squashed to them: each takes the nearest pixel.
fn squashed(map: &SoftMap, sample: &Sample) -> Agreement {
    let Size { width, height } = sample.photo.size;
    let nearest = |place: usize, of: usize, length: usize| (2 * place + 1) * length / (2 * of);
    let places = (0..map.size.height).flat_map(|y| (0..map.size.width).map(move |x| (x, y)));
    let labelled: Vec<bool> = places
        .map(|(x, y)| {
            sample.labelled[nearest(y, map.size.height, height) * width + nearest(x, map.size.width, width)]
        })
        .collect();
    Agreement {
        pixels: PixelCounts::of(map.values.iter().map(|value| *value > map.threshold), &labelled),
        ap: average_precision(&map.values, &labelled),
    }
}

/// Pixels add up, average precisions are averaged.
fn rows<'a>(found: impl Iterator<Item = &'a [Agreement; METHODS.len()]>) -> Vec<Row> {
    let mut pixels = [PixelCounts::default(); METHODS.len()];
    let mut ap = [0.0; METHODS.len()];
    let mut pictures = 0.0_f64;
    for of_picture in found {
        pictures += 1.0;
        for (method, agreement) in of_picture.iter().enumerate() {
            pixels[method] += agreement.pixels;
            ap[method] += agreement.ap;
        }
    }
    let row = |(method, name): (usize, &'static str)| Row {
        method: name,
        pixel_accuracy: pixels[method].accuracy(),
        mean_iou: pixels[method].mean_iou(),
        mean_ap: ap[method] / pictures.max(1.0),
    };
    METHODS.into_iter().enumerate().map(row).collect()
}

impl Results for Table {
    const NAME: &'static str = "segmentation";

    fn tables(&self) -> String {
        let protocol = |rows: &[Row]| {
            let cells = |row: &Row| {
                vec![
                    row.method.to_owned(),
                    per_cent(row.pixel_accuracy),
                    per_cent(row.mean_iou),
                    per_cent(row.mean_ap),
                ]
            };
            table(&["method", "pixel accuracy, %", "mIoU, %", "mAP, %"], rows.iter().map(cells))
        };
        format!(
            "The text is the model's own top class out of {} ({} templates each), its contrast all of them.\n\n\
             Predictions mapped back to the photo; what the crop leaves out counts as background:\n\n{}\n\
             The labelled mask squashed to the crop's square, as in the reference:\n\n{}",
            self.classes,
            self.templates,
            protocol(&self.in_photo),
            protocol(&self.squashed)
        )
    }
}
