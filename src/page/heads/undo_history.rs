//! Undo and redo of one value.

/// The earlier values and, after an undo, the later ones. The present value is stored too, so that an undo does not
/// count as a new change.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct History<T> {
    past: Vec<T>,
    present: T,
    future: Vec<T>,
}

/// The number of steps that can be undone.
const LONGEST: usize = 200;

impl<T: Clone + PartialEq> History<T> {
    /// Starts a new history with `present`.
    pub fn of(present: T) -> Self {
        Self { past: Vec::new(), present, future: Vec::new() }
    }

    /// Records a change and drops the values that were undone. If `now` is the present value, nothing changes.
    pub fn record(&mut self, now: &T) {
        if *now == self.present {
            return;
        }
        self.past.push(std::mem::replace(&mut self.present, now.clone()));
        self.future.clear();
        if self.past.len() > LONGEST {
            self.past.remove(0);
        }
    }

    /// Goes one step back; `None` at the beginning.
    pub fn undo(&mut self) -> Option<T> {
        let before = self.past.pop()?;
        self.future.push(std::mem::replace(&mut self.present, before.clone()));
        Some(before)
    }

    /// Goes one step forward again; `None` if nothing was undone.
    pub fn redo(&mut self) -> Option<T> {
        let after = self.future.pop()?;
        self.past.push(std::mem::replace(&mut self.present, after.clone()));
        Some(after)
    }

    pub fn can_undo(&self) -> bool {
        !self.past.is_empty()
    }

    pub fn can_redo(&self) -> bool {
        !self.future.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn undo_and_redo_walk_the_same_steps() {
        let mut history = History::of(0);
        (1..=3).for_each(|value| history.record(&value));
        assert_eq!(
            [history.undo(), history.undo(), history.undo(), history.undo()],
            [Some(2), Some(1), Some(0), None]
        );
        assert_eq!(
            [history.redo(), history.redo(), history.redo(), history.redo()],
            [Some(1), Some(2), Some(3), None]
        );
    }

    #[test]
    fn a_change_ends_the_undone_future_and_an_echo_does_not() {
        let mut history = History::of(0);
        history.record(&1);
        let back = history.undo().unwrap();
        history.record(&back);
        assert!(history.can_redo(), "the echo of the undo is no change");
        history.record(&7);
        assert!(!history.can_redo());
        assert_eq!(history.undo(), Some(0));
    }

    #[test]
    fn the_past_is_bounded() {
        let mut history = History::of(0);
        (1..=2 * LONGEST).for_each(|value| history.record(&value));
        assert_eq!(std::iter::from_fn(|| history.undo()).count(), LONGEST);
    }
}
