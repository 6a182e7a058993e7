//! A pool of texts that is embedded part by part, so that other requests are answered between two parts.

use super::pool::Pool;
use super::pool_texts::PoolTexts;
use super::{Session, SessionError};

/// The aim for one part, in seconds. A request waits for one part at most.
const PART_SECONDS: f64 = 0.1;

/// The most texts of one part. A device that is fast gains nothing from more.
const MOST: usize = 256;

/// A pool whose first texts are embedded.
#[derive(Clone, Debug, PartialEq)]
pub struct PoolEmbedding {
    texts: PoolTexts,
    /// Unit vectors of the first texts, `[text][embedding]`.
    embeddings: Vec<f32>,
    done: usize,
}

impl PoolEmbedding {
    /// Prepares a pool. No text is embedded yet.
    pub fn new(texts: PoolTexts) -> Self {
        Self { texts, embeddings: Vec::new(), done: 0 }
    }

    /// Returns the number of texts that are embedded.
    pub fn done(&self) -> usize {
        self.done
    }

    /// Returns the number of all texts.
    pub fn total(&self) -> usize {
        self.texts.len()
    }

    /// Embeds the next `count` texts, or those that are left.
    ///
    /// # Errors
    /// If a text is too long for the text tower, or the device fails. The pool is unchanged then.
    pub async fn embed_next(&mut self, session: &Session, count: usize) -> Result<(), SessionError> {
        let end = self.done.saturating_add(count).min(self.total());
        let texts = &self.texts.texts[self.done..end];
        self.embeddings.extend(session.embed_texts(texts, |_done| {}).await?);
        self.done = end;
        Ok(())
    }

    /// Returns the pool.
    ///
    /// # Errors
    /// Returns `self` if some texts are not embedded yet.
    pub fn into_pool(self) -> Result<Pool, Self> {
        if self.done < self.total() {
            return Err(self);
        }
        Ok(Pool { texts: self.texts, embeddings: self.embeddings })
    }
}

/// Returns the number of texts of the next part, after a part of `count` texts took `seconds`. Parts grow and shrink
/// by a factor of two towards [`PART_SECONDS`].
pub fn next_part(count: usize, seconds: f64) -> usize {
    if seconds > PART_SECONDS {
        (count / 2).max(1)
    } else if seconds < PART_SECONDS / 2.0 {
        (count * 2).min(MOST)
    } else {
        count
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_approach_a_tenth_of_a_second() {
        for text_seconds in [0.0001, 0.004, 0.03, 0.5] {
            let mut count = 1;
            for _part in 0..20 {
                count = next_part(count, count as f64 * text_seconds);
            }
            let seconds = count as f64 * text_seconds;
            assert!(seconds <= 2.0 * PART_SECONDS || count == 1, "{count} texts take {seconds} s");
            assert!(seconds >= PART_SECONDS / 4.0 || count == MOST, "{count} texts take only {seconds} s");
        }
    }

    #[test]
    fn a_part_has_at_least_one_text() {
        assert_eq!(next_part(1, 5.0), 1);
        assert_eq!(next_part(MOST, 0.0), MOST);
    }
}
