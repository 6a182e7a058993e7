//! A cache of the heads' texts, and which head's texts to find next.

use crate::protocol::HeadLabel;

/// A layer's number, and a head's within it.
type Head = (usize, usize);

/// TextSpan's results for the heads of one model, from one pool and one set of statistics.
pub(super) struct LabelCache {
    /// `[layer][head]`
    found: Vec<Vec<Option<Vec<HeadLabel>>>>,
    /// Texts per head, as many as requested; the pool may have fewer.
    count: usize,
    latest: Option<Head>,
}

impl LabelCache {
    pub(super) fn new(layers: usize, heads: usize) -> Self {
        Self { found: vec![vec![None; heads]; layers], count: 0, latest: None }
    }

    /// Returns a head's first `count` texts, if they are cached. TextSpan picks one text after another, so fewer texts
    /// are a prefix of more.
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
        self.latest = Some(head);
    }

    /// Returns the head whose texts to find next, and how many: the head nearest to the one that the person looked at
    /// last. Returns `None` if the person looked at no head, or all heads are cached.
    pub(super) fn next(&self) -> Option<(Head, usize)> {
        let (layer, head) = self.latest?;
        let missing = self.found.iter().enumerate().flat_map(|(layer, heads)| {
            let missing = heads.iter().enumerate().filter(|(_, labels)| labels.is_none());
            missing.map(move |(head, _)| (layer, head))
        });
        let far = |at: &Head| (at.0.abs_diff(layer), at.1.abs_diff(head));
        Some((missing.min_by_key(far)?, self.count))
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
        (0..count).map(|at| HeadLabel { text: format!("text {at}"), variance_explained: 0.1 }).collect()
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
        assert_eq!(cache.next(), None, "the person has looked at no head");
        cache.look_at((1, 0));
        cache.keep((1, 0), labels(4), 4);
        let mut order = Vec::new();
        while let Some((head, count)) = cache.next() {
            assert_eq!(count, 4);
            order.push(head);
            cache.keep(head, labels(1), count);
        }
        assert_eq!(order, [(1, 1), (0, 0), (2, 0), (0, 1), (2, 1)]);
        cache.forget();
        assert_eq!(cache.next(), Some(((1, 0), 4)));
    }
}
