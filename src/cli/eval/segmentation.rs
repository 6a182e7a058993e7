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
use crate::media;
use crate::metrics::davis::boundary;
use crate::metrics::{PixelCounts, average_precision};
use crate::segment::{SoftMap, soft_in_photo, soft_map};

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
    /// Also measure headlamp's masks with the photo's edges, and the boundary F of all masks in the photo
    #[arg(long)]
    refine: bool,
}

/// The methods, in the order of the records. The last method is measured with `--refine` only, in the photo only.
const METHODS: [&str; 4] = ["raw attention", "rollout", "headlamp", "headlamp, refined"];

/// How far one mask agrees with the labelled mask.
#[derive(Clone, Copy, Serialize, Deserialize)]
struct MaskAgreement {
    #[serde(flatten)]
    pixels: PixelCounts,
    /// Average precision.
    ap: f64,
    /// F of the boundary, as DAVIS defines it; with `--refine` only.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    boundary: Option<f64>,
}

/// The record of one picture: the agreement of the mask by each of [`METHODS`].
#[derive(Clone, Serialize, Deserialize)]
struct PictureAgreement {
    /// The model's top class.
    top: usize,
    in_photo: Vec<MaskAgreement>,
    squashed: Vec<MaskAgreement>,
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
    /// Mean over the pictures; with `--refine` only.
    #[serde(skip_serializing_if = "Option::is_none")]
    mean_boundary_f: Option<f64>,
}

impl EvalSegmentation {
    pub fn run(&self) -> Result<(), CliError> {
        let names = class_names(&self.evaluation.data, self.classes.as_deref())?;
        let set = SegmentationSet::find(&self.evaluation.data)?;
        let entries = self.evaluation.limited(set.entries())?;
        let evaluation = self.evaluation.open(None)?;
        let classifier = Classifier::new(&evaluation, &self.templates, names)?;
        let mut own = json!({"classes": classifier.hash, "rollout_from": self.rollout_from});
        if self.refine {
            own["refine"] = true.into();
        }
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
        let squashed = maps.iter().map(|map| squashed(map, sample)).collect();
        let size = self.refine.then_some(sample.photo.size);
        let agreement = |map: &SoftMap, soft: &[f32]| agreement(soft, map.threshold, &sample.labelled, size);
        let mut in_photo: Vec<MaskAgreement> =
            maps.iter().map(|map| agreement(map, &soft_in_photo(map, &traced.frame))).collect();
        if self.refine {
            let [_raw, _rollout, ours] = &maps;
            let refined = media::edge_guide(&sample.photo, &traced.frame)?.refine(ours);
            in_photo.push(agreement(ours, &refined.soft_in_photo(sample.photo.pixels())));
        }
        Ok(PictureAgreement { top, in_photo, squashed })
    }
}

/// Compares a soft map and its mask in the pixels of the photo. If there is a size, compares the boundaries too.
fn agreement(soft: &[f32], threshold: f32, labelled: &[bool], size: Option<Size>) -> MaskAgreement {
    let mask: Vec<bool> = soft.iter().map(|value| *value > threshold).collect();
    MaskAgreement {
        boundary: size.map(|size| boundary(&mask, labelled, &vec![false; mask.len()], size)),
        pixels: PixelCounts::of(mask, labelled),
        ap: average_precision(soft, labelled),
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
        boundary: None,
    }
}

/// Sums the pixel counts over all pictures, and averages the average precisions.
fn rows<'a>(pictures: impl Iterator<Item = &'a Vec<MaskAgreement>>) -> Vec<MethodRow> {
    let pictures: Vec<_> = pictures.collect();
    let methods = pictures.first().map_or(0, |picture| picture.len());
    let count = pictures.len().max(1) as f64;
    let row = |(method, name): (usize, &&'static str)| {
        let agreements = || pictures.iter().filter_map(|picture| picture.get(method));
        let mut pixels = PixelCounts::default();
        agreements().for_each(|agreement| pixels += agreement.pixels);
        let boundaries: Option<f64> = agreements().map(|agreement| agreement.boundary).sum();
        MethodRow {
            method: name,
            pixel_accuracy: pixels.accuracy(),
            mean_iou: pixels.mean_iou(),
            mean_ap: agreements().map(|agreement| agreement.ap).sum::<f64>() / count,
            mean_boundary_f: boundaries.map(|sum| sum / count),
        }
    };
    METHODS[..methods].iter().enumerate().map(row).collect()
}

impl EvaluationResults for SegmentationResults {
    const NAME: &'static str = "segmentation";

    fn tables(&self) -> String {
        let protocol = |rows: &[MethodRow]| {
            let cells = |row: &MethodRow| {
                let figures = [row.pixel_accuracy, row.mean_iou, row.mean_ap].map(per_cent);
                let boundary = row.mean_boundary_f.map(per_cent);
                std::iter::once(row.method.to_owned()).chain(figures).chain(boundary).collect()
            };
            let has_boundary = rows.iter().any(|row| row.mean_boundary_f.is_some());
            let columns = ["method", "pixel accuracy, %", "mIoU, %", "mAP, %", "boundary F, %"];
            table(&columns[..if has_boundary { 5 } else { 4 }], rows.iter().map(cells))
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
