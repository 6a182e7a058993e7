//! Spurious cues in a labelled gallery (`docs/PAPERS.md, 1.12`), from picture codes, compared with the same sums over
//! whole embeddings.
#![cfg(not(target_arch = "wasm32"))]

use headlamp::ablate::{Ablation, MeanContributions};
use headlamp::decompose::{Decomposition, Direction};
use headlamp::protocol::cues::{CueOutcome, CueReport};
use headlamp::retrieve::PictureCodes;
use headlamp::session::cues::{PictureMargins, find};
use headlamp::zero_shot::dot;
use test_support::tiny::RandomGallery;

const PICTURES: usize = 24;
/// The head whose contribution to the margin decides the nuisance.
const PLANTED: (usize, usize) = (2, 1);

/// The requests of these tests to a gallery.
trait Questions {
    fn report(&self, labels: &[(usize, Option<usize>)], classes: &Direction, nuisances: &Direction) -> CueReport;
    /// Returns each picture's class and nuisance. Classes alternate in the order of the planted head's contributions.
    /// The nuisance is 1 for the upper half of these contributions, and 0 for the lower half.
    fn labels(&self, classes: &Direction) -> Vec<(usize, usize)>;
}

impl Questions for RandomGallery {
    fn report(&self, labels: &[(usize, Option<usize>)], classes: &Direction, nuisances: &Direction) -> CueReport {
        let readout = &self.model.readout;
        let images = self.images();
        let seen = images.iter().zip(labels).map(|(image, labels)| {
            PictureMargins::new(readout, &PictureCodes::of(image, readout), *labels, classes, nuisances)
        });
        find(readout, &self.statistics(), classes, seen.collect())
    }

    fn labels(&self, classes: &Direction) -> Vec<(usize, usize)> {
        let (layer, head) = PLANTED;
        let parts: Vec<f64> = self.images().iter().map(|image| image.parts(classes).heads[layer][head]).collect();
        let mut order: Vec<usize> = (0..PICTURES).collect();
        order.sort_by(|a, b| parts[*a].total_cmp(&parts[*b]));
        let mut labels = vec![(0, 0); PICTURES];
        for (rank, picture) in order.into_iter().enumerate() {
            labels[picture] = (rank % 2, usize::from(rank >= PICTURES / 2));
        }
        labels
    }
}

fn with_labels(labels: &[(usize, usize)]) -> Vec<(usize, Option<usize>)> {
    labels.iter().map(|(class, nuisance)| (*class, Some(*nuisance))).collect()
}

/// Returns the mean over the pictures of one class and one nuisance.
fn mean_of(values: &[f64], labels: &[(usize, usize)], group: (usize, usize)) -> f64 {
    let of: Vec<f64> =
        values.iter().zip(labels).filter(|(_, label)| **label == group).map(|(value, _)| *value).collect();
    of.iter().sum::<f64>() / of.len() as f64
}

#[test]
fn nuisance_heads_differ_between_group_means() {
    let gallery = RandomGallery::new(PICTURES);
    let (classes, nuisances) = (gallery.text(1), gallery.text(2));
    let [classes, nuisances] = [&classes, &nuisances].map(|text| gallery.model.readout.direction(text));
    let labels = gallery.labels(&classes);
    let report = gallery.report(&with_labels(&labels), &classes, &nuisances);
    assert_eq!((report.pictures, report.means_of), (PICTURES, PICTURES as u64));
    let sign = if report.nuisance_of_class_1 == 1 { 1.0 } else { -1.0 };
    assert!(report.heads.is_sorted_by(|a, b| a.nuisance >= b.nuisance));
    assert_eq!(report.heads.len(), gallery.model.readout.layers * gallery.model.readout.heads);
    for head in &report.heads {
        let part = |image: &Decomposition<'_>| image.parts(&classes).heads[head.layer][head.head];
        let parts: Vec<f64> = gallery.images().iter().map(part).collect();
        let mean = |class, nuisance| mean_of(&parts, &labels, (class, nuisance));
        let nuisance = sign * (mean(0, 1) - mean(0, 0) + mean(1, 1) - mean(1, 0)) / 2.0;
        let class = (mean(1, 0) - mean(0, 0) + mean(1, 1) - mean(0, 1)) / 2.0;
        let error = (head.nuisance - nuisance).abs().max((head.class - class).abs());
        assert!(error < 1e-6, "{head:?}: {nuisance} {class}");
    }
    let planted = report.heads.iter().find(|head| (head.layer, head.head) == PLANTED).unwrap();
    assert!(
        sign * planted.nuisance > planted.class.abs(),
        "the planted head does not follow the nuisance: {planted:?}"
    );
}

#[test]
fn outcomes_are_the_classes_of_shifted_embeddings() {
    let gallery = RandomGallery::new(PICTURES);
    let (text, nuisances) = (gallery.text(3), gallery.text(4));
    let [classes, nuisances] = [&text, &nuisances].map(|text| gallery.model.readout.direction(text));
    let labels = gallery.labels(&classes);
    let report = gallery.report(&with_labels(&labels), &classes, &nuisances);
    let means = MeanContributions::new(&gallery.model.readout, &gallery.statistics());
    assert!(report.outcomes[0].ablation.is_none() && !report.outcomes[1].ablation.heads.is_empty());
    let accuracies = |ablation: &Ablation| -> Vec<f64> {
        let mut right = [[0_u64; 2]; 2];
        for (image, (class, nuisance)) in gallery.images().iter().zip(&labels) {
            let shift = ablation.shift(image, &means);
            let shifted: Vec<f32> =
                image.embedding().iter().zip(&shift).map(|(value, shift)| value + *shift as f32).collect();
            let place = if report.nuisance_of_class_1 == 1 { *nuisance } else { 1 - nuisance };
            right[*class][place] += u64::from(usize::from(dot(&shifted, &text) > 0.0) == *class);
        }
        right.concat().into_iter().map(|right| right as f64 / (PICTURES / 4) as f64).collect()
    };
    let rank = |accuracies: &[f64]| {
        (accuracies.iter().copied().fold(1.0, f64::min), accuracies.iter().sum::<f64>() / 4.0)
    };
    for CueOutcome { ablation, overall, worst, groups } in &report.outcomes {
        let accuracies = accuracies(ablation);
        let found: Vec<f64> = groups.iter().map(|(_, accuracy)| accuracy.unwrap()).collect();
        assert_eq!(found, accuracies, "{ablation:?}");
        assert_eq!(*worst, accuracies.iter().copied().min_by(f64::total_cmp), "{ablation:?}");
        assert!((overall.unwrap() - accuracies.iter().sum::<f64>() / 4.0).abs() < 1e-12);
    }
    // No other number of leading heads gives the worst group a better accuracy.
    let proposed = rank(&accuracies(&report.outcomes[1].ablation));
    let following = report.heads.iter().filter(|head| head.nuisance > head.class.abs()).take(8);
    let mut heads = std::collections::BTreeSet::new();
    for head in following {
        heads.insert((head.layer, head.head));
        let other = rank(&accuracies(&Ablation { heads: heads.clone(), ..Ablation::default() }));
        assert!(other.0 <= proposed.0, "{heads:?}: {other:?} {proposed:?}");
    }
}

/// If the nuisance has no labels, the sign of the margin of its phrases replaces them.
#[test]
fn a_missing_nuisance_label_is_the_sign_of_its_margin() {
    let gallery = RandomGallery::new(PICTURES);
    let (classes, text) = (gallery.text(6), gallery.text(7));
    let [classes, nuisances] = [&classes, &text].map(|text| gallery.model.readout.direction(text));
    let images = gallery.images();
    let labels: Vec<(usize, usize)> = images
        .iter()
        .enumerate()
        .map(|(index, image)| (index % 2, usize::from(dot(&image.embedding(), &text) > 0.0)))
        .collect();
    let untold: Vec<_> = labels.iter().map(|(class, _)| (*class, None)).collect();
    let [untold, told] =
        [untold, with_labels(&labels)].map(|labels| gallery.report(&labels, &classes, &nuisances));
    assert_eq!(untold, told);
}
