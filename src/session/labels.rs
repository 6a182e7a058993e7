//! Heads' texts that are at hand, and whose are to be found next.

use crate::protocol::HeadLabel;

/// A layer's number, and a head's within it.
type Head = (usize, usize);

/// What TextSpan found for the heads of one model, from one pool and one set of statistics.
pub(super) struct Labels {
    /// `[layer][head]`
    found: Vec<Vec<Option<Vec<HeadLabel>>>>,
    /// Texts of each head, where there are so many.
    count: usize,
    latest: Option<Head>,
}

impl Labels {
    pub(super) fn new(layers: usize, heads: usize) -> Self {
        Self { found: vec![vec![None; heads]; layers], count: 0, latest: None }
    }

    /// A head's first `count` texts, where they are at hand. TextSpan picks one text after another, so that
    /// fewer are the beginning of more.
    pub(super) fn of(&self, (layer, head): Head, count: usize) -> Option<Vec<HeadLabel>> {
        let labels = self.found.get(layer)?.get(head)?.as_ref().filter(|_labels| count <= self.count)?;
        Some(labels.iter().take(count).cloned().collect())
    }

    /// How many texts there are of each head that is here.
    pub(super) fn count(&self) -> usize {
        self.count
    }

    /// Keeps up to `count` texts of a head; where that is another count than before, of this one alone.
    pub(super) fn keep(&mut self, (layer, head): Head, labels: Vec<HeadLabel>, count: usize) {
        if count != self.count {
            self.forget();
            self.count = count;
        }
        if let Some(place) = self.found.get_mut(layer).and_then(|heads| heads.get_mut(head)) {
            *place = Some(labels);
        }
    }

    /// Somebody looks at this head, whose texts are here.
    pub(super) fn look_at(&mut self, head: Head) {
        self.latest = Some(head);
    }

    /// The head to find texts of next, and how many: the nearest to the one that was looked at last. None where
    /// nobody has looked at any, or all are there.
    pub(super) fn next(&self) -> Option<(Head, usize)> {
        let (layer, head) = self.latest?;
        let missing = self.found.iter().enumerate().flat_map(|(layer, heads)| {
            let missing = heads.iter().enumerate().filter(|(_, labels)| labels.is_none());
            missing.map(move |(head, _)| (layer, head))
        });
        let far = |at: &Head| (at.0.abs_diff(layer), at.1.abs_diff(head));
        Some((missing.min_by_key(far)?, self.count))
    }

    /// The pool or the statistics are others now.
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
    fn fewer_texts_are_the_beginning_of_more_and_more_are_not_at_hand() {
        let mut kept = Labels::new(2, 2);
        assert_eq!(kept.of((1, 1), 0), None);
        kept.keep((1, 1), labels(5), 5);
        assert_eq!(kept.of((1, 1), 3), Some(labels(3)));
        assert_eq!(kept.of((1, 1), 5), Some(labels(5)));
        assert_eq!(kept.of((1, 1), 6), None);
        assert_eq!(kept.of((0, 1), 3), None);
        assert_eq!(kept.of((7, 7), 3), None);
        kept.keep((0, 0), labels(6), 6);
        assert_eq!(kept.of((1, 1), 3), None, "the others have too few now");
    }

    #[test]
    fn the_heads_nearest_to_the_one_looked_at_come_first_each_once() {
        let mut kept = Labels::new(3, 2);
        assert_eq!(kept.next(), None, "nobody has looked at a head");
        kept.look_at((1, 0));
        kept.keep((1, 0), labels(4), 4);
        let mut order = Vec::new();
        while let Some((head, count)) = kept.next() {
            assert_eq!(count, 4);
            order.push(head);
            kept.keep(head, labels(1), count);
        }
        assert_eq!(order, [(1, 1), (0, 0), (2, 0), (0, 1), (2, 1)]);
        kept.forget();
        assert_eq!(kept.next(), Some(((1, 0), 4)));
    }
}
