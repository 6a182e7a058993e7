//! The completeness curve from picture codes, compared with the same curve from whole embeddings.
#![cfg(not(target_arch = "wasm32"))]

use headlamp::ablate::{Ablation, MeanContributions, Study};
use headlamp::decompose::Decomposition;
use headlamp::retrieve::PictureCodes;
use headlamp::session::completeness::{LabelledCodes, measure};
use headlamp::statistics::Statistics;
use headlamp::textspan::{LateHeads, Reconstruction};
use test_support::tiny::RandomGallery;

const PICTURES: usize = 16;
/// The number of late layers, which are reconstructed from texts. The model has one more layer.
const LATE: usize = 2;
const COUNTS: [usize; 4] = [0, 1, 3, 8];
const TEXTS: u64 = 24;
const TOLERANCE: f64 = 1e-5;

struct Setting {
    gallery: RandomGallery,
    statistics: Statistics,
    /// `[TEXTS, embedding]`
    pool: Vec<f32>,
    classes: Vec<Vec<f32>>,
}

impl Setting {
    fn new() -> Self {
        let gallery = RandomGallery::new(PICTURES);
        let statistics = gallery.statistics();
        let pool = (0..TEXTS).flat_map(|seed| gallery.text(100 + seed)).collect();
        let classes = (0..3).map(|seed| gallery.text(50 + seed)).collect();
        Self { gallery, statistics, pool, classes }
    }

    fn late(&self) -> LateHeads<'_> {
        LateHeads::new(&self.gallery.model.readout, &self.statistics, &self.pool, LATE, 8, || {})
    }

    fn codes(&self, image: &Decomposition<'_>) -> PictureCodes {
        PictureCodes::of(image, &self.gallery.model.readout)
    }

    /// Returns the embedding with the attention of the first layers replaced by its means.
    fn without_attention(&self, image: &Decomposition<'_>, layers: usize) -> Vec<f64> {
        let readout = &self.gallery.model.readout;
        let means = MeanContributions::new(readout, &self.statistics);
        let study = Ablation::of_study(Study::FirstAttentions(layers), readout.layers, readout.heads);
        image.embedding().iter().zip(study.shift(image, &means)).map(|(a, b)| f64::from(*a) + b).collect()
    }

    /// Returns the embedding with each late head reconstructed by `count` texts of its own.
    fn by_texts(&self, image: &Decomposition<'_>, count: usize) -> Vec<f64> {
        let readout = &self.gallery.model.readout;
        let first = readout.layers - LATE;
        let mut left = self.without_attention(image, first);
        for (layer, head) in (first..readout.layers).flat_map(|at| (0..readout.heads).map(move |head| (at, head)))
        {
            let (basis, moments) = (readout.head_basis(layer, head), self.statistics.head(layer, head));
            let span = Reconstruction::new(&basis, moments, &self.pool, readout.head_width(), 8);
            let instead = span.contribution(&image.head_code(layer, head), count);
            let own = image.head(layer, head);
            left.iter_mut().zip(instead.iter().zip(own)).for_each(|(sum, (new, old))| *sum += new - old);
        }
        left
    }
}

fn largest_difference(a: &[f64], b: &[f64]) -> f64 {
    assert_eq!(a.len(), b.len());
    a.iter().zip(b).map(|(a, b)| (a - b).abs()).max_by(f64::total_cmp).unwrap_or(0.0)
}

fn top(embedding: &[f64], classes: &[Vec<f32>]) -> usize {
    let score = |class: &Vec<f32>| class.iter().zip(embedding).map(|(a, b)| f64::from(*a) * b).sum::<f64>();
    (0..classes.len()).max_by(|a, b| score(&classes[*a]).total_cmp(&score(&classes[*b]))).unwrap()
}

#[test]
fn heads_from_texts_equal_the_sum_of_single_heads() {
    let setting = Setting::new();
    let late = setting.late();
    let readout = &setting.gallery.model.readout;
    assert!(readout.layers > LATE, "the model has no layer before the late ones");
    assert_eq!((late.layers, late.heads()), (LATE, LATE * readout.heads));
    for image in setting.gallery.images() {
        let replaced = late.replace(&setting.codes(&image));
        let early = setting.without_attention(&image, readout.layers - LATE);
        assert!(largest_difference(&replaced.early, &early) < TOLERANCE);
        assert!(
            largest_difference(&replaced.by_texts(0), &setting.without_attention(&image, readout.layers))
                < TOLERANCE
        );
        for count in COUNTS {
            let error = largest_difference(&replaced.by_texts(count), &setting.by_texts(&image, count));
            assert!(error < TOLERANCE, "{count} texts: {error:.1e}");
        }
    }
}

#[test]
fn the_curve_counts_kept_and_correct_classes() {
    let setting = Setting::new();
    let late = setting.late();
    let images = setting.gallery.images();
    let picture = |(index, image)| LabelledCodes { codes: setting.codes(image), class: Some(index % 3) };
    let pictures = images.iter().enumerate().map(picture);
    let curve = measure(&late, TEXTS as usize, &COUNTS, &setting.classes, pictures);
    assert_eq!((curve.pictures, curve.pool, curve.points.len()), (PICTURES, TEXTS as usize, COUNTS.len()));
    assert_eq!(curve.whole.unwrap().same, 1.0);
    assert_eq!(curve.points[0].explained, 0.0);
    assert!(curve.points.is_sorted_by(|few, many| few.explained < many.explained), "{:?}", curve.points);
    for point in &curve.points {
        let (mut same, mut right) = (0, 0);
        for (index, image) in images.iter().enumerate() {
            let whole: Vec<f64> = image.embedding().iter().map(|value| f64::from(*value)).collect();
            let found = top(&setting.by_texts(image, point.texts), &setting.classes);
            same += usize::from(found == top(&whole, &setting.classes));
            right += usize::from(found == index % 3);
        }
        let agreement = point.agreement.unwrap();
        assert_eq!(
            (agreement.same, agreement.right),
            (same as f64 / 16.0, Some(right as f64 / 16.0)),
            "{point:?}"
        );
    }
}

#[test]
fn fewer_than_two_classes_read_no_picture() {
    let setting = Setting::new();
    let images = setting.gallery.images();
    let pictures = images.iter().map(|image| LabelledCodes { codes: setting.codes(image), class: None });
    let curve = measure(&setting.late(), TEXTS as usize, &COUNTS, &setting.classes[..1], pictures);
    assert_eq!((curve.pictures, curve.whole, curve.points[3].agreement), (0, None, None));
    assert!(curve.points[3].explained > 0.0);
}
