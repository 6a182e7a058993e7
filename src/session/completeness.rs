//! The completeness curve (docs/PAPERS.md, 1.9), from imprints alone: the model does not run again.

use crate::protocol::completeness::{Completeness, Kept, Point};
use crate::retrieve::Imprint;
use crate::textspan::LateHeads;

/// A picture of the gallery, and its labelled class.
pub struct LabelledImprint {
    pub imprint: Imprint,
    pub class: Option<usize>,
}

/// Measures how much each number of texts in `counts`, per head of `late`, preserves. `classes` are unit vectors; with
/// fewer than two of them, no picture is classified. `pool` is the number of texts in the pool.
pub fn measure(
    late: &LateHeads<'_>,
    pool: usize,
    counts: &[usize],
    classes: &[Vec<f32>],
    pictures: impl Iterator<Item = LabelledImprint>,
) -> Completeness {
    let mut tallies = vec![Tally::default(); counts.len() + 2];
    for LabelledImprint { imprint, class } in pictures.take_while(|_picture| classes.len() >= 2) {
        let whole: Vec<f64> = imprint.embedding.iter().map(|value| f64::from(*value)).collect();
        let replaced = late.replace(&imprint);
        let top = best(&whole, classes);
        let by_texts = counts.iter().map(|count| replaced.by_texts(*count));
        let rows = [whole, replaced.early.clone()].into_iter().chain(by_texts);
        for (tally, left) in tallies.iter_mut().zip(rows) {
            tally.push(best(&left, classes), top, class);
        }
    }
    let point = |(texts, tally): (&usize, &Tally)| Point {
        texts: *texts,
        explained: late.explained(*texts),
        kept: tally.kept(),
    };
    Completeness {
        late_layers: late.layers,
        heads: late.heads(),
        pool,
        pictures: tallies[0].pictures,
        whole: tallies[0].kept(),
        early: tallies[1].kept(),
        points: counts.iter().zip(&tallies[2..]).map(point).collect(),
    }
}

/// Counts of pictures for one point of the curve.
#[derive(Clone, Default)]
struct Tally {
    pictures: usize,
    /// Pictures whose class is the whole model's.
    same: usize,
    labelled: usize,
    /// Pictures whose class is the labelled one.
    right: usize,
}

impl Tally {
    fn push(&mut self, found: usize, whole: usize, class: Option<usize>) {
        self.pictures += 1;
        self.same += usize::from(found == whole);
        self.labelled += usize::from(class.is_some());
        self.right += usize::from(class == Some(found));
    }

    /// Returns the shares, or `None` without pictures.
    fn kept(&self) -> Option<Kept> {
        let share = |of: usize, all: usize| (all > 0).then(|| of as f64 / all as f64);
        let right = share(self.right, self.labelled);
        share(self.same, self.pictures).map(|same| Kept { same, right })
    }
}

/// Returns the class that scores highest.
fn best(embedding: &[f64], classes: &[Vec<f32>]) -> usize {
    let score = |class: &Vec<f32>| embedding.iter().zip(class).map(|(a, b)| a * f64::from(*b)).sum::<f64>();
    let scores = classes.iter().map(score).enumerate();
    scores.max_by(|a, b| a.1.total_cmp(&b.1)).map_or(0, |(class, _score)| class)
}
