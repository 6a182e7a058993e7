//! Texts as the residual stream sees them, kept from one question to the next.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, PoisonError};

use crate::decompose::{Direction, Readout};

/// Directions that are kept. A page's phrases, and their differences from what they are held against, are fewer.
const KEPT: usize = 64;

/// The directions of the texts that were asked about last.
///
/// A direction is the text contracted with every layer's output matrix, which takes longer than all that is then asked
/// of it: and the next photo, the next frame and every switched head are asked about by the same phrases.
#[derive(Debug, Default)]
pub struct Directions(Mutex<VecDeque<Arc<Direction>>>);

impl Directions {
    /// [`Readout::direction`] of a text. All texts are asked about with the one readout.
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

    /// The last one asked for lies first.
    fn kept(&self, text: &[f32]) -> Option<Arc<Direction>> {
        let mut kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let place = kept.iter().position(|direction| direction.text() == text)?;
        let direction = kept.remove(place)?;
        kept.push_front(direction.clone());
        Some(direction)
    }
}
