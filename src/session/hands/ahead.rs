//! What is computed before it is asked for, and by whom: the bookkeeping alone.
//!
//! Work comes as a line of pieces: the first is asked for now, the others are next. A hand has one piece at a
//! time, and of pieces that are begun or done ahead there are never more than hands, and one of the engine's own.

use std::collections::BTreeMap;

/// Pieces named by `K`; while a hand has one, `B` is kept beside it, and `T` is what comes of it.
#[derive(Debug)]
pub struct Ahead<K, B, T> {
    hands: BTreeMap<u32, Doing>,
    pieces: Vec<(K, Progress<B, T>)>,
    last_order: u32,
}

/// What a hand does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Doing {
    Starting,
    Nothing,
    Order(u32),
}

#[derive(Debug)]
enum Progress<B, T> {
    UnderWay { order: u32, beside: B },
    Done(T),
}

impl<K, B, T> Default for Ahead<K, B, T> {
    fn default() -> Self {
        Self { hands: BTreeMap::new(), pieces: Vec::new(), last_order: 0 }
    }
}

impl<K: Clone + PartialEq, B, T> Ahead<K, B, T> {
    /// A hand is being started.
    pub fn start(&mut self, hand: u32) {
        self.hands.insert(hand, Doing::Starting);
    }

    /// A hand that was being started takes orders from now on.
    pub fn is_ready(&mut self, hand: u32) {
        if let Some(doing) = self.hands.get_mut(&hand) {
            *doing = Doing::Nothing;
        }
    }

    /// A hand is gone, and with it what it had under way.
    pub fn lose(&mut self, hand: u32) {
        if let Some(Doing::Order(lost)) = self.hands.remove(&hand) {
            self.pieces.retain(|(_, progress)| progress.order() != Some(lost));
        }
    }

    /// Forgets all pieces that are not in the line. What of them is under way is of no use when it comes.
    pub fn attend_to(&mut self, line: &[K]) {
        self.pieces.retain(|(key, _)| line.contains(key));
    }

    /// A hand that has nothing to do.
    pub fn idle(&self) -> Option<u32> {
        self.hands.iter().find(|(_, doing)| **doing == Doing::Nothing).map(|(hand, _)| *hand)
    }

    /// Where in the line the next piece is that nobody has begun; none where enough is begun.
    pub fn next(&self, line: &[K]) -> Option<usize> {
        let has_room = self.pieces.len() <= self.hands.len() && !self.hands.is_empty();
        line.iter().position(|key| self.piece(key).is_none()).filter(|_| has_room)
    }

    /// Gives a piece to a hand; the answer is the order's number.
    pub fn hand_out(&mut self, hand: u32, key: K, beside: B) -> u32 {
        self.last_order += 1;
        let order = self.last_order;
        self.hands.insert(hand, Doing::Order(order));
        self.pieces.push((key, Progress::UnderWay { order, beside }));
        order
    }

    /// A hand has done its order. Nothing is kept of a piece that was forgotten meanwhile.
    pub fn finish(&mut self, hand: u32, order: u32, done: impl FnOnce(B) -> T) {
        if self.hands.get(&hand) != Some(&Doing::Order(order)) {
            return;
        }
        self.hands.insert(hand, Doing::Nothing);
        let place = self.pieces.iter().position(|(_, progress)| progress.order() == Some(order));
        if let Some((key, Progress::UnderWay { beside, .. })) = place.map(|place| self.pieces.swap_remove(place)) {
            self.keep(key, done(beside));
        }
    }

    /// What the engine itself has made of a piece.
    pub fn keep(&mut self, key: K, done: T) {
        self.pieces.push((key, Progress::Done(done)));
    }

    /// What was made of a piece, if that is done.
    pub fn take(&mut self, key: &K) -> Option<T> {
        let is_done =
            |(other, progress): &(K, Progress<B, T>)| other == key && matches!(progress, Progress::Done(_));
        let place = self.pieces.iter().position(is_done)?;
        match self.pieces.swap_remove(place).1 {
            Progress::Done(done) => Some(done),
            Progress::UnderWay { .. } => None,
        }
    }

    /// The order under which a hand is at a piece.
    pub fn order_of(&self, key: &K) -> Option<u32> {
        self.piece(key)?.order()
    }

    /// The hand that is at an order.
    pub fn hand_at(&self, order: u32) -> Option<u32> {
        self.hands.iter().find(|(_, doing)| **doing == Doing::Order(order)).map(|(hand, _)| *hand)
    }

    fn piece(&self, key: &K) -> Option<&Progress<B, T>> {
        self.pieces.iter().find(|(other, _)| other == key).map(|(_, progress)| progress)
    }
}

impl<B, T> Progress<B, T> {
    fn order(&self) -> Option<u32> {
        match self {
            Self::UnderWay { order, .. } => Some(*order),
            Self::Done(_) => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// With so many hands that take orders.
    fn ahead(hands: u32) -> Ahead<u32, &'static str, String> {
        let mut ahead = Ahead::default();
        for hand in 1..=hands {
            ahead.start(hand);
            ahead.is_ready(hand);
        }
        ahead
    }

    /// Hands out what there is to be handed out of a line: hands, keys and orders.
    fn hand_out(ahead: &mut Ahead<u32, &'static str, String>, line: &[u32]) -> Vec<(u32, u32, u32)> {
        let mut out = Vec::new();
        while let Some((hand, place)) = ahead.idle().zip(ahead.next(line)) {
            out.push((hand, line[place], ahead.hand_out(hand, line[place], "beside")));
        }
        out
    }

    fn done(beside: &str) -> String {
        format!("done {beside}")
    }

    #[test]
    fn each_hand_has_one_piece_and_the_engine_one_of_its_own() {
        let mut ahead = ahead(2);
        assert_eq!(hand_out(&mut ahead, &[1, 2, 3, 4]), [(1, 1, 1), (2, 2, 2)]);
        assert_eq!((ahead.idle(), ahead.order_of(&1), ahead.order_of(&3)), (None, Some(1), None));
        // While the engine waits it takes the next one itself, and no more than that.
        assert_eq!(ahead.next(&[1, 2, 3, 4]), Some(2));
        ahead.keep(3, "own".to_owned());
        assert_eq!(ahead.next(&[1, 2, 3, 4]), None);
        ahead.finish(1, 1, done);
        assert_eq!(hand_out(&mut ahead, &[2, 3, 4]), [], "what is done waits to be taken");
        assert_eq!(ahead.take(&1).as_deref(), Some("done beside"));
        assert_eq!(ahead.take(&1), None);
        assert_eq!(hand_out(&mut ahead, &[2, 3, 4]), [(1, 4, 3)]);
        assert_eq!((ahead.take(&3).as_deref(), ahead.take(&2)), (Some("own"), None));
    }

    #[test]
    fn what_is_not_in_line_any_more_is_dropped_and_the_hand_is_free_when_it_answers() {
        let mut ahead = ahead(1);
        hand_out(&mut ahead, &[1, 2]);
        ahead.attend_to(&[7, 8]);
        assert_eq!((ahead.order_of(&1), ahead.idle()), (None, None));
        ahead.finish(1, 1, done);
        assert_eq!(ahead.take(&1), None);
        assert_eq!(hand_out(&mut ahead, &[8]), [(1, 8, 2)]);
        // The very same piece, asked for anew, is not the one of before.
        ahead.attend_to(&[]);
        ahead.finish(1, 2, done);
        hand_out(&mut ahead, &[8]);
        ahead.finish(1, 2, done);
        assert_eq!((ahead.take(&8), ahead.order_of(&8)), (None, Some(3)));
    }

    #[test]
    fn what_a_lost_hand_had_is_to_be_done_again_and_what_it_did_stays() {
        let mut ahead = ahead(2);
        hand_out(&mut ahead, &[1, 2]);
        ahead.finish(1, 1, done);
        assert_eq!(ahead.hand_at(2), Some(2));
        ahead.lose(1);
        ahead.lose(2);
        assert_eq!((ahead.order_of(&2), ahead.hand_at(2)), (None, None));
        assert!(ahead.take(&1).is_some());
        assert_eq!(ahead.next(&[2, 3]), None, "without hands there is nothing ahead");
        // Whatever it had still to say is not heard.
        ahead.finish(2, 2, done);
        ahead.is_ready(2);
        assert_eq!((ahead.take(&2), ahead.idle()), (None, None));
    }

    #[test]
    fn a_hand_that_is_being_started_gets_nothing() {
        let mut ahead: Ahead<u32, &str, String> = Ahead::default();
        ahead.start(5);
        assert_eq!(ahead.idle(), None);
        ahead.is_ready(5);
        assert_eq!(ahead.idle(), Some(5));
    }
}
