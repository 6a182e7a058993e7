//! Properties of any features.

use headlamp::checkpoint::random_model::RandomWeights;
use headlamp::foreground;
use headlamp::geometry::Grid;
use headlamp::track::prototypes::{Prototypes, concentrated_heads};
use headlamp::track::seeds::{self, PatchBox};
use headlamp::track::{Features, ObjectId, Refinement, TrackError, Tracker};

use crate::wide;
use test_support::reference::largest_difference;

const WIDTH: usize = 24;
const HEADS: usize = 6;

/// Returns the features of the scene with the number `seed`, with noise of strength `disturbed`. The scene has
/// objects of two kinds.
fn features(grid: Grid, seed: u64, disturbed: f32) -> Features {
    let mut scene = RandomWeights::new(seed);
    let mut vector = |_kind| -> Vec<f32> { (0..WIDTH).map(|_| scene.draw()).collect() };
    let kinds: Vec<[Vec<f32>; 3]> = (0..3).map(|kind| [vector(kind), vector(kind), vector(kind)]).collect();
    let mut noise = RandomWeights::new(seed * 31 + (disturbed * 1000.0) as u64);
    let kind = |patch: usize| {
        let (row, column) = (patch / grid.columns, patch % grid.columns);
        if row < grid.rows / 3 && column < grid.columns / 2 {
            1
        } else {
            2 * usize::from(row > grid.rows / 2 && column > grid.columns / 2)
        }
    };
    let mut part = |part: usize| -> Vec<f32> {
        (0..grid.len())
            .flat_map(|patch| {
                kinds[kind(patch)][part].iter().map(|value| value + disturbed * noise.draw()).collect::<Vec<_>>()
            })
            .collect()
    };
    let (queries, keys, tokens) = (part(0), part(1), part(2));
    let cls_attention = (0..HEADS)
        .flat_map(|head| {
            let attends = (0..grid.len()).map(move |patch| if kind(patch) == head % 3 { 4.0 } else { 1.0 });
            let sum: f32 = attends.clone().sum();
            attends.map(move |value| value / sum).collect::<Vec<f32>>()
        })
        .collect();
    Features { grid, width: WIDTH, heads: HEADS, cls_attention, queries, keys, tokens }
}

#[test]
fn tracks_sum_to_one_for_any_grid_and_heads() {
    for (rows, columns) in [(1, 1), (1, 7), (14, 14), (30, 52)] {
        let features = features(Grid { rows, columns }, 3, 0.2);
        for heads in [vec![2], vec![0, 1, 2], (0..HEADS).collect(), vec![1, 1]] {
            for refinement in [Refinement::Sinkhorn, Refinement::Off, Refinement::Auto] {
                let mut tracker = Tracker::new(heads.clone()).with_refinement(refinement);
                let tracked = tracker.push(&features).unwrap();
                for track in tracked.tracks.chunks(rows * columns) {
                    let sum: f32 = track.iter().sum();
                    assert!((sum - 1.0).abs() < 1e-4, "{rows} x {columns}, {heads:?}: {sum}");
                }
            }
        }
    }
}

/// Splits every patch into four of the same features: the track stays the same, spread over four times as many
/// patches.
#[test]
fn the_sharpness_of_a_track_ignores_the_grid_size() {
    let grid = Grid { rows: 7, columns: 8 };
    let coarse = features(grid, 5, 0.3);
    let source = |patch: usize| (patch / 16 / 2) * grid.columns + patch % 16 / 2;
    let finer = |values: &[f32], width: usize| -> Vec<f32> {
        (0..4 * grid.len()).flat_map(|patch| values[source(patch) * width..][..width].to_vec()).collect()
    };
    let attention = coarse.cls_attention.chunks(grid.len());
    let fine = Features {
        grid: Grid { rows: 14, columns: 16 },
        cls_attention: attention.flat_map(|head| finer(head, 1).into_iter().map(|value| value / 4.0)).collect(),
        queries: finer(&coarse.queries, WIDTH),
        keys: finer(&coarse.keys, WIDTH),
        tokens: finer(&coarse.tokens, WIDTH),
        ..coarse
    };
    for heads in [vec![0, 1, 2], vec![4, 1]] {
        let track = |features: &Features| {
            let mut tracker = Tracker::new(heads.clone()).with_refinement(Refinement::Sinkhorn);
            tracker.push(features).unwrap().tracks
        };
        let expected = track(&coarse).chunks(grid.len()).flat_map(|track| finer(track, 1)).collect::<Vec<f32>>();
        let found: Vec<f64> = wide(&track(&fine)).into_iter().map(|value| 4.0 * value).collect();
        assert!(largest_difference(&found, &wide(&expected)) < 1e-4);
    }
}

#[test]
fn objects_keep_their_numbers_across_a_cut() {
    let grid = Grid { rows: 9, columns: 12 };
    let mut tracker = Tracker::new(vec![1, 2]).with_refinement(Refinement::Off);
    let mut push = |seed, disturbed| tracker.push(&features(grid, seed, disturbed)).unwrap();
    let first = push(3, 0.1);
    assert!(!first.is_cut && !push(3, 0.12).is_cut && !push(3, 0.14).is_cut);
    let other = push(8, 0.1);
    assert!(other.is_cut, "another scene was not detected as a cut");
    assert!(other.objects.iter().all(|object| !first.objects.contains(object)), "{:?}", other.objects);
    assert!(!push(8, 0.12).is_cut);
    let back = push(3, 0.16);
    assert!(back.is_cut && back.objects == first.objects, "{:?}", back.objects);
    assert_eq!(first.objects, [ObjectId(0), ObjectId(1)]);
}

/// If keys, queries and tokens share one space, refined tracks lie where their heads look.
#[test]
fn refinement_is_kept_only_if_the_model_supports_it() {
    let grid = Grid { rows: 9, columns: 12 };
    let apart = features(grid, 4, 0.1);
    let long = |tokens: &[f32]| tokens.iter().map(|value| value * 0.3).collect::<Vec<f32>>();
    let together = Features { queries: apart.tokens.clone(), keys: long(&apart.tokens), ..apart.clone() };
    assert_eq!(Refinement::Auto.in_frame(&together, &[0, 1, 2]), Ok(Refinement::Sinkhorn));
    let opposed = Features { keys: apart.tokens.iter().map(|value| -value).collect(), ..together };
    assert_eq!(Refinement::Auto.in_frame(&opposed, &[0, 1, 2]), Ok(Refinement::Off));
    assert_eq!(Refinement::Sinkhorn.in_frame(&opposed, &[0]), Ok(Refinement::Sinkhorn));
}

#[test]
fn missing_heads_are_refused() {
    let features = features(Grid { rows: 3, columns: 3 }, 1, 0.1);
    let push = |heads: Vec<usize>| Tracker::new(heads).push(&features).unwrap_err();
    assert_eq!(push(vec![]), TrackError::NoHeads);
    assert_eq!(push(vec![0, 6]), TrackError::NoHead { head: 6, heads: HEADS });
    assert!(Prototypes::of_heads(&features, &[]).is_empty());
}

#[test]
fn the_most_concentrated_heads_come_first() {
    let mut features = features(Grid { rows: 2, columns: 2 }, 1, 0.1);
    features.heads = 3;
    features.cls_attention = vec![0.25, 0.25, 0.25, 0.25, 0.0, 0.9, 0.0, 0.0, 0.1, 0.1, 0.1, 0.4];
    assert_eq!(concentrated_heads(&features, 1), [1]);
    assert_eq!(concentrated_heads(&features, 2), [1, 2]);
    assert_eq!(concentrated_heads(&features, 9), [0, 1, 2]);
    assert_eq!(foreground::above_mean(features.attention(1)), [false, true, false, false]);
}

#[test]
fn a_point_or_a_box_selects_the_object_below_it() {
    let grid = Grid { rows: 9, columns: 12 };
    let features = features(grid, 6, 0.2);
    // The first object is the upper half of the left third.
    let object: Vec<bool> =
        (0..grid.len()).map(|patch| patch / grid.columns < 3 && patch % grid.columns < 6).collect();
    assert_eq!(seeds::at_point(&features, grid.columns + 2), object);
    let patch_box = PatchBox { rows: 0..5, columns: 0..8 };
    assert_eq!(seeds::in_box(&features, &patch_box), object);
    // The surroundings are also an object. They end where the objects begin.
    let around = seeds::at_point(&features, 5 * grid.columns);
    assert!(around.iter().zip(&object).all(|(around, object)| !(*around && *object)));
    let everything = PatchBox { rows: 0..9, columns: 0..12 };
    assert!(seeds::in_box(&features, &everything).contains(&true));
}
