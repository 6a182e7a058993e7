//! Learning a projection into a text space: each part compared with NumPy (`tests/reference/align.py`), the
//! gradient compared with finite differences, and the whole on data with a known solution.
#![cfg(not(target_arch = "wasm32"))]

use headlamp::align::contrast::{self, Contrast};
use headlamp::align::retrieval::{self, Recall};
use headlamp::align::ridge::Ridge;
use headlamp::align::split::{self, Shuffle};
use headlamp::align::{AlignError, LearningOptions, Pairs, Projection, learn};
use nalgebra::{DMatrix, DVector};
use test_support::reference::{Fixture, largest_difference};

/// Both sides compute in f64.
const TOLERANCE: f64 = 1e-9;

fn pairs_of(fixture: &Fixture) -> Pairs {
    let (images, captions, pairs) =
        (fixture.values("images"), fixture.values("captions"), fixture.counts("pairs"));
    Pairs {
        images: DMatrix::from_row_slice(24, 6, &images),
        captions: DMatrix::from_row_slice(16, 5, &captions),
        pairs: pairs.chunks(2).map(|pair| (pair[0], pair[1])).collect(),
    }
}

fn rows_first(matrix: &DMatrix<f64>) -> Vec<f64> {
    matrix.transpose().iter().copied().collect()
}

#[test]
fn the_ridge_regression_is_least_squares() {
    let fixture = Fixture::open("align");
    let ridge = Ridge::new(&pairs_of(&fixture)).unwrap();
    for (number, penalty) in fixture.values("penalties").into_iter().enumerate() {
        let Projection { weight, bias } = ridge.solve(penalty);
        assert!(
            largest_difference(&rows_first(&weight), &fixture.values(&format!("weight.{number}"))) < TOLERANCE
        );
        assert!(largest_difference(bias.as_slice(), &fixture.values(&format!("bias.{number}"))) < TOLERANCE);
    }
}

#[test]
fn loss_and_recall_match_numpy() {
    let fixture = Fixture::open("align");
    let pairs = pairs_of(&fixture);
    let projection = Ridge::new(&pairs).unwrap().solve(0.1);
    assert!(largest_difference(&[contrast::loss(&projection, 7.5, &pairs)], &fixture.values("loss")) < TOLERANCE);
    let found = retrieval::retrieval(&projection.embed(&pairs.images), &pairs);
    let numbers = |recall: &Recall| [recall.at.to_vec(), vec![recall.median_rank]].concat();
    assert!(
        largest_difference(&numbers(&found.image_to_text), &fixture.values("image_to_text")) < TOLERANCE,
        "{found:?}"
    );
    assert!(
        largest_difference(&numbers(&found.text_to_image), &fixture.values("text_to_image")) < TOLERANCE,
        "{found:?}"
    );
}

/// Compares every number of the gradient with central differences, for batches with and without shared captions.
#[test]
fn the_gradient_matches_finite_differences() {
    const STEP: f64 = 1e-5;
    let is_near = |found: f64, expected: f64| (found - expected).abs() < 1e-6 * (1.0 + expected.abs());
    let fixture = Fixture::open("align");
    let pairs = pairs_of(&fixture);
    let all: Vec<usize> = (0..pairs.pairs.len()).collect();
    for batch in [&all[..], &all[3..11]] {
        let contrast = Contrast::new(&pairs, batch);
        let projection = Ridge::new(&pairs).unwrap().solve(0.1);
        let scale = 7.5_f64;
        let found = contrast.gradient(&projection, scale);
        let slope = |change: &dyn Fn(&mut Projection, f64)| {
            let at = |step: f64| {
                let mut changed = projection.clone();
                change(&mut changed, step);
                contrast.loss(&changed, scale)
            };
            (at(STEP) - at(-STEP)) / (2.0 * STEP)
        };
        for place in 0..projection.weight.len() {
            let expected = slope(&|changed, step| changed.weight[place] += step);
            assert!(is_near(found.weight[place], expected), "weight {place}: {} {expected}", found.weight[place]);
        }
        for place in 0..projection.bias.len() {
            let expected = slope(&|changed, step| changed.bias[place] += step);
            assert!(is_near(found.bias[place], expected), "bias {place}: {} {expected}", found.bias[place]);
        }
        let at = |step: f64| contrast.loss(&projection, (scale.ln() + step).exp());
        let expected = (at(STEP) - at(-STEP)) / (2.0 * STEP);
        assert!(is_near(found.log_scale, expected), "scale: {} {expected}", found.log_scale);
        assert!(
            found.weight.amax() > 1e-3 && found.log_scale.abs() > 1e-4,
            "the gradient is zero, so the comparison proves nothing"
        );
    }
}

/// Draws random numbers that are close to normal: sums of twelve uniform numbers.
fn noise(random: &mut Shuffle, rows: usize, columns: usize) -> DMatrix<f64> {
    let mut draw = || {
        let places = random.order(1000);
        places[..12].iter().map(|place| *place as f64 / 1000.0 - 0.5).sum::<f64>()
    };
    DMatrix::from_fn(rows, columns, |_row, _column| draw())
}

/// Images that are a linear map of their captions plus noise in every direction. Learning must find the map.
fn hidden_map(count: usize, spread: f64) -> Pairs {
    let mut random = Shuffle::new(5);
    let mut captions = noise(&mut random, count, 4);
    captions.row_iter_mut().for_each(|mut row| row /= row.norm());
    let images = &captions * noise(&mut random, 4, 9) + noise(&mut random, count, 9) * spread;
    Pairs { images, captions, pairs: (0..count).map(|index| (index, index)).collect() }
}

#[test]
fn a_hidden_linear_map_is_recovered() {
    let pairs = hidden_map(240, 0.1);
    let (training, held_out) = split::held_out(240, 0.25, 1);
    let learning = LearningOptions { epochs: 15, batch: 64, ..LearningOptions::default() };
    let mut heard = Vec::new();
    let learned = learn(&pairs.of_images(&training), &learning, |done, of| heard.push((done, of))).unwrap();
    assert!(heard.is_sorted() && heard.len() >= 15, "{heard:?}");
    let held_out = pairs.of_images(&held_out);
    let found = retrieval::retrieval(&learned.projection.embed(&held_out.images), &held_out);
    let chance = retrieval::chance(&held_out);
    assert!(found.image_to_text.at[0] > 0.6, "{found:?}");
    assert!(chance.image_to_text.at[0] < 0.02, "{chance:?}");
    assert!(learned.losses[learned.epochs] <= learned.losses[0], "refining made the held-out loss worse");
    assert!(learned.logit_scale > 1.0 && learned.logit_scale < 100.001);
    assert!(learned.trials.iter().any(|(penalty, _)| *penalty == learned.penalty));
}

#[test]
fn learning_is_deterministic_for_each_seed() {
    let pairs = hidden_map(60, 0.3);
    let of = |seed| {
        learn(&pairs, &LearningOptions { epochs: 3, batch: 16, seed, ..LearningOptions::default() }, |_, _| {})
            .unwrap()
    };
    assert_eq!(of(1).projection, of(1).projection);
    assert_ne!(of(1).losses, of(2).losses);
}

/// The regression does not depend on the scale of the features or on their mean.
#[test]
fn features_may_be_shifted_and_scaled() {
    let pairs = hidden_map(80, 0.3);
    let mut other = pairs.clone();
    other.images *= 40.0;
    let shift = DVector::from_fn(9, |row, _| row as f64 * 3.0 - 5.0).transpose();
    other.images.row_iter_mut().for_each(|mut row| row += &shift);
    let embedded = |pairs: &Pairs| Ridge::new(pairs).unwrap().solve(0.1).embed(&pairs.images);
    assert!((embedded(&pairs) - embedded(&other)).amax() < 1e-9);
}

#[test]
fn unusable_training_data_is_refused() {
    let learning = LearningOptions::default();
    let few = hidden_map(9, 0.1);
    assert!(matches!(learn(&few, &learning, |_, _| {}), Err(AlignError::TooFew(9))));
    let mut same = hidden_map(40, 0.1);
    same.images.fill(1.5);
    assert!(matches!(learn(&same, &learning, |_, _| {}), Err(AlignError::Constant)));
    let mut broken = hidden_map(40, 0.1);
    broken.images[(3, 3)] = f64::NAN;
    assert!(matches!(learn(&broken, &learning, |_, _| {}), Err(AlignError::NotFinite)));
}

#[test]
fn splits_contain_every_index_once() {
    let (rest, held_out) = split::held_out(101, 0.1, 9);
    assert_eq!((rest.len(), held_out.len()), (91, 10));
    let mut all = [rest, held_out].concat();
    all.sort_unstable();
    assert_eq!(all, (0..101).collect::<Vec<_>>());
    let folds = split::folds(23, 5, 4);
    let mut parts: Vec<usize> = folds.iter().flat_map(|(_, part)| part.clone()).collect();
    parts.sort_unstable();
    assert_eq!(parts, (0..23).collect::<Vec<_>>());
    assert!(
        folds.iter().all(|(rest, part)| rest.len() + part.len() == 23 && part.iter().all(|x| !rest.contains(x)))
    );
    let subset = hidden_map(23, 0.1).of_images(&folds[0].1);
    assert_eq!((subset.images.nrows(), subset.captions.nrows()), (folds[0].1.len(), folds[0].1.len()));
}
