//! A cache of directions: texts contracted with every output matrix.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, PoisonError};

use crate::decompose::{Direction, Readout};

/// The number of cached directions. A page has fewer phrases and differences of phrases.
const MOST_STORED: usize = 64;

/// The directions of the most recently used texts.
///
/// Contracting a text with every layer's output matrix takes longer than all computations that use the direction. The
/// next photo, the next frame and the next ablation use the same phrases, so the directions are cached.
#[derive(Debug, Default)]
pub struct Directions(Mutex<VecDeque<Arc<Direction>>>);

impl Directions {
    /// Returns [`Readout::direction`] of a text. All calls must pass the same readout.
    pub fn of(&self, readout: &Readout, text: &[f32]) -> Arc<Direction> {
        if let Some(direction) = self.stored(text) {
            return direction;
        }
        let direction = Arc::new(readout.direction(text));
        let mut stored = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        stored.truncate(MOST_STORED - 1);
        stored.push_front(direction.clone());
        direction
    }

    /// Returns a cached direction and moves it to the front.
    fn stored(&self, text: &[f32]) -> Option<Arc<Direction>> {
        let mut stored = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let place = stored.iter().position(|direction| direction.text() == text)?;
        let direction = stored.remove(place)?;
        stored.push_front(direction.clone());
        Some(direction)
    }
}
