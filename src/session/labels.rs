//! A cache of the heads' texts, and which head's texts to find next.

use crate::protocol::HeadLabel;

/// The number of a layer, and the number of a head in this layer.
type Head = (usize, usize);

/// TextSpan's results for the heads of one model, from one pool and one set of statistics.
pub(super) struct LabelCache {
    /// `[layer][head]`
    found: Vec<Vec<Option<Vec<HeadLabel>>>>,
    /// The requested number of texts per head; the pool may have fewer.
    count: usize,
    /// The head that the person looked at last; a head of the last layer before that.
    latest: Head,
}

impl LabelCache {
    pub(super) fn new(layers: usize, heads: usize) -> Self {
        Self { found: vec![vec![None; heads]; layers], count: 0, latest: (layers.saturating_sub(1), 0) }
    }

    /// Returns a head's first `count` texts, if they are cached. TextSpan picks one text after another, so a shorter
    /// list of texts is a prefix of a longer one.
    pub(super) fn of(&self, (layer, head): Head, count: usize) -> Option<Vec<HeadLabel>> {
        let labels = self.found.get(layer)?.get(head)?.as_ref().filter(|_labels| count <= self.count)?;
        Some(labels.iter().take(count).cloned().collect())
    }

    /// Returns the number of texts per cached head.
    pub(super) fn count(&self) -> usize {
        self.count
    }

    /// Caches up to `count` texts of a head. If the count changes, all other heads are dropped.
    pub(super) fn keep(&mut self, (layer, head): Head, labels: Vec<HeadLabel>, count: usize) {
        if count != self.count {
            self.forget();
            self.count = count;
        }
        if let Some(place) = self.found.get_mut(layer).and_then(|heads| heads.get_mut(head)) {
            *place = Some(labels);
        }
    }

    /// Notes that the person looks at this head.
    pub(super) fn look_at(&mut self, head: Head) {
        self.latest = head;
    }

    /// Returns the heads that do not have `count` texts yet, the one nearest to the latest head first.
    pub(super) fn missing(&self, count: usize) -> Vec<Head> {
        let all = self.found.iter().enumerate();
        let all = all.flat_map(|(layer, heads)| (0..heads.len()).map(move |head| (layer, head)));
        let mut missing: Vec<Head> =
            all.filter(|(layer, head)| count > self.count || self.found[*layer][*head].is_none()).collect();
        let (layer, head) = self.latest;
        missing.sort_by_key(|at| (at.0.abs_diff(layer), at.1.abs_diff(head)));
        missing
    }

    /// Drops all texts: the pool or the statistics have changed.
    pub(super) fn forget(&mut self) {
        self.found.iter_mut().flatten().for_each(|labels| *labels = None);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn labels(count: usize) -> Vec<HeadLabel> {
        (0..count)
            .map(|at| HeadLabel { text: format!("text {at}"), property: None, variance_explained: 0.1 })
            .collect()
    }

    #[test]
    fn fewer_texts_are_a_prefix_of_more() {
        let mut cache = LabelCache::new(2, 2);
        assert_eq!(cache.of((1, 1), 0), None);
        cache.keep((1, 1), labels(5), 5);
        assert_eq!(cache.of((1, 1), 3), Some(labels(3)));
        assert_eq!(cache.of((1, 1), 5), Some(labels(5)));
        assert_eq!(cache.of((1, 1), 6), None);
        assert_eq!(cache.of((0, 1), 3), None);
        assert_eq!(cache.of((7, 7), 3), None);
        cache.keep((0, 0), labels(6), 6);
        assert_eq!(cache.of((1, 1), 3), None, "the others have too few now");
    }

    #[test]
    fn the_nearest_heads_come_first_each_once() {
        let mut cache = LabelCache::new(3, 2);
        assert_eq!(cache.missing(4).first(), Some(&(2, 0)), "the last layer, until the person looks at a head");
        cache.look_at((1, 0));
        cache.keep((1, 0), labels(4), 4);
        assert_eq!(cache.missing(4), [(1, 1), (0, 0), (2, 0), (0, 1), (2, 1)]);
        assert_eq!(cache.missing(3).len(), 5);
        assert_eq!(cache.missing(5).len(), 6, "no head has five texts");
        for head in cache.missing(4) {
            cache.keep(head, labels(1), 4);
        }
        assert_eq!(cache.missing(4), []);
        cache.forget();
        assert_eq!(cache.missing(4)[0], (1, 0));
    }
}
