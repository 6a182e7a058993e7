//! The masks of the first frame propagated forward through the clips, and the masks of the last frame backward.

use headlamp::session::PhotoFeatures;
use headlamp::track::{PropagateOptions, Propagator, SoftMasks};

use crate::clips::Clip;
use crate::{FRAMES, clips, features, j, mean};

/// 22 patches. DAVIS's 480 pixels would be finer and slower.
const SHORT_SIDE: usize = 308;

/// Returns J of each shape in each frame of `order` except the first frame, whose masks are the seed.
fn carried(clip: &Clip, frames: &[PhotoFeatures], order: &[usize]) -> Vec<f64> {
    let mut propagator = Propagator::new(PropagateOptions::default());
    let seed = &frames[order[0]];
    let masks = SoftMasks::of_pixels(&clip.labels[order[0]], &seed.frame);
    propagator.seed(order[0], &seed.features, masks).unwrap();
    let of_frame = |frame: &usize| {
        let masks = propagator.push(&frames[*frame].features).unwrap();
        let labels = masks.labels_in_photo(&frames[*frame].frame);
        [1, 2].map(|shape| j(labels.iter().map(|label| *label == shape), &clip.labels[*frame], shape))
    };
    order[1..].iter().flat_map(of_frame).collect()
}

fn copied(clip: &Clip) -> Vec<f64> {
    let first = &clip.labels[0];
    let of_frame = |frame: usize| {
        [1, 2].map(|shape| j(first.iter().map(|label| *label == shape), &clip.labels[frame], shape))
    };
    (1..FRAMES).flat_map(of_frame).collect()
}

#[test]
fn masks_follow_the_shapes_forward_and_backward() {
    let (mut there, mut back, mut copies) = (Vec::new(), Vec::new(), Vec::new());
    let forwards: Vec<usize> = (0..FRAMES).collect();
    let backwards: Vec<usize> = forwards.iter().rev().copied().collect();
    for clip in clips() {
        let frames = features(&clip.frames, SHORT_SIDE);
        let of_clip = [carried(clip, &frames, &forwards), carried(clip, &frames, &backwards), copied(clip)];
        let [there_j, back_j, copy_j] = of_clip.each_ref().map(|values| mean(values));
        println!("{}: J {there_j:.3}, backwards {back_j:.3}, copying the first mask {copy_j:.3}", clip.name);
        let [one, two, three] = of_clip;
        there.extend(one);
        back.extend(two);
        copies.extend(three);
    }
    let (there, back, copy) = (mean(&there), mean(&back), mean(&copies));
    println!("all: J {there:.3}, backwards {back:.3}, copying the first mask {copy:.3}");
    assert!(there >= 0.8 && there >= copy + 0.2, "J {there}, copying {copy}");
    assert!(back >= 0.8, "backwards J {back}");
}
