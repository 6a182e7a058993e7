//! The completeness curve (docs/PAPERS.md, 1.9), from picture codes alone: the model does not run again.

use crate::protocol::completeness::{ClassAgreement, Completeness, CurvePoint};
use crate::retrieve::PictureCodes;
use crate::textspan::LateHeads;

/// A picture of the gallery, and its labelled class.
pub struct LabelledCodes {
    pub codes: PictureCodes,
    pub class: Option<usize>,
}

/// Measures, for each number of texts in `counts`, how much that many texts for each head of `late` preserve.
/// `classes` are unit vectors; with fewer than two of them, no picture is classified. `pool` is the number of texts in
/// the pool.
pub fn measure(
    late: &LateHeads<'_>,
    pool: usize,
    counts: &[usize],
    classes: &[Vec<f32>],
    pictures: impl Iterator<Item = LabelledCodes>,
) -> Completeness {
    let mut counted_rows = vec![AgreementCounts::default(); counts.len() + 2];
    for LabelledCodes { codes, class } in pictures.take_while(|_picture| classes.len() >= 2) {
        let whole: Vec<f64> = codes.embedding.iter().map(|value| f64::from(*value)).collect();
        let replaced = late.replace(&codes);
        let top = best(&whole, classes);
        let by_texts = counts.iter().map(|count| replaced.by_texts(*count));
        let rows = [whole, replaced.early.clone()].into_iter().chain(by_texts);
        for (counted, left) in counted_rows.iter_mut().zip(rows) {
            counted.push(best(&left, classes), top, class);
        }
    }
    let point = |(texts, counted): (&usize, &AgreementCounts)| CurvePoint {
        texts: *texts,
        explained: late.explained(*texts),
        agreement: counted.agreement(),
    };
    Completeness {
        late_layers: late.layers,
        heads: late.heads(),
        pool,
        pictures: counted_rows[0].pictures,
        whole: counted_rows[0].agreement(),
        early: counted_rows[1].agreement(),
        points: counts.iter().zip(&counted_rows[2..]).map(point).collect(),
    }
}

/// Counts of pictures for one point of the curve.
#[derive(Clone, Default)]
struct AgreementCounts {
    pictures: usize,
    /// Pictures whose class is the same as with the whole model.
    same: usize,
    labelled: usize,
    /// Pictures whose class is the labelled one.
    right: usize,
}

impl AgreementCounts {
    fn push(&mut self, found: usize, whole: usize, class: Option<usize>) {
        self.pictures += 1;
        self.same += usize::from(found == whole);
        self.labelled += usize::from(class.is_some());
        self.right += usize::from(class == Some(found));
    }

    /// Returns the shares, or `None` without pictures.
    fn agreement(&self) -> Option<ClassAgreement> {
        let share = |of: usize, all: usize| (all > 0).then(|| of as f64 / all as f64);
        let right = share(self.right, self.labelled);
        share(self.same, self.pictures).map(|same| ClassAgreement { same, right })
    }
}

/// Returns the class that scores highest.
fn best(embedding: &[f64], classes: &[Vec<f32>]) -> usize {
    let score = |class: &Vec<f32>| embedding.iter().zip(class).map(|(a, b)| a * f64::from(*b)).sum::<f64>();
    let scores = classes.iter().map(score).enumerate();
    scores.max_by(|a, b| a.1.total_cmp(&b.1)).map_or(0, |(class, _score)| class)
}
