//! Tracks of the shapes, compared with single heads and with the mean attention.

use headlamp::foreground;
use headlamp::session::PhotoFeatures;
use headlamp::track::prototypes::concentrated_heads;
use headlamp::track::{Refinement, Tracker};

use crate::clips::Clip;
use crate::{clips, features, j, mean};

/// The model's own input size.
const SHORT_SIDE: usize = 224;

/// Returns the mean over the shapes of the best map's J. A map keeps its index through the clip.
fn best(clip: &Clip, frames: &[PhotoFeatures], maps: &[Vec<Vec<f32>>]) -> f64 {
    let of_map = |map: usize, shape: u8| {
        let of_frame = |frame: usize| {
            let mask = foreground::in_photo(&foreground::above_mean(&maps[frame][map]), &frames[frame].frame);
            j(mask.into_iter(), &clip.labels[frame], shape)
        };
        mean(&(0..frames.len()).map(of_frame).collect::<Vec<_>>())
    };
    let of_shape = |shape| (0..maps[0].len()).map(|map| of_map(map, shape)).fold(0.0, f64::max);
    mean(&[of_shape(1), of_shape(2)])
}

fn tracked(frames: &[PhotoFeatures], refinement: Refinement) -> (Vec<Vec<Vec<f32>>>, Refinement) {
    let mut tracker = Tracker::new(concentrated_heads(&frames[0].features, 3)).with_refinement(refinement);
    let mut push = |frame: &PhotoFeatures| {
        let tracked = tracker.push(&frame.features).unwrap();
        assert!(!tracked.is_cut, "a cut was detected within a scene");
        tracked.tracks.chunks(frame.features.grid.len()).map(<[f32]>::to_vec).collect()
    };
    (frames.iter().map(&mut push).collect(), tracker.refinement())
}

#[test]
fn the_best_track_fits_a_shape_better_than_attention() {
    let mut all = [const { Vec::new() }; 5];
    for clip in clips() {
        let frames = features(&clip.frames, SHORT_SIDE);
        let attention = |frame: &PhotoFeatures| vec![frame.features.mean_attention()];
        let heads = |frame: &PhotoFeatures| {
            (0..frame.features.heads).map(|head| frame.features.attention(head).to_vec()).collect()
        };
        let [(auto, chosen), (refined, _), (unrefined, _)] =
            [Refinement::Auto, Refinement::Sinkhorn, Refinement::Off]
                .map(|refinement| tracked(&frames, refinement));
        let maps =
            [frames.iter().map(attention).collect(), frames.iter().map(heads).collect(), auto, refined, unrefined];
        let of_clip = maps.map(|maps: Vec<Vec<Vec<f32>>>| best(clip, &frames, &maps));
        let [mean_attention, raw, auto, refined, unrefined] = of_clip;
        println!(
            "{}: mean attention {mean_attention:.3}, best raw head {raw:.3}, best track {auto:.3} ({chosen:?}), \
             refined {refined:.3}, unrefined {unrefined:.3}",
            clip.name
        );
        all.iter_mut().zip(of_clip).for_each(|(all, value)| all.push(value));
    }
    let [mean_attention, raw, auto, refined, unrefined] = all.map(|values| mean(&values));
    println!(
        "all: mean attention {mean_attention:.3}, best raw head {raw:.3}, best track {auto:.3}, refined {refined:.3}, \
         unrefined {unrefined:.3}"
    );
    assert!(auto > mean_attention, "the best track {auto}, the mean attention {mean_attention}");
}
