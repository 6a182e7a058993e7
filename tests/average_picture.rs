//! An average picture: the mean contributions in a session's answers, and the differences from them. A tiny model of
//! random weights looks at random pictures.
#![cfg(not(target_arch = "wasm32"))]

use headlamp::ablate::Ablation;
use headlamp::checkpoint::random_model::RandomWeights;
use headlamp::geometry::{Framing, Size};
use headlamp::media::Photo;
use headlamp::protocol::{Attribution, MeanAttribution};
use headlamp::session::{Session, Traced};
use headlamp::zero_shot;
use pollster::block_on;

const PICTURES: u64 = 6;

/// A session whose statistics are those of the traced pictures, and some texts.
struct Case {
    session: Session,
    traces: Vec<Traced>,
    texts: Vec<String>,
    units: Vec<Vec<f32>>,
}

impl Case {
    fn new(seed: u64) -> Self {
        let mut session = test_support::tiny::session(seed);
        let traces: Vec<Traced> = (0..PICTURES).map(|picture| traced(&session, 100 * seed + picture)).collect();
        let mut statistics = session.new_statistics();
        traces.iter().for_each(|traced| statistics.push(&session.decompose(traced)));
        session.use_statistics(Some(statistics));
        let units = [1, 2, 3].map(|text| unit(&session, 10 * seed + text)).to_vec();
        Self { session, traces, texts: ["one", "two", "three"].map(str::to_owned).to_vec(), units }
    }

    fn attribute(&self, traced: &Traced, ablation: &Ablation) -> Attribution {
        self.session.attribute(traced, &self.texts, &self.units, ablation).unwrap()
    }
}

fn traced(session: &Session, seed: u64) -> Traced {
    let size = Size { width: 64, height: 64 };
    let mut random = RandomWeights::new(seed);
    let rgb = (0..3 * size.width * size.height).map(|_| (128.0 + 60.0 * random.draw()) as u8).collect();
    block_on(session.trace(&Photo { size, held: size, rgb }, Framing::CentreCrop)).unwrap()
}

fn unit(session: &Session, seed: u64) -> Vec<f32> {
    let mut random = RandomWeights::new(seed);
    zero_shot::normalised(&(0..session.model().config.embedding).map(|_| random.draw()).collect::<Vec<_>>())
}

/// Returns the parts of one text in one list: heads, MLPs, z0.
fn parts(heads: &[Vec<Vec<f32>>], mlps: &[Vec<f32>], embedding: &[f32], text: usize) -> Vec<f64> {
    let all = heads.iter().flatten().chain(mlps).map(|texts| texts[text]).chain([embedding[text]]);
    all.map(f64::from).collect()
}

fn own(found: &Attribution, text: usize) -> Vec<f64> {
    parts(&found.heads, &found.mlps, &found.embedding, text)
}

fn mean(found: &Attribution, text: usize) -> Vec<f64> {
    let MeanAttribution { heads, mlps, embedding } = found.means.as_ref().expect("there are statistics");
    parts(heads, mlps, embedding, text)
}

/// The means come from the codes of the statistics, the pictures' parts from attention and values.
#[test]
fn the_means_are_those_of_the_pictures() {
    for seed in 1..4 {
        let case = Case::new(seed);
        let all: Vec<Attribution> =
            case.traces.iter().map(|traced| case.attribute(traced, &Ablation::default())).collect();
        for text in 0..case.texts.len() {
            let found = mean(&all[0], text);
            for (component, found) in found.iter().enumerate() {
                let sum: f64 = all.iter().map(|picture| own(picture, text)[component]).sum();
                let expected = sum / PICTURES as f64;
                assert!((found - expected).abs() < 1e-6, "component {component}: {found} {expected}");
            }
            assert_eq!(found, mean(&all[1], text), "the means depend on the picture");
        }
    }
}

#[test]
fn differences_and_average_picture_sum_to_the_score() {
    for seed in 1..4 {
        let case = Case::new(seed);
        let new = traced(&case.session, 999);
        for traced in case.traces.iter().chain([&new]) {
            let found = case.attribute(traced, &Ablation::default());
            for text in 0..case.texts.len() {
                let (own, mean) = (own(&found, text), mean(&found, text));
                let differences: f64 = own.iter().zip(&mean).map(|(own, mean)| own - mean).sum();
                let average: f64 = mean.iter().sum();
                let score = f64::from(found.scores[text]);
                // The parts are rounded to f32. The score is the cosine with the embedding of the device.
                assert!((differences + average - score).abs() < 1e-5, "{differences} {average} {score}");
            }
        }
    }
}

#[test]
fn an_ablated_component_differs_from_its_mean_by_nothing() {
    let case = Case::new(1);
    let ablation = Ablation { heads: [(1, 2)].into(), mlps: [0].into(), embedding: true, ..Ablation::default() };
    let (before, after) =
        (case.attribute(&case.traces[0], &Ablation::default()), case.attribute(&case.traces[0], &ablation));
    assert_eq!(before.means, after.means, "the means depend on the ablation");
    let means = after.means.unwrap();
    assert_eq!(after.heads[1][2], means.heads[1][2]);
    assert_eq!(after.mlps[0], means.mlps[0]);
    assert_eq!(after.embedding, means.embedding);
    assert_ne!(after.heads[1][1], means.heads[1][1], "another head is as in the picture");
    let without = test_support::tiny::session(1);
    let found = without.attribute(&traced(&without, 5), &case.texts, &case.units, &Ablation::default()).unwrap();
    assert_eq!(found.means, None, "without statistics there are no means");
    assert!(without.attribute(&traced(&without, 5), &case.texts, &case.units, &ablation).is_err());
}

#[test]
fn the_map_of_several_heads_is_the_sum_of_their_maps() {
    let case = Case::new(2);
    let (session, traced, text) = (&case.session, &case.traces[3], Some(&case.units[0][..]));
    let heads = [(0, 1), (1, 2), (2, 0)];
    let together = session.map_heads(traced, &heads, text).unwrap();
    let each = heads.map(|head| session.map_heads(traced, &[head], text).unwrap());
    for (patch, together) in together.iter().enumerate() {
        let sum: f32 = each.iter().map(|map| map[patch]).sum();
        assert!((together - sum).abs() < 1e-6, "patch {patch}: {together} {sum}");
    }
    assert!(together.iter().any(|value| value.abs() > 1e-4), "the map is empty");
    let attention = session.map_heads(traced, &heads, None).unwrap();
    let each = heads.map(|head| session.map_heads(traced, &[head], None).unwrap());
    for (patch, attention) in attention.iter().enumerate() {
        let mean = each.iter().map(|map| map[patch]).sum::<f32>() / heads.len() as f32;
        assert!((attention - mean).abs() < 1e-6, "patch {patch}: {attention} {mean}");
    }
    assert!(session.map_heads(traced, &[(0, 1), (9, 9)], text).is_err(), "there is no head 9.9");
}
