//! The names of all heads of a model, and how its heads share the properties (docs/PAPERS.md, 1.15, steps 3 to 5).

use super::head::HeadProperties;

/// The level of the test: of the heads with a name, at most this share is expected to have it by chance.
pub const LEVEL: f64 = 0.05;

/// The names of all heads of a model.
#[derive(Clone, Debug, PartialEq)]
pub struct ModelNames {
    /// The name of each head, as an index into the pool's properties; `None` for a mixed head.
    pub names: Vec<Option<usize>>,
    /// The mean concept consistency of the heads with a name; 0 if no head has a name.
    pub consistency: f64,
    /// The mean overlap of the shares of two heads. 0: no two heads share a property. 1: all heads have the same shares.
    pub entanglement: f64,
}

/// Names the heads whose leading property stands out, by the procedure of Benjamini and Hochberg at [`LEVEL`].
pub fn name_heads(heads: &[HeadProperties]) -> ModelNames {
    let threshold = threshold(heads);
    let name = |head: &HeadProperties| head.leading.filter(|_| head.p_value <= threshold);
    let names: Vec<Option<usize>> = heads.iter().map(name).collect();
    let named = || heads.iter().zip(&names).filter(|(_, name)| name.is_some()).map(|(head, _)| head.consistency);
    ModelNames {
        // The sum of no numbers is -0 in Rust, which the page would show.
        consistency: named().fold(0.0, |sum, consistency| sum + consistency) / named().count().max(1) as f64,
        entanglement: entanglement(heads),
        names,
    }
}

/// Returns the largest p-value that counts as significant; negative if none does.
fn threshold(heads: &[HeadProperties]) -> f64 {
    let mut p_values: Vec<f64> = heads.iter().map(|head| head.p_value).collect();
    p_values.sort_by(f64::total_cmp);
    let is_significant = |(rank, p): &(usize, &f64)| **p <= LEVEL * (*rank + 1) as f64 / heads.len() as f64;
    p_values.iter().enumerate().rfind(is_significant).map_or(-1.0, |(_, p)| *p)
}

/// Returns the mean of the overlap `sum_g min(s_ag, s_bg)` over all pairs of heads a and b.
fn entanglement(heads: &[HeadProperties]) -> f64 {
    let overlap = |a: &HeadProperties, b: &HeadProperties| -> f64 {
        a.shares.iter().zip(&b.shares).map(|(a, b)| a.min(*b)).sum()
    };
    let pairs = || heads.iter().enumerate().flat_map(|(at, a)| heads[..at].iter().map(move |b| (a, b)));
    pairs().map(|(a, b)| overlap(a, b)).sum::<f64>() / pairs().count().max(1) as f64
}
