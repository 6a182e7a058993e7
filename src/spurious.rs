//! Spurious cues (docs/PAPERS.md, 1.12): the accuracy of a classifier on its worst group, and the heads that
//! follow the nuisance attribute rather than the class.
//!
//! A picture has a class and a nuisance attribute, each 0 or 1. In Waterbirds the class is land bird or water
//! bird, and the nuisance attribute is the place, land or water.

use serde::{Deserialize, Serialize};

/// The class and the nuisance attribute of a picture.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Group {
    /// The class y, 0 or 1.
    pub class: usize,
    /// The nuisance attribute, 0 or 1.
    pub place: usize,
}

impl Group {
    /// All four groups, by class, then by place.
    pub const ALL: [Self; 4] = [
        Self { class: 0, place: 0 },
        Self { class: 0, place: 1 },
        Self { class: 1, place: 0 },
        Self { class: 1, place: 1 },
    ];

    fn index(self) -> usize {
        2 * self.class.min(1) + self.place.min(1)
    }
}

/// Correct answers and pictures, counted for each group.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct GroupCounts {
    right: [u64; 4],
    all: [u64; 4],
}

impl GroupCounts {
    /// Adds one picture.
    pub fn push(&mut self, group: Group, is_right: bool) {
        self.all[group.index()] += 1;
        self.right[group.index()] += u64::from(is_right);
    }

    /// Returns the number of pictures in a group.
    pub fn pictures(&self, group: Group) -> u64 {
        self.all[group.index()]
    }

    /// Returns the accuracy in a group. None when the group has no picture.
    pub fn accuracy(&self, group: Group) -> Option<f64> {
        let all = self.all[group.index()];
        (all > 0).then(|| self.right[group.index()] as f64 / all as f64)
    }

    /// Returns the accuracy over all pictures. None when there is no picture.
    pub fn overall(&self) -> Option<f64> {
        let all: u64 = self.all.iter().sum();
        (all > 0).then(|| self.right.iter().sum::<u64>() as f64 / all as f64)
    }

    /// Returns the lowest accuracy among the groups that have pictures.
    pub fn worst(&self) -> Option<f64> {
        Group::ALL.into_iter().filter_map(|group| self.accuracy(group)).min_by(f64::total_cmp)
    }
}

/// How a head's part in the margin follows the place and the class. The margin is the score of class 1 minus the
/// score of class 0.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct MarginShift {
    pub layer: usize,
    pub head: usize,
    /// The mean margin at place 1 minus that at place 0, with the class held fixed.
    pub place: f64,
    /// The mean margin of class 1 minus that of class 0, with the place held fixed.
    pub class: f64,
    /// `place` divided by the standard deviation of the margin within groups.
    pub effect: f64,
}

/// Sums of the heads' margins for each group.
#[derive(Clone, Debug)]
pub struct Margins {
    /// `[group]`
    count: [f64; 4],
    /// `[group][head]`
    sum: [Vec<f64>; 4],
    squares: [Vec<f64>; 4],
}

impl Margins {
    /// Creates sums of zero pictures, for `heads` heads.
    pub fn new(heads: usize) -> Self {
        let zeros = || std::array::from_fn(|_group| vec![0.0; heads]);
        Self { count: [0.0; 4], sum: zeros(), squares: zeros() }
    }

    /// Adds one picture. `margins` has one margin for each head.
    pub fn push(&mut self, group: Group, margins: &[f32]) {
        let group = group.index();
        self.count[group] += 1.0;
        for (head, margin) in margins.iter().enumerate() {
            let margin = f64::from(*margin);
            self.sum[group][head] += margin;
            self.squares[group][head] += margin * margin;
        }
    }

    /// Returns the heads, ordered by how much the place moves their margin towards the class that usually comes
    /// with the place, the most first. `first_layer` is the layer of the first head, `heads` the number of heads
    /// in a layer.
    pub fn ranked(&self, first_layer: usize, heads: usize) -> Vec<MarginShift> {
        let all = self.sum[0].len();
        let mut ranked: Vec<MarginShift> = (0..all)
            .map(|index| {
                let place = self.shift(index, [(0, 1), (2, 3)]);
                let deviation = self.deviation(index);
                MarginShift {
                    layer: first_layer + index / heads,
                    head: index % heads,
                    place,
                    class: self.shift(index, [(0, 2), (1, 3)]),
                    effect: if deviation > 0.0 { place / deviation } else { 0.0 },
                }
            })
            .collect();
        ranked.sort_by(|a, b| b.place.total_cmp(&a.place));
        ranked
    }

    /// Returns the mean difference between the groups of each pair. Pairs without pictures in both groups do not
    /// count.
    fn shift(&self, head: usize, pairs: [(usize, usize); 2]) -> f64 {
        let mean = |group: usize| self.sum[group][head] / self.count[group];
        let filled = pairs.iter().filter(|(from, to)| self.count[*from] > 0.0 && self.count[*to] > 0.0);
        let shifts: Vec<f64> = filled.map(|(from, to)| mean(*to) - mean(*from)).collect();
        if shifts.is_empty() { 0.0 } else { shifts.iter().sum::<f64>() / shifts.len() as f64 }
    }

    /// Returns the standard deviation within groups, pooled over the groups.
    fn deviation(&self, head: usize) -> f64 {
        let scatter = (0..4)
            .filter(|group| self.count[*group] > 0.0)
            .map(|group| self.squares[group][head] - self.sum[group][head].powi(2) / self.count[group]);
        let all: f64 = self.count.iter().sum();
        if all > 0.0 { (scatter.sum::<f64>().max(0.0) / all).sqrt() } else { 0.0 }
    }
}

/// The heads of a model that the paper's authors found, by their texts, to represent places.
///
/// The heads belong to OpenCLIP's LAION-2B weights. In other weights of the same shape, the same head numbers
/// represent something else.
#[derive(Clone, Copy, Debug)]
pub struct PublishedHeads {
    pub name: &'static str,
    pub layers: usize,
    pub heads: usize,
    pub patch: usize,
    /// (layer, head)
    pub geolocation: &'static [(usize, usize)],
    pub setting: &'static [(usize, usize)],
    /// Worst-group accuracy on Waterbirds before and after the ablation, in per cent.
    pub worst_group: (f64, f64),
}

/// The models of the paper's Waterbirds table (docs/PAPERS.md, 1.12).
pub const PUBLISHED_HEADS: [PublishedHeads; 3] = [
    PublishedHeads {
        name: "B/16",
        layers: 12,
        heads: 12,
        patch: 16,
        geolocation: &[(11, 6), (11, 0)],
        setting: &[(11, 3), (10, 11), (10, 10), (9, 8), (9, 6)],
        worst_group: (45.6, 57.5),
    },
    PublishedHeads {
        name: "L/14",
        layers: 24,
        heads: 16,
        patch: 14,
        geolocation: &[(21, 1), (22, 12), (22, 13), (21, 11), (21, 14), (23, 6)],
        setting: &[(21, 3), (21, 6), (21, 8), (21, 13), (22, 2), (22, 12), (22, 15), (23, 1), (23, 3), (23, 5)],
        worst_group: (47.7, 72.9),
    },
    PublishedHeads {
        name: "H/14",
        layers: 32,
        heads: 16,
        patch: 14,
        geolocation: &[(31, 8), (30, 15), (30, 12), (30, 6), (29, 14), (29, 8)],
        setting: &[(31, 12), (30, 11), (29, 4)],
        worst_group: (37.2, 43.3),
    },
];

impl PublishedHeads {
    /// Returns the heads of both lists, each head once.
    pub fn all_heads(&self) -> Vec<(usize, usize)> {
        let mut heads: Vec<_> = self.geolocation.iter().chain(self.setting).copied().collect();
        heads.sort_unstable();
        heads.dedup();
        heads
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn worst_group_accuracy_ignores_empty_groups() {
        let mut counts = GroupCounts::default();
        for (group, is_right) in [(0, true), (0, false), (1, true), (3, true)] {
            counts.push(Group::ALL[group], is_right);
        }
        assert_eq!((counts.worst(), counts.overall()), (Some(0.5), Some(0.75)));
        assert_eq!(counts.accuracy(Group::ALL[2]), None);
    }

    #[test]
    fn heads_that_follow_the_place_rank_first() {
        let mut margins = Margins::new(3);
        for group in Group::ALL {
            for wobble in [-0.1_f32, 0.1] {
                let (class, place) = (group.class as f32, group.place as f32);
                margins.push(group, &[class + wobble, 0.5 * place + wobble, wobble]);
            }
        }
        let ranked = margins.ranked(4, 3);
        assert_eq!((ranked[0].layer, ranked[0].head), (4, 1));
        assert!((ranked[0].place - 0.5).abs() < 1e-6 && ranked[0].class.abs() < 1e-6);
        assert!((ranked[0].effect - 5.0).abs() < 1e-4);
        let class_head = ranked.iter().find(|following| following.head == 0).unwrap();
        assert!((class_head.class - 1.0).abs() < 1e-6 && class_head.place.abs() < 1e-6);
    }

    #[test]
    fn published_heads_exist_in_their_models() {
        for published in PUBLISHED_HEADS {
            let within = |(layer, head): &(usize, usize)| *layer < published.layers && *head < published.heads;
            assert!(published.all_heads().iter().all(within), "{}", published.name);
        }
        // One head is in both lists.
        assert_eq!(PUBLISHED_HEADS[1].all_heads().len(), 15);
    }
}
