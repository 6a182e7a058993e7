//! A cache of directions: texts contracted with every output matrix.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, PoisonError};

use crate::decompose::{Direction, Readout};

/// The number of cached directions. A page has fewer phrases and differences of phrases.
const KEPT: usize = 64;

/// The directions of the texts that were used last.
///
/// To contract a text with every layer's output matrix takes longer than everything that follows from the direction.
/// The next photo, the next frame and the next ablation use the same phrases, so the directions are cached.
#[derive(Debug, Default)]
pub struct Directions(Mutex<VecDeque<Arc<Direction>>>);

impl Directions {
    /// Returns [`Readout::direction`] of a text. All calls must pass the same readout.
    pub fn of(&self, readout: &Readout, text: &[f32]) -> Arc<Direction> {
        if let Some(direction) = self.kept(text) {
            return direction;
        }
        let direction = Arc::new(readout.direction(text));
        let mut kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        kept.truncate(KEPT - 1);
        kept.push_front(direction.clone());
        direction
    }

    /// Returns a cached direction and moves it to the front.
    fn kept(&self, text: &[f32]) -> Option<Arc<Direction>> {
        let mut kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let place = kept.iter().position(|direction| direction.text() == text)?;
        let direction = kept.remove(place)?;
        kept.push_front(direction.clone());
        Some(direction)
    }
}
