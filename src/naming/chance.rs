//! The share of a head that a property gets by chance (docs/PAPERS.md, 1.15, step 2).

use std::collections::BTreeMap;

/// How many texts of the pool each property has.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PoolMix {
    /// The number of texts of each property.
    counts: Vec<usize>,
    /// The number of texts in the pool, with or without a property.
    texts: usize,
}

impl PoolMix {
    /// Counts the texts of each of `properties` properties. `of_texts` has the property of every text of the pool.
    pub fn new(properties: usize, of_texts: &[Option<usize>]) -> Self {
        let mut counts = vec![0; properties];
        for property in of_texts.iter().flatten() {
            if let Some(count) = counts.get_mut(*property) {
                *count += 1;
            }
        }
        Self { counts, texts: of_texts.len() }
    }

    /// Returns the number of texts of each property.
    pub fn counts(&self) -> &[usize] {
        &self.counts
    }

    /// Returns the share of the pool's texts that belong to a property: the mean share that the property gets by chance.
    pub fn share(&self, property: usize) -> f64 {
        self.counts[property] as f64 / self.texts.max(1) as f64
    }

    /// Returns the p-value of the share of a property. The p-value is an upper bound of a probability: that at least one
    /// property gets a share at least as improbable for this property, if the head's texts are drawn from the pool at
    /// random without replacement and the weights stay in their order.
    ///
    /// `weights` are those of the head's texts, at most 16, and `share` is the sum of those that belong to `property`.
    /// Weights are integers, so that equal sums are exactly equal.
    pub fn p_value(&self, weights: &[u32], property: usize, share: u32) -> f64 {
        let subsets = subsets(weights);
        let tail = |texts: usize| self.tail(&subsets, weights.len(), texts);
        let reached = tail(self.counts[property]).into_iter().take_while(|(sum, _)| *sum >= share).last();
        let observed = reached.map_or(0.0, |(_, probability)| probability);
        // Properties of the same size have the same distribution.
        let mut sizes = BTreeMap::<usize, usize>::new();
        self.counts.iter().for_each(|texts| *sizes.entry(*texts).or_default() += 1);
        let at_least_as_improbable = |(texts, properties): (usize, usize)| {
            let improbable = tail(texts).into_iter().take_while(|(_, probability)| *probability <= observed);
            improbable.last().map_or(0.0, |(_, probability)| probability) * properties as f64
        };
        sizes.into_iter().map(at_least_as_improbable).sum::<f64>().min(1.0)
    }

    /// Returns the possible sums of the weights of a property with `texts` texts, the largest first. With each sum comes
    /// the probability of this sum or a larger one among `drawn` random texts.
    fn tail(&self, subsets: &[(u32, usize)], drawn: usize, texts: usize) -> Vec<(u32, f64)> {
        let of_size: Vec<f64> = (0..=drawn).map(|inside| self.exactly(texts, inside, drawn)).collect();
        let mut probability = 0.0;
        let tail = subsets.chunk_by(|a, b| a.0 == b.0).map(|equal| {
            probability += equal.iter().map(|(_, inside)| of_size[*inside]).sum::<f64>();
            (equal[0].0, probability)
        });
        tail.collect()
    }

    /// Returns the probability that of `drawn` random texts, the ones at `inside` given places belong to a property with
    /// `texts` texts, and the others do not.
    fn exactly(&self, texts: usize, inside: usize, drawn: usize) -> f64 {
        let falling = |from: usize, count: usize| (0..count).map(move |taken| from.saturating_sub(taken) as f64);
        let hits = falling(texts, inside).chain(falling(self.texts - texts, drawn - inside));
        hits.zip(falling(self.texts, drawn)).map(|(hit, all)| hit / all.max(1.0)).product()
    }
}

/// Returns the sum and the size of every subset of the weights, the largest sum first.
fn subsets(weights: &[u32]) -> Vec<(u32, usize)> {
    let mut subsets = vec![(0, 0)];
    for weight in weights {
        let with: Vec<(u32, usize)> = subsets.iter().map(|(sum, size)| (sum + weight, size + 1)).collect();
        subsets.extend(with);
    }
    // Equal sums are also in a fixed order, so that the rounding errors of the probabilities do not depend on the order
    // of the weights.
    subsets.sort_unstable_by(|a, b| b.cmp(a));
    subsets
}

#[cfg(test)]
mod tests {
    use super::*;

    fn close(found: f64, expected: f64) {
        assert!((found - expected).abs() < 1e-12, "{found} {expected}");
    }

    #[test]
    fn one_text_cannot_stand_out_among_equal_properties() {
        let mix = PoolMix::new(3, &[Some(0), Some(1), Some(2)]);
        close(mix.p_value(&[1], 0, 1), 1.0);
    }

    #[test]
    fn two_texts_are_counted_by_hand() {
        // Property 0 has two of five texts, property 1 has three: both texts belong to property 0 with probability 1/10.
        let mix = PoolMix::new(2, &[Some(0), Some(0), Some(1), Some(1), Some(1)]);
        close(mix.p_value(&[3, 1], 0, 4), 0.1);
        // The first text belongs to property 0 with probability 4/10. For property 1, a share of 1 has probability 3/10.
        close(mix.p_value(&[3, 1], 0, 3), 0.4 + 0.3);
    }

    #[test]
    fn texts_without_property_count_to_none() {
        let mix = PoolMix::new(1, &[Some(0), None, None, None]);
        assert_eq!(mix.counts(), [1]);
        close(mix.share(0), 0.25);
        close(mix.p_value(&[1, 1], 0, 1), 0.5);
    }

    #[test]
    fn a_pool_of_one_property_never_stands_out() {
        let mix = PoolMix::new(1, &[Some(0); 20]);
        close(mix.p_value(&[1; 10], 0, 10), 1.0);
    }

    #[test]
    fn the_probabilities_of_all_shares_sum_to_one() {
        let mix = PoolMix::new(2, &[[Some(0); 7].as_slice(), &[Some(1); 30], &[None; 5]].concat());
        let weights = [400, 200, 150, 100, 50, 40, 30, 15, 10, 5];
        for texts in [7, 30] {
            close(mix.tail(&subsets(&weights), 10, texts).last().unwrap().1, 1.0);
        }
    }
}
