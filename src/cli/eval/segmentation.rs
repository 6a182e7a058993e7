//! `headlamp eval segmentation`: compares the masks for the model's own top class with labelled masks (docs/PAPERS.md,
//! 1.10). The baselines are raw attention and rollout.

use std::path::PathBuf;

use clap::Args;
use serde::{Deserialize, Serialize};
use serde_json::json;

use super::classifier::{Classifier, TemplateOptions, embedding_of};
use super::evaluation::{Evaluation, EvaluationOptions};
use super::imagenet_segmentation::{MaskedPhoto, SegmentationSet};
use super::labelled_pictures::class_names;
use super::report::{EvaluationResults, per_cent, table};
use crate::cli::error::CliError;
use crate::geometry::{Framing, Size};
use crate::metrics::{PixelCounts, average_precision};
use crate::segment::{SoftMap, mask_in_photo, soft_in_photo, soft_map};
use crate::session::Traced;

/// How well masks for the model's own top class agree with labelled masks, compared with raw attention and rollout
///
/// DIR is gtsegs_ijcv.mat, a folder with this file, or a folder with images/ and masks/ (PNGs of the same names).
#[derive(Args, Debug)]
pub struct EvalSegmentation {
    #[command(flatten)]
    evaluation: EvaluationOptions,
    #[command(flatten)]
    templates: TemplateOptions,
    /// Names of the classes, one per line: id, tab, name, or the name alone. Default: DIR/classes.tsv or
    /// DIR/classnames.txt
    #[arg(long, value_name = "FILE")]
    classes: Option<PathBuf>,
    /// First layer of the rollout; the published figures are for 1
    #[arg(long, value_name = "N", default_value_t = 1)]
    rollout_from: usize,
}

/// The methods, in the order of the records.
const METHODS: [&str; 3] = ["raw attention", "rollout", "headlamp"];

/// How far one mask agrees with the labelled mask.
#[derive(Clone, Copy, Serialize, Deserialize)]
struct MaskAgreement {
    #[serde(flatten)]
    pixels: PixelCounts,
    /// Average precision.
    ap: f64,
}

/// The record of one picture: the agreement of the mask by each of [`METHODS`].
#[derive(Clone, Serialize, Deserialize)]
struct PictureAgreement {
    /// The model's top class.
    top: usize,
    in_photo: [MaskAgreement; METHODS.len()],
    squashed: [MaskAgreement; METHODS.len()],
}

#[derive(Serialize)]
struct SegmentationResults {
    classes: usize,
    templates: usize,
    rollout_from: usize,
    /// The predicted masks are mapped back to the photo. Pixels outside the crop count as background.
    in_photo: Vec<MethodRow>,
    /// The labelled mask is squashed to the square of the crop, as in the paper's code.
    squashed: Vec<MethodRow>,
}

#[derive(Serialize)]
struct MethodRow {
    method: &'static str,
    /// Over all pixels of the data set.
    pixel_accuracy: f64,
    mean_iou: f64,
    /// Mean over the pictures.
    mean_ap: f64,
}

impl EvalSegmentation {
    pub fn run(&self) -> Result<(), CliError> {
        let names = class_names(&self.evaluation.data, self.classes.as_deref())?;
        let set = SegmentationSet::find(&self.evaluation.data)?;
        let entries = self.evaluation.limited(set.entries())?;
        let evaluation = self.evaluation.open(None)?;
        let classifier = Classifier::new(&evaluation, &self.templates, names)?;
        let own = json!({"classes": classifier.hash, "rollout_from": self.rollout_from});
        let mean = classifier.mean();
        let gathered = evaluation.gather(
            SegmentationResults::NAME,
            &own,
            &entries,
            |entry| &entry.name,
            |entry| self.compare(&evaluation, &classifier, &mean, &set.read(entry.index)?),
        )?;
        let results = SegmentationResults {
            classes: classifier.names.len(),
            templates: classifier.templates,
            rollout_from: self.rollout_from,
            in_photo: rows(gathered.records.iter().map(|agreement| &agreement.in_photo)),
            squashed: rows(gathered.records.iter().map(|agreement| &agreement.squashed)),
        };
        evaluation.answer(gathered, results)
    }

    /// Compares the masks of one photo. `mean` is the mean of all classes, `[embedding]`.
    fn compare(
        &self,
        evaluation: &Evaluation<'_>,
        classifier: &Classifier,
        mean: &[f32],
        sample: &MaskedPhoto,
    ) -> Result<PictureAgreement, CliError> {
        let session = &evaluation.session;
        let traced = session.trace_with_rollout(&sample.photo, Framing::CentreCrop, self.rollout_from);
        let (traced, rollout) = pollster::block_on(traced)?;
        let image = session.decompose(&traced);
        let top = classifier.top(&embedding_of(&image));
        let difference: Vec<f32> = classifier.units[top].iter().zip(mean).map(|(t, mean)| t - mean).collect();
        let ours = image.patches(&session.direction(&difference));
        let (layers, heads) = (session.model().readout.layers, session.model().readout.heads);
        let mut raw = vec![0.0; ours.len()];
        for head in 0..heads {
            let attention = image.attention(layers - 1, head);
            raw.iter_mut().zip(attention).for_each(|(sum, value)| *sum += f64::from(*value) / heads as f64);
        }
        let rollout: Vec<f64> = rollout.into_iter().map(f64::from).collect();
        let patch = session.model().config.vision.patch;
        let maps = [raw, rollout, ours].map(|patches| soft_map(&patches, traced.trace.grid, patch));
        Ok(PictureAgreement {
            top,
            in_photo: maps.each_ref().map(|map| in_photo(map, &traced, &sample.labelled)),
            squashed: maps.each_ref().map(|map| squashed(map, sample)),
        })
    }
}

/// Compares in the pixels of the photo.
fn in_photo(map: &SoftMap, traced: &Traced, labelled: &[bool]) -> MaskAgreement {
    let mask = mask_in_photo(map, &traced.frame, map.threshold);
    MaskAgreement {
        pixels: PixelCounts::of(mask.into_iter().map(|value| value > 0), labelled),
        ap: average_precision(&soft_in_photo(map, &traced.frame), labelled),
    }
}

/// Compares in the pixels of the crop. The labelled mask is squashed to the crop: each pixel takes the nearest one.
fn squashed(map: &SoftMap, sample: &MaskedPhoto) -> MaskAgreement {
    let Size { width, height } = sample.photo.size;
    let nearest = |pixel: usize, of: usize, length: usize| (2 * pixel + 1) * length / (2 * of);
    let pixels = (0..map.size.height).flat_map(|y| (0..map.size.width).map(move |x| (x, y)));
    let labelled: Vec<bool> = pixels
        .map(|(x, y)| {
            sample.labelled[nearest(y, map.size.height, height) * width + nearest(x, map.size.width, width)]
        })
        .collect();
    MaskAgreement {
        pixels: PixelCounts::of(map.values.iter().map(|value| *value > map.threshold), &labelled),
        ap: average_precision(&map.values, &labelled),
    }
}

/// Sums the pixel counts over all pictures, and averages the average precisions.
fn rows<'a>(pictures: impl Iterator<Item = &'a [MaskAgreement; METHODS.len()]>) -> Vec<MethodRow> {
    let mut pixels = [PixelCounts::default(); METHODS.len()];
    let mut ap = [0.0; METHODS.len()];
    let mut count = 0.0_f64;
    for picture in pictures {
        count += 1.0;
        for (method, agreement) in picture.iter().enumerate() {
            pixels[method] += agreement.pixels;
            ap[method] += agreement.ap;
        }
    }
    let row = |(method, name): (usize, &'static str)| MethodRow {
        method: name,
        pixel_accuracy: pixels[method].accuracy(),
        mean_iou: pixels[method].mean_iou(),
        mean_ap: ap[method] / count.max(1.0),
    };
    METHODS.into_iter().enumerate().map(row).collect()
}

impl EvaluationResults for SegmentationResults {
    const NAME: &'static str = "segmentation";

    fn tables(&self) -> String {
        let protocol = |rows: &[MethodRow]| {
            let cells = |row: &MethodRow| {
                let figures = [row.pixel_accuracy, row.mean_iou, row.mean_ap].map(per_cent);
                std::iter::once(row.method.to_owned()).chain(figures).collect()
            };
            table(&["method", "pixel accuracy, %", "mIoU, %", "mAP, %"], rows.iter().map(cells))
        };
        format!(
            "The text is the model's own top class out of {} ({} templates each). The contrast is all classes.\n\n\
             Predicted masks mapped back to the photo; pixels outside the crop count as background:\n\n{}\n\
             Labelled masks squashed to the square of the crop, as in the paper's code:\n\n{}",
            self.classes,
            self.templates,
            protocol(&self.in_photo),
            protocol(&self.squashed)
        )
    }
}
