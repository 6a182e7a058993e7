//! Masks propagated through frames, and labels in the photo.

use headlamp::geometry::{CropFromPhoto, Size};
use headlamp::track::{Features, PropagateOptions, Propagator, SoftMasks, TrackError};

use crate::{TOLERANCE, grid_of, narrow, wide};
use test_support::reference::{Fixture, largest_difference};

const FRAMES: usize = 5;

fn frame_of(fixture: &Fixture) -> CropFromPhoto {
    let (grid, sides) = (grid_of(fixture, "propagation"), fixture.counts("propagation.photo"));
    let patch = fixture.counts("propagation.patch")[0];
    let crop = Size { width: grid.columns * patch, height: grid.rows * patch };
    CropFromPhoto {
        photo: Size { width: sides[0], height: sides[1] },
        resized: crop,
        left: 0,
        top: 0,
        crop,
        patch,
    }
}

/// Returns features that have only tokens.
pub fn of_tokens(tokens: Vec<f32>, grid: headlamp::geometry::Grid) -> Features {
    let width = tokens.len() / grid.len();
    let (cls_attention, queries, keys) = (vec![0.0; grid.len()], vec![0.0; tokens.len()], vec![0.0; tokens.len()]);
    Features { grid, width, heads: 1, cls_attention, queries, keys, tokens }
}

fn frames(fixture: &Fixture) -> Vec<Features> {
    let tokens = |frame| narrow(&fixture.values(&format!("propagation.{frame}.tokens")));
    (0..FRAMES).map(|frame| of_tokens(tokens(frame), grid_of(fixture, "propagation"))).collect()
}

fn options(fixture: &Fixture, name: &str) -> PropagateOptions {
    let numbers = fixture.counts(&format!("propagation.{name}.options"));
    PropagateOptions { recent: numbers[0], radius: numbers[1], top: numbers[2], ..PropagateOptions::default() }
}

fn first_masks(fixture: &Fixture) -> SoftMasks {
    let labels: Vec<u8> = fixture.counts("propagation.first").iter().map(|label| *label as u8).collect();
    SoftMasks::of_pixels(&labels, &frame_of(fixture))
}

#[test]
fn propagated_masks_match_the_reference() {
    let fixture = Fixture::open("track");
    let (frames, seed) = (frames(&fixture), first_masks(&fixture));
    for name in ["narrow", "wide"] {
        let expected = fixture.values(&format!("propagation.{name}.masks"));
        let labels = fixture.counts(&format!("propagation.{name}.labels"));
        let photo = frame_of(&fixture).photo;
        let mut propagator = Propagator::new(options(&fixture, name));
        propagator.seed(0, &frames[0], seed.clone()).unwrap();
        for (frame, expected) in (1..FRAMES).zip(expected.chunks(seed.values.len())) {
            let masks = propagator.push(&frames[frame]).unwrap();
            let off = largest_difference(&wide(&masks.values), expected);
            assert!(off < TOLERANCE, "{name}, frame {frame}: {off}");
            let found: Vec<usize> =
                masks.labels_in_photo(&frame_of(&fixture)).into_iter().map(usize::from).collect();
            let expected = &labels[(frame - 1) * photo.width * photo.height..][..found.len()];
            assert_eq!(found, expected, "{name}, frame {frame}");
        }
    }
}

#[test]
fn masks_stay_in_place_on_a_still_picture() {
    let fixture = Fixture::open("track");
    let (frames, seed) = (frames(&fixture), first_masks(&fixture));
    let mut propagator = Propagator::new(PropagateOptions { top: 1, ..PropagateOptions::default() });
    propagator.seed(0, &frames[0], seed.clone()).unwrap();
    for _frame in 0..12 {
        assert_eq!(propagator.push(&frames[0]).unwrap(), seed);
    }
    // With more matches a mask becomes softer, but every patch keeps its label.
    let mut propagator = Propagator::new(PropagateOptions::default());
    propagator.seed(0, &frames[0], seed.clone()).unwrap();
    for _frame in 0..12 {
        assert_eq!(propagator.push(&frames[0]).unwrap().patch_labels(), seed.patch_labels());
    }
}

#[test]
fn channels_of_a_patch_sum_to_one() {
    let fixture = Fixture::open("track");
    let frames = frames(&fixture);
    let mut propagator = Propagator::new(PropagateOptions::default());
    propagator.seed(0, &frames[0], first_masks(&fixture)).unwrap();
    for frame in &frames[1..] {
        let masks = propagator.push(frame).unwrap();
        for patch in 0..frame.grid.len() {
            let sum: f32 = (0..masks.channels).map(|channel| masks.channel(channel)[patch]).sum();
            assert!((sum - 1.0).abs() < 1e-5, "patch {patch}: {sum}");
        }
    }
}

/// If the objects change their order, the masks change their order and nothing else.
#[test]
fn the_order_of_objects_does_not_matter() {
    let fixture = Fixture::open("track");
    let (frames, seed) = (frames(&fixture), first_masks(&fixture));
    let swapped: Vec<u8> = seed.patch_labels().iter().map(|label| [0, 2, 1][usize::from(*label)]).collect();
    let run = |seed: SoftMasks| {
        let mut propagator = Propagator::new(PropagateOptions::default());
        propagator.seed(0, &frames[0], seed).unwrap();
        frames[1..].iter().map(|frame| propagator.push(frame).unwrap()).next_back().unwrap()
    };
    let (there, back) = (run(seed.clone()), run(SoftMasks::one_hot(seed.grid, &swapped)));
    for (channel, other) in [(0, 0), (1, 2), (2, 1)] {
        assert_eq!(there.channel(channel), back.channel(other));
    }
}

/// A correction applies from its frame on. It may add an object.
#[test]
fn a_later_seed_corrects_the_mask() {
    let fixture = Fixture::open("track");
    let (frames, seed) = (frames(&fixture), first_masks(&fixture));
    let mut propagator = Propagator::new(PropagateOptions::default());
    propagator.seed(0, &frames[0], seed).unwrap();
    let second = propagator.push(&frames[1]).unwrap();
    let corner: Vec<bool> = (0..second.grid.len()).map(|patch| patch == second.grid.len() - 9).collect();
    let corrected = second.clone().with_object(3, &corner);
    assert_eq!(corrected.channels, 4);
    propagator.seed(1, &frames[1], corrected.clone()).unwrap();
    // The same frame again.
    let again = propagator.push(&frames[1]).unwrap();
    let labels = again.patch_labels();
    assert_eq!(labels[second.grid.len() - 9], 3);
    assert_eq!(again.channels, 4);
    // A seed of the same frame replaces the earlier seed.
    propagator.seed(1, &frames[1], second).unwrap();
    assert_eq!(propagator.push(&frames[1]).unwrap().channels, 3);
}

#[test]
fn inconsistent_inputs_are_refused() {
    let fixture = Fixture::open("track");
    let (frames, seed) = (frames(&fixture), first_masks(&fixture));
    let mut propagator = Propagator::new(PropagateOptions::default());
    assert_eq!(propagator.push(&frames[0]), Err(TrackError::NoSeed));
    propagator.seed(0, &frames[0], seed.clone()).unwrap();
    let turned = headlamp::geometry::Grid { rows: seed.grid.columns, columns: seed.grid.rows };
    let other = of_tokens(frames[0].tokens.clone(), turned);
    assert_eq!(propagator.push(&other), Err(TrackError::OtherGrid { found: turned, expected: seed.grid }));
    assert!(propagator.seed(1, &frames[0], SoftMasks { grid: turned, ..seed.clone() }).is_err());
    let narrow = of_tokens(vec![1.0; seed.grid.len() * 3], seed.grid);
    assert_eq!(propagator.push(&narrow), Err(TrackError::OtherModel { found: 3, expected: frames[0].width }));
}
