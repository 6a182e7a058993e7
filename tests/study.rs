//! The stored data of a video's frames gives the same answers as the model itself, for a tiny model of random
//! weights.
#![cfg(not(target_arch = "wasm32"))]

use std::collections::BTreeMap;

use headlamp::ablate::Ablation;
use headlamp::checkpoint::random_model::RandomWeights;
use headlamp::foreground;
use headlamp::geometry::{PhotoRect, Size};
use headlamp::media::Photo;
use headlamp::protocol::sampling::Sampling;
use headlamp::protocol::video::{PropagationRun, Seed, SeedKind};
use headlamp::session::video::propagation::MaskPropagation;
use headlamp::session::video::study::{self, Study};
use headlamp::session::{Session, Traced};
use headlamp::zero_shot;
use pollster::block_on;

const SEED: u64 = 5;

fn session() -> Session {
    test_support::tiny::session(SEED)
}

/// Draws a bright square on a dark ground. The square moves right with every frame.
fn frame(index: usize) -> Photo {
    let size = Size { width: 128, height: 64 };
    let is_in = |x: usize, y: usize| (16 + 8 * index..48 + 8 * index).contains(&x) && (16..48).contains(&y);
    let pixel = |(y, x): (usize, usize)| if is_in(x, y) { [250, 220, 40] } else { [20, 40 + x as u8 / 4, 60] };
    let pixels = (0..size.height).flat_map(|y| (0..size.width).map(move |x| (y, x)));
    Photo { size, held: size, rgb: pixels.flat_map(pixel).collect() }
}

/// Returns a study of `frames` frames, and their traces.
fn studied(session: &Session, frames: usize) -> (Study, Vec<Traced>) {
    let mut study = Study::new(session, Sampling::default(), Vec::new());
    let mut all = Vec::new();
    for index in 0..frames {
        let (traced, features) =
            block_on(session.trace_with_features(&frame(index), study.sampling.framing)).unwrap();
        study.push(session, index, &traced, &features).unwrap();
        all.push(traced);
    }
    (study, all)
}

fn unit(session: &Session, seed: u64) -> Vec<f32> {
    let mut random = RandomWeights::new(seed);
    zero_shot::normalised(&(0..session.model().config.embedding).map(|_| random.draw()).collect::<Vec<_>>())
}

#[test]
fn stored_frames_score_texts_like_the_model() {
    let session = session();
    let (study, traces) = studied(&session, 3);
    let units = [unit(&session, 1), unit(&session, 2)];
    let texts = ["one".to_owned(), "two".to_owned()];
    let scores = study.scores(&units);
    let readout = &session.model().readout;
    let parts = study.parts(readout, &session.direction(&units[1]));
    for (at, traced) in traces.iter().enumerate() {
        let direct = session.attribute(traced, &texts, &units, &Ablation::default()).unwrap();
        for (text, score) in direct.scores.iter().enumerate() {
            assert!((scores[text * 3 + at] - score).abs() < 1e-6, "frame {at}, text {text}");
        }
        for (layer, heads) in direct.heads.iter().enumerate() {
            for (head, of_texts) in heads.iter().enumerate() {
                let kept = parts[(layer * readout.heads + head) * 3 + at];
                assert!((kept - of_texts[1]).abs() < 1e-5, "frame {at}, head {layer}.{head}: {kept}");
            }
        }
    }
    assert_eq!(study.statistics().images(), 3);
}

#[test]
fn tracks_depend_on_the_chosen_heads_alone() {
    let session = session();
    let (mut study, _) = studied(&session, 3);
    assert_eq!(study.heads.len(), study::OBJECTS);
    let tracks = |study: &Study| study.frames.iter().map(|frame| frame.tracked.tracks.clone()).collect::<Vec<_>>();
    let first = tracks(&study);
    for track in first.iter().flat_map(|tracks| tracks.chunks(study.frames[0].frame.grid().len())) {
        assert!((track.iter().sum::<f32>() - 1.0).abs() < 1e-4, "a track does not sum to 1 over the frame");
    }
    study.retrack(study.heads.clone()).unwrap();
    assert_eq!(tracks(&study), first);
    study.retrack(vec![1]).unwrap();
    assert_ne!(tracks(&study), first);
    assert_eq!(study.frames[2].tracked.objects.len(), 1);
    let before = tracks(&study);
    assert!(study.retrack(vec![99]).is_err());
    assert_eq!((tracks(&study), study.heads.clone()), (before, vec![1]), "a refused request changed the study");
}

#[test]
fn a_region_scores_like_its_patches() {
    let session = session();
    let (study, traces) = studied(&session, 1);
    let decomposition = session.decompose(&traces[0]);
    let text = unit(&session, 3);
    let patches = decomposition.patches(&session.direction(&text));
    let mut random = RandomWeights::new(9);
    let weights: Vec<f32> = patches.iter().map(|_| random.draw()).collect();
    let expected: f64 = patches.iter().zip(&weights).map(|(score, weight)| score * f64::from(*weight)).sum();
    let score = |vector: &[f64]| vector.iter().zip(&text).map(|(a, b)| a * f64::from(*b)).sum::<f64>();
    let found = score(&decomposition.region(&weights));
    assert!((found - expected).abs() < 1e-9, "found {found}, expected {expected}");

    // An object's vector: the sum of its patches minus the same number of times the mean of the other patches.
    let object = study.frames[0].tracked.objects[0];
    let mask = foreground::above_mean(&study.frames[0].tracked.tracks[..patches.len()]);
    let mean = |of: bool| {
        let some: Vec<f64> =
            patches.iter().zip(&mask).filter(|(_, is_in)| **is_in == of).map(|at| *at.0).collect();
        (some.iter().sum::<f64>() / some.len() as f64, some.len() as f64)
    };
    let ((inside, count), (outside, _)) = (mean(true), mean(false));
    let vector = study.object_vector(&session, &traces[0], 0, object).unwrap();
    assert!((score(&vector) - count * (inside - outside)).abs() < 1e-9);
    let texts: Vec<f32> = (0..5).flat_map(|seed| unit(&session, seed)).collect();
    let best = study::best_texts(&vector, &texts, 5);
    assert_eq!(best.len(), 5);
    assert!(best.windows(2).all(|pair| pair[0].1 >= pair[1].1));
    assert!(best.iter().any(|(text, found)| *text == 3 && (f64::from(*found) - score(&vector)).abs() < 1e-5));
}

fn seed(frame: usize, object: u32, kind: SeedKind) -> Seed {
    Seed { frame, object, kind }
}

fn left_half() -> SeedKind {
    SeedKind::Box(PhotoRect { left: 0.0, top: 0.0, width: 64.0, height: 64.0 })
}

#[test]
fn a_correction_changes_only_its_object() {
    let session = session();
    let featured = block_on(study::fine_features(&session, &frame(0), 64)).unwrap();
    let still = (featured.frame, &featured.features);
    let scores = BTreeMap::new();
    let mut propagation = MaskPropagation::default();
    let point = SeedKind::Point { x: 100.0, y: 60.0 };
    let mut run =
        PropagationRun { number: 1, seeds: vec![seed(0, 1, left_half()), seed(0, 2, point)], short_side: 64 };
    let first = propagation.step(&run, 0, still, &scores).unwrap().patch_labels();
    assert!(first.contains(&1) && first.contains(&2), "an object has no patches: {first:?}");
    let second = propagation.step(&run, 1, still, &scores).unwrap().patch_labels();
    assert_eq!(second, first);

    // Starts again. Object 2 has a new seed on frame 1.
    run.number = 2;
    run.seeds.push(seed(1, 2, SeedKind::Phrase("the last patch".to_owned())));
    let mut only_last = vec![-1.0; first.len()];
    *only_last.last_mut().unwrap() = 1.0;
    let scores = BTreeMap::from([("the last patch".to_owned(), only_last)]);
    assert_eq!(propagation.step(&run, 0, still, &scores).unwrap().patch_labels(), first);
    let corrected = propagation.step(&run, 1, still, &scores).unwrap().patch_labels();
    assert_eq!(corrected.iter().filter(|label| **label == 2).count(), 1);
    assert_eq!(corrected.last(), Some(&2));
    let of_one = |labels: &[u8]| labels.iter().map(|label| *label == 1).collect::<Vec<_>>();
    assert_eq!(of_one(&corrected)[..first.len() - 1], of_one(&first)[..first.len() - 1]);
}

#[test]
fn a_run_needs_a_seed_and_stores_tokens_by_resolution() {
    let session = session();
    let featured = block_on(study::fine_features(&session, &frame(0), 64)).unwrap();
    let mut propagation = MaskPropagation::default();
    let run = PropagationRun { number: 1, seeds: vec![seed(3, 1, left_half())], short_side: 64 };
    assert!(propagation.step(&run, 0, (featured.frame, &featured.features), &BTreeMap::new()).is_err());
    propagation.store_features(64, 0, featured.frame, &featured.features);
    let (frame, kept) = propagation.stored_features(64, 0).unwrap();
    assert_eq!((frame, kept.grid), (featured.frame, featured.features.grid));
    assert!(propagation.stored_features(96, 0).is_none() && propagation.stored_features(64, 1).is_none());
    propagation.store_features(96, 5, featured.frame, &featured.features);
    assert!(propagation.stored_features(64, 0).is_none(), "only one resolution is kept at a time");
}
