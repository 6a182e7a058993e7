//! The properties of one head's texts (docs/PAPERS.md, 1.15, step 1).

use std::cmp::Reverse;

use super::chance::PoolMix;

/// The number of texts that a head's name depends on.
pub const NAMING_TEXTS: usize = 10;

/// The number of texts that the concept consistency counts.
pub const CONSISTENCY_TEXTS: usize = 5;

/// A text that TextSpan picked for a head.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct WeightedText {
    /// The text's property, as an index into the pool's properties.
    pub property: Option<usize>,
    /// The variance that the text explains in addition to the texts before it.
    pub weight: f64,
}

/// How the explained variance of a head's first texts is divided among the properties.
#[derive(Clone, Debug, PartialEq)]
pub struct HeadProperties {
    /// The share of each property. With the share of the texts without a property, the shares sum to 1. All shares are
    /// 0 if the texts explain nothing.
    pub shares: Vec<f64>,
    /// The property with the largest share: the name, if the share stands out. `None` if no share is above 0.
    pub leading: Option<usize>,
    /// The p-value of the leading property's share; 1 without a leading property.
    pub p_value: f64,
    /// The share of the first [`CONSISTENCY_TEXTS`] texts that belong to the leading property.
    pub consistency: f64,
}

impl HeadProperties {
    /// Computes the shares from a head's texts in the order of TextSpan. Only the first [`NAMING_TEXTS`] count.
    pub fn new(texts: &[WeightedText], mix: &PoolMix) -> Self {
        let texts = &texts[..texts.len().min(NAMING_TEXTS)];
        let weights = integer_weights(texts);
        let total: u32 = weights.iter().sum();
        let mut sums = vec![0; mix.counts().len()];
        for (text, weight) in texts.iter().zip(&weights) {
            if let Some(sum) = text.property.and_then(|property| sums.get_mut(property)) {
                *sum += weight;
            }
        }
        let leading = leading(&sums, mix);
        let is_of_leading = |text: &&WeightedText| text.property.is_some() && text.property == leading;
        let first = texts.iter().take(CONSISTENCY_TEXTS).filter(is_of_leading).count();
        Self {
            p_value: leading.map_or(1.0, |property| mix.p_value(&weights, property, sums[property])),
            consistency: first as f64 / CONSISTENCY_TEXTS as f64,
            leading,
            shares: sums.into_iter().map(|sum| f64::from(sum) / f64::from(total.max(1))).collect(),
        }
    }

    /// Returns the share of the leading property; 0 without one.
    pub fn share(&self) -> f64 {
        self.leading.map_or(0.0, |property| self.shares[property])
    }
}

/// Returns the weights in millionths of their sum, or zeros if the texts explain nothing.
fn integer_weights(texts: &[WeightedText]) -> Vec<u32> {
    let total: f64 = texts.iter().map(|text| text.weight.max(0.0)).sum();
    let of_total = |text: &WeightedText| (text.weight.max(0.0) / total * 1e6).round() as u32;
    if total > 0.0 { texts.iter().map(of_total).collect() } else { vec![0; texts.len()] }
}

/// Returns the property with the largest sum. Of properties with the same sum, the one with the fewest texts leads: its
/// sum is the least probable by chance.
fn leading(sums: &[u32], mix: &PoolMix) -> Option<usize> {
    let rank = |property: &usize| (sums[*property], Reverse(mix.counts()[*property]), Reverse(*property));
    (0..sums.len()).filter(|property| sums[*property] > 0).max_by_key(rank)
}
