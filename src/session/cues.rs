//! Heads that follow a nuisance, and the accuracy of the worst group without them (docs/PAPERS.md, 1.12).
//! The codes of the pictures and the means suffice: the model does not run again.

use crate::ablate::{Ablation, LATE_LAYERS, MeanParts};
use crate::decompose::{Direction, Parts, Readout};
use crate::protocol::cues::{CueHead, CueOutcome, CueReport};
use crate::retrieve::PictureCodes;
use crate::spurious::{Group, GroupCounts, MarginShift, Margins};
use crate::statistics::Statistics;

/// The largest number of proposed heads; the paper's own lists have 7 to 15.
const PROPOSED: usize = 8;

/// The margins of a labelled picture, computed from its codes.
pub struct PictureMargins {
    group: Group,
    /// The margin between the classes, by component.
    classes: Parts,
    /// The margin between the nuisances, by head.
    nuisances: Vec<f32>,
}

impl PictureMargins {
    /// Computes the margins. `classes` and `nuisances` are the directions of the difference: second prompt minus first.
    /// If the picture's nuisance is not labelled, the sign of its nuisance margin decides.
    pub fn new(
        readout: &Readout,
        codes: &PictureCodes,
        (class, nuisance): (usize, Option<usize>),
        classes: &Direction,
        nuisances: &Direction,
    ) -> Self {
        let of_nuisances = codes.parts(readout, nuisances);
        let place = nuisance.unwrap_or_else(|| usize::from(of_nuisances.total() > 0.0));
        Self {
            group: Group { class, place },
            classes: codes.parts(readout, classes),
            nuisances: heads(&of_nuisances),
        }
    }
}

/// Ranks the heads and measures the accuracies under ablations. The means of ablated components come from
/// `statistics`.
pub fn find(
    readout: &Readout,
    statistics: &Statistics,
    classes: &Direction,
    mut pictures: Vec<PictureMargins>,
) -> CueReport {
    let total = margins(&pictures, 1, |picture| vec![picture.classes.total() as f32]);
    // Nuisance 1 must be the one with the larger margin; otherwise the two are swapped.
    let is_turned = total.ranked(0, 1)[0].place < 0.0;
    if is_turned {
        pictures.iter_mut().for_each(|picture| picture.group.place = 1 - picture.group.place.min(1));
    }
    let count = readout.layers * readout.heads;
    let tells = margins(&pictures, count, |picture| picture.nuisances.clone()).ranked(0, readout.heads);
    let tells = |wanted: &MarginShift| {
        let is_it = |found: &&MarginShift| (found.layer, found.head) == (wanted.layer, wanted.head);
        let effect = tells.iter().find(is_it).map_or(0.0, |found| found.effect);
        // A positive effect always means the second nuisance of the prompts, also if the nuisances were swapped.
        if is_turned { -effect } else { effect }
    };
    let ranked = margins(&pictures, count, |picture| heads(&picture.classes)).ranked(0, readout.heads);
    let means = MeanParts::new(readout, statistics, classes);
    CueReport {
        pictures: pictures.len(),
        means_of: statistics.images(),
        nuisance_of_class_1: usize::from(!is_turned),
        outcomes: ablations(readout, proposed(&ranked, &pictures, &means))
            .map(|ablation| outcome(ablation, &pictures, &means))
            .to_vec(),
        heads: ranked
            .iter()
            .map(|head| CueHead {
                layer: head.layer,
                head: head.head,
                nuisance: head.place,
                class: head.class,
                tells: tells(head),
            })
            .collect(),
    }
}

/// Proposes heads to ablate: the first heads of the ranking, among those that follow the nuisance more than the class.
/// Chooses the number of heads that gives the worst group the best accuracy. If several do, chooses the one with the
/// best overall accuracy, and then the smallest.
fn proposed(ranked: &[MarginShift], pictures: &[PictureMargins], means: &MeanParts) -> Ablation {
    let follows = |head: &&MarginShift| head.place > 0.0 && head.place > head.class.abs();
    let following = ranked.iter().filter(follows).take(PROPOSED).map(|head| (head.layer, head.head));
    let following: Vec<(usize, usize)> = following.collect();
    let first =
        |count: usize| Ablation { heads: following[..count].iter().copied().collect(), ..Ablation::default() };
    let rank = |outcome: &CueOutcome| (outcome.worst, outcome.overall);
    (1..=following.len())
        .map(|count| outcome(first(count), pictures, means))
        .reduce(|best, next| if rank(&next) > rank(&best) { next } else { best })
        .map(|best| best.ablation)
        .unwrap_or_default()
}

/// Returns the ablations to compare: nothing; the proposed heads; everything but late attention; both.
fn ablations(readout: &Readout, proposed: Ablation) -> [Ablation; 4] {
    let early = Ablation::all_but_last(LATE_LAYERS, readout.layers, readout.heads);
    let both = Ablation { heads: &early.heads | &proposed.heads, ..early.clone() };
    [Ablation::default(), proposed, early, both]
}

/// Classifies the pictures under an ablation.
fn outcome(ablation: Ablation, pictures: &[PictureMargins], means: &MeanParts) -> CueOutcome {
    let mut counts = GroupCounts::default();
    for PictureMargins { group, classes, .. } in pictures {
        let mut left = classes.clone();
        ablation.replace(&mut left, means);
        counts.push(*group, usize::from(left.total() > 0.0) == group.class);
    }
    CueOutcome {
        ablation,
        overall: counts.overall(),
        worst: counts.worst(),
        groups: Group::ALL.map(|group| (counts.pictures(group), counts.accuracy(group))),
    }
}

/// Collects `count` margins of each picture by group.
fn margins(pictures: &[PictureMargins], count: usize, of: impl Fn(&PictureMargins) -> Vec<f32>) -> Margins {
    let mut margins = Margins::new(count);
    pictures.iter().for_each(|picture| margins.push(picture.group, &of(picture)));
    margins
}

/// Returns the heads' parts, `[layer][head]` as one list.
fn heads(parts: &Parts) -> Vec<f32> {
    parts.heads.iter().flatten().map(|part| *part as f32).collect()
}
