//! The user's phrases, in the user's order, without duplicates.

use std::convert::Infallible;
use std::fmt;
use std::str::FromStr;

use crate::text::lines;

/// The phrases to score, in order. The text form has one phrase per line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PhraseList(Vec<String>);

/// Example phrases for the sample photos. The model is right about some of them and wrong about others. The
/// precomputed results of the samples are for these phrases.
const EXAMPLES: &str = include_str!("../../../www/samples/phrases.txt");

impl Default for PhraseList {
    fn default() -> Self {
        Self(lines(EXAMPLES).collect())
    }
}

impl PhraseList {
    pub fn as_slice(&self) -> &[String] {
        &self.0
    }

    pub fn contains(&self, phrase: &str) -> bool {
        self.0.iter().any(|known| known == phrase)
    }

    /// Adds the phrases of `text`, one per line. Returns whether any of them is new.
    pub fn add(&mut self, text: &str) -> bool {
        let before = self.0.len();
        for line in lines(text) {
            if !self.contains(&line) {
                self.0.push(line);
            }
        }
        self.0.len() > before
    }

    pub fn remove(&mut self, phrase: &str) {
        self.0.retain(|known| known != phrase);
    }

    /// Returns all phrases but one.
    pub fn others(&self, phrase: &str) -> Vec<String> {
        self.0.iter().filter(|other| *other != phrase).cloned().collect()
    }
}

impl fmt::Display for PhraseList {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0.join("\n"))
    }
}

impl FromStr for PhraseList {
    type Err = Infallible;

    fn from_str(text: &str) -> Result<Self, Infallible> {
        let mut list = Self(Vec::new());
        list.add(text);
        Ok(list)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn list(text: &str) -> PhraseList {
        let Ok(list) = text.parse();
        list
    }

    #[test]
    fn pasted_lines_become_phrases_once_each() {
        let mut phrases = list("a cat\r\n\n  a   dog \t\na cat\n\u{a0}\n");
        assert_eq!(phrases.as_slice(), ["a cat", "a dog"]);
        assert!(!phrases.add("a dog"), "nothing new");
        assert!(phrases.add("a bird\na cat"));
        assert_eq!(phrases.as_slice(), ["a cat", "a dog", "a bird"]);
        assert_eq!(phrases.others("a dog"), ["a cat", "a bird"]);
        phrases.remove("a cat");
        assert_eq!(phrases.as_slice(), ["a dog", "a bird"]);
    }

    #[test]
    fn a_stored_list_is_read_back() {
        for phrases in [PhraseList::default(), list(""), list("ein Schäferhund 🐕")] {
            assert_eq!(list(&phrases.to_string()), phrases);
        }
    }
}
