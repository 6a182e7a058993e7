//! Which heads follow a nuisance, and how the worst group fares without them (docs/PAPERS.md, 1.12, "Spurious
//! cues"). Imprints and means are all that it takes: nothing is encoded anew.

use crate::ablate::{Ablation, LATE_LAYERS, MeanParts};
use crate::decompose::{Direction, Parts, Readout};
use crate::protocol::cues::{CueHead, CueOutcome, CueReport};
use crate::retrieve::Imprint;
use crate::spurious::{Group, GroupCounts, MarginShift, Margins};
use crate::statistics::Statistics;

/// At most so many heads are proposed; the paper's own lists have 7 to 15.
const PROPOSED: usize = 8;

/// A labelled picture's margins: all that is kept of its imprint.
pub struct Seen {
    group: Group,
    /// Of the classes, by component.
    margin: Parts,
    /// Of the nuisances, by head.
    tells: Vec<f32>,
}

impl Seen {
    /// `classes` and `nuisances` are what scores as much as the second prompt scores more than the first. Where
    /// nobody tells the picture's nuisance, the sign of the latter does.
    pub fn new(
        readout: &Readout,
        imprint: &Imprint,
        (class, nuisance): (usize, Option<usize>),
        classes: &Direction,
        nuisances: &Direction,
    ) -> Self {
        let of_nuisances = imprint.parts(readout, nuisances);
        let place = nuisance.unwrap_or_else(|| usize::from(of_nuisances.total() > 0.0));
        Self {
            group: Group { class, place },
            margin: imprint.parts(readout, classes),
            tells: heads(&of_nuisances),
        }
    }
}

/// Ranks the heads and measures what ablations bring; `means` are those of `classes`' direction over so many
/// pictures of `statistics`.
pub fn find(readout: &Readout, statistics: &Statistics, classes: &Direction, mut seen: Vec<Seen>) -> CueReport {
    let is_turned = margins(&seen, 1, |seen| vec![seen.margin.total() as f32]).ranked(0, 1)[0].place < 0.0;
    if is_turned {
        seen.iter_mut().for_each(|seen| seen.group.place = 1 - seen.group.place.min(1));
    }
    let count = readout.layers * readout.heads;
    let tells = margins(&seen, count, |seen| seen.tells.clone()).ranked(0, readout.heads);
    let tells = |wanted: &MarginShift| {
        let is_it = |found: &&MarginShift| (found.layer, found.head) == (wanted.layer, wanted.head);
        let effect = tells.iter().find(is_it).map_or(0.0, |found| found.effect);
        // Up is towards the second nuisance, whichever class it speaks for.
        if is_turned { -effect } else { effect }
    };
    let ranked = margins(&seen, count, |seen| heads(&seen.margin)).ranked(0, readout.heads);
    let means = MeanParts::new(readout, statistics, classes);
    CueReport {
        pictures: seen.len(),
        means_of: statistics.images(),
        nuisance_of_class_1: usize::from(!is_turned),
        outcomes: ablations(readout, proposed(&ranked, &seen, &means))
            .map(|ablation| outcome(ablation, &seen, &means))
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

/// Of the heads that move more with the nuisance than with the class, the first ones, as many as leave the worst
/// group best off (and then all pictures; and then as few as do).
fn proposed(ranked: &[MarginShift], seen: &[Seen], means: &MeanParts) -> Ablation {
    let follows = |head: &&MarginShift| head.place > 0.0 && head.place > head.class.abs();
    let following = ranked.iter().filter(follows).take(PROPOSED).map(|head| (head.layer, head.head));
    let following: Vec<(usize, usize)> = following.collect();
    let first =
        |count: usize| Ablation { heads: following[..count].iter().copied().collect(), ..Ablation::default() };
    let rank = |outcome: &CueOutcome| (outcome.worst, outcome.overall);
    (1..=following.len())
        .map(|count| outcome(first(count), seen, means))
        .reduce(|best, next| if rank(&next) > rank(&best) { next } else { best })
        .map(|best| best.ablation)
        .unwrap_or_default()
}

/// Nothing; the heads that are proposed; all but late attention; both.
fn ablations(readout: &Readout, proposed: Ablation) -> [Ablation; 4] {
    let early = Ablation::all_but_last(LATE_LAYERS, readout.layers, readout.heads);
    let both = Ablation { heads: &early.heads | &proposed.heads, ..early.clone() };
    [Ablation::default(), proposed, early, both]
}

fn outcome(ablation: Ablation, seen: &[Seen], means: &MeanParts) -> CueOutcome {
    let mut counts = GroupCounts::default();
    for Seen { group, margin, .. } in seen {
        let mut left = margin.clone();
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

fn margins(seen: &[Seen], count: usize, of: impl Fn(&Seen) -> Vec<f32>) -> Margins {
    let mut margins = Margins::new(count);
    seen.iter().for_each(|seen| margins.push(seen.group, &of(seen)));
    margins
}

fn heads(parts: &Parts) -> Vec<f32> {
    parts.heads.iter().flatten().map(|part| *part as f32).collect()
}
