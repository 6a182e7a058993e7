//! The completeness curve (docs/PAPERS.md, 1.9), in the units of [`chart`](crate::page::common::chart): the number of
//! texts to the right, shares from 0 at the bottom to 1 at the top.

use crate::page::common::chart::{HEIGHT, WIDTH};
use crate::protocol::completeness::{ClassAgreement, Completeness, CurvePoint};

/// A line of the chart.
#[derive(Clone, Debug, PartialEq)]
pub struct CompletenessLine {
    pub name: &'static str,
    /// The points of an SVG polyline.
    pub points: String,
}

/// Returns the lines that have values.
pub fn lines(curve: &Completeness) -> Vec<CompletenessLine> {
    let most = curve.points.iter().map(|point| point.texts).max().unwrap_or(0).max(1) as f64;
    let line = |name, value: fn(&CurvePoint) -> Option<f64>| {
        let place = |point: &CurvePoint| {
            let share = value(point)?;
            Some(format!("{:.1},{:.2}", WIDTH * point.texts as f64 / most, HEIGHT * (1.0 - share)))
        };
        let points: Vec<String> = curve.points.iter().filter_map(place).collect();
        (!points.is_empty()).then(|| CompletenessLine { name, points: points.join(" ") })
    };
    [
        line("Variance explained", |point| Some(point.explained)),
        line("Same class as the whole model", |point| Some(point.agreement?.same)),
        line("Correct class", |point| point.agreement?.right),
    ]
    .into_iter()
    .flatten()
    .collect()
}

/// A row of the table: how attention is rebuilt, and the shares that remain.
#[derive(Clone, Debug, PartialEq)]
pub struct CompletenessRow {
    pub what: String,
    pub explained: Option<f64>,
    pub agreement: Option<ClassAgreement>,
}

/// Returns a row for the whole model, one for mean-ablated earlier attention, and one for each number of texts.
pub fn rows(curve: &Completeness) -> Vec<CompletenessRow> {
    let whole = curve.whole.map(|agreement| ("The whole model", agreement));
    let early = curve.early.map(|agreement| ("Late heads unchanged", agreement));
    let first = [whole, early].into_iter().flatten().map(|(what, agreement)| CompletenessRow {
        what: what.to_owned(),
        explained: None,
        agreement: Some(agreement),
    });
    let by_texts = curve.points.iter().map(|point| CompletenessRow {
        what: match point.texts {
            0 => "Late heads by their means".to_owned(),
            1 => "By 1 text each".to_owned(),
            texts => format!("By {texts} texts each"),
        },
        explained: Some(point.explained),
        agreement: point.agreement,
    });
    first.chain(by_texts).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn curve(right: Option<f64>) -> Completeness {
        let agreement = |same| Some(ClassAgreement { same, right });
        let point = |(texts, explained, same)| CurvePoint { texts, explained, agreement: agreement(same) };
        let points = [(0, 0.0, 0.1), (1, 0.2, 0.5), (4, 0.6, 1.0)].map(point).to_vec();
        Completeness {
            late_layers: 4,
            heads: 24,
            pool: 9,
            pictures: 10,
            whole: agreement(1.0),
            early: agreement(0.9),
            points,
        }
    }

    #[test]
    fn lines_run_from_no_text_to_the_most() {
        let found = lines(&curve(None));
        assert_eq!(found.len(), 2, "nothing is said of what is right");
        assert_eq!(found[0].points, "0.0,100.00 250.0,80.00 1000.0,40.00");
        assert_eq!(found[1].points, "0.0,90.00 250.0,50.00 1000.0,0.00");
        assert_eq!(lines(&curve(Some(0.5))).len(), 3);
    }

    #[test]
    fn without_pictures_the_variance_is_left() {
        let mut bare = curve(None);
        (bare.whole, bare.early) = (None, None);
        bare.points.iter_mut().for_each(|point| point.agreement = None);
        assert_eq!(lines(&bare).len(), 1);
        let what: Vec<String> = rows(&bare).into_iter().map(|row| row.what).collect();
        assert_eq!(what, ["Late heads by their means", "By 1 text each", "By 4 texts each"]);
        assert_eq!(rows(&curve(None)).len(), 5);
    }
}
