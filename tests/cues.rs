//! Spurious cues over a labelled gallery, from imprints, held against the same sums over whole embeddings.
#![cfg(not(target_arch = "wasm32"))]

use burn::tensor::Device;
use headlamp::ablate::{Ablation, MeanContributions};
use headlamp::checkpoint::random::{self, RandomWeights};
use headlamp::checkpoint::{PackWriter, Quantisation, pack};
use headlamp::decompose::{Decomposition, Direction};
use headlamp::engine::cues::message::{CueOutcome, CueReport};
use headlamp::engine::cues::{Seen, find};
use headlamp::geometry::Size;
use headlamp::model::{Crop, Model, Trace};
use headlamp::retrieve::Imprint;
use headlamp::statistics::Statistics;
use headlamp::zero_shot::{dot, normalised};

const PICTURES: usize = 24;
/// The head whose part in the margin gives the pictures their nuisance.
const PLANTED: (usize, usize) = (2, 1);

struct Gallery {
    model: Model,
    traces: Vec<Trace>,
}

impl Gallery {
    fn new() -> Self {
        let manifest = random::manifest(5, Quantisation::F32);
        let mut writer = PackWriter::new(&manifest.model, &mut RandomWeights::new(5), Quantisation::F32).unwrap();
        writer.add(pack::TOKENIZER, Vec::new());
        let mut pack = writer.finish(manifest).unwrap();
        let mut weights = pack.weights().unwrap();
        let model = Model::load(pack.manifest.model, &mut weights, &Device::flex()).unwrap();
        let side = model.config.vision.image_size;
        let trace = |seed: usize| {
            let mut random = RandomWeights::new(100 + seed as u64);
            let values = (0..3 * side * side).map(|_index| 1.5 * random.next()).collect();
            let crop = Crop { size: Size { width: side, height: side }, values };
            pollster::block_on(model.vision.trace(&crop)).unwrap()
        };
        let traces = (0..PICTURES).map(trace).collect();
        Self { model, traces }
    }

    fn images(&self) -> Vec<Decomposition<'_>> {
        self.traces.iter().map(|trace| Decomposition::new(&self.model.readout, trace)).collect()
    }

    fn statistics(&self) -> Statistics {
        let mut statistics = Statistics::new(&self.model.readout, "");
        self.images().iter().for_each(|image| statistics.push(image));
        statistics
    }

    fn text(&self, seed: u64) -> Vec<f32> {
        let mut random = RandomWeights::new(seed);
        normalised(&(0..self.model.readout.embedding).map(|_index| random.next()).collect::<Vec<_>>())
    }

    fn report(&self, labels: &[(usize, Option<usize>)], classes: &Direction, nuisances: &Direction) -> CueReport {
        let readout = &self.model.readout;
        let images = self.images();
        let seen = images
            .iter()
            .zip(labels)
            .map(|(image, labels)| Seen::new(readout, &Imprint::of(image, readout), *labels, classes, nuisances));
        find(readout, &self.statistics(), classes, seen.collect())
    }

    /// Each picture's class, alternating, and nuisance: whether the planted head's part is in the upper half.
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

fn told(labels: &[(usize, usize)]) -> Vec<(usize, Option<usize>)> {
    labels.iter().map(|(class, nuisance)| (*class, Some(*nuisance))).collect()
}

/// Mean over the pictures of a class and a nuisance.
fn mean_of(values: &[f64], labels: &[(usize, usize)], group: (usize, usize)) -> f64 {
    let of: Vec<f64> =
        values.iter().zip(labels).filter(|(_, label)| **label == group).map(|(value, _)| *value).collect();
    of.iter().sum::<f64>() / of.len() as f64
}

#[test]
fn heads_follow_the_nuisance_by_the_difference_of_their_groups_means() {
    let gallery = Gallery::new();
    let (classes, nuisances) = (gallery.text(1), gallery.text(2));
    let [classes, nuisances] = [&classes, &nuisances].map(|text| gallery.model.readout.direction(text));
    let labels = gallery.labels(&classes);
    let report = gallery.report(&told(&labels), &classes, &nuisances);
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
    assert!(sign * planted.nuisance > planted.class.abs(), "the planted head follows it: {planted:?}");
}

#[test]
fn outcomes_are_what_the_shifted_embeddings_are_classified_as() {
    let gallery = Gallery::new();
    let (text, nuisances) = (gallery.text(3), gallery.text(4));
    let [classes, nuisances] = [&text, &nuisances].map(|text| gallery.model.readout.direction(text));
    let labels = gallery.labels(&classes);
    let report = gallery.report(&told(&labels), &classes, &nuisances);
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
    // No other number of leading heads would do better by the worst group.
    let proposed = rank(&accuracies(&report.outcomes[1].ablation));
    let following = report.heads.iter().filter(|head| head.nuisance > head.class.abs()).take(8);
    let mut heads = std::collections::BTreeSet::new();
    for head in following {
        heads.insert((head.layer, head.head));
        let other = rank(&accuracies(&Ablation { heads: heads.clone(), ..Ablation::default() }));
        assert!(other.0 <= proposed.0, "{heads:?}: {other:?} {proposed:?}");
    }
}

/// Without labels for it, the nuisance is what its own phrases say.
#[test]
fn an_untold_nuisance_is_the_sign_of_its_own_margin() {
    let gallery = Gallery::new();
    let (classes, text) = (gallery.text(6), gallery.text(7));
    let [classes, nuisances] = [&classes, &text].map(|text| gallery.model.readout.direction(text));
    let images = gallery.images();
    let labels: Vec<(usize, usize)> = images
        .iter()
        .enumerate()
        .map(|(index, image)| (index % 2, usize::from(dot(&image.embedding(), &text) > 0.0)))
        .collect();
    let untold: Vec<_> = labels.iter().map(|(class, _)| (*class, None)).collect();
    let [untold, told] = [untold, told(&labels)].map(|labels| gallery.report(&labels, &classes, &nuisances));
    assert_eq!(untold, told);
}
