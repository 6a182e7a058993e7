//! The scores of the same phrases in two models.
//!
//! The cosines of two models are not on one scale: each model has its own spread of cosines, and multiplies them by its
//! own logit scale. The probabilities (the softmax over the same phrases) and the ranks can be compared.

use crate::protocol::Attribution;

/// Differences of probabilities below this are not called a preference.
const ALIKE: f32 = 0.005;

/// One of the two models.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Side {
    First,
    Second,
}

impl Side {
    /// Returns the model's letter in the view.
    pub fn letter(self) -> &'static str {
        match self {
            Self::First => "A",
            Self::Second => "B",
        }
    }

    /// Returns the model's name in the markup.
    pub fn name(self) -> &'static str {
        match self {
            Self::First => "first",
            Self::Second => "second",
        }
    }
}

/// The figures of a phrase in one model.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct PhraseFigures {
    /// The cosine of photo and phrase.
    pub score: f32,
    /// The softmax over all phrases.
    pub probability: f32,
    /// The place of the phrase among all phrases: 1 has the highest score.
    pub rank: usize,
}

/// The figures of a phrase in both models; `None` until a model has scored these phrases.
#[derive(Clone, Debug, PartialEq)]
pub struct PhrasePair {
    pub phrase: String,
    pub first: Option<PhraseFigures>,
    pub second: Option<PhraseFigures>,
}

impl PhrasePair {
    /// Returns the model that gives the phrase more probability, and the difference. `None` if both give about the
    /// same.
    pub fn favoured_by(&self) -> Option<(Side, f32)> {
        let more = self.first?.probability - self.second?.probability;
        let side = if more > 0.0 { Side::First } else { Side::Second };
        (more.abs() >= ALIKE).then_some((side, more.abs()))
    }
}

/// Returns the figures of every phrase, in the order of `phrases`. Probabilities and ranks belong to a set of phrases,
/// so the figures of a model are left out if the model has scored another set.
pub fn pairs(phrases: &[String], first: Option<&Attribution>, second: Option<&Attribution>) -> Vec<PhrasePair> {
    let first = first.filter(|scores| is_about(scores, phrases));
    let second = second.filter(|scores| is_about(scores, phrases));
    let pair = |phrase: &String| PhrasePair {
        phrase: phrase.clone(),
        first: first.and_then(|scores| figures(scores, phrase)),
        second: second.and_then(|scores| figures(scores, phrase)),
    };
    phrases.iter().map(pair).collect()
}

/// Returns whether the scores are of exactly these phrases, in any order.
fn is_about(scores: &Attribution, phrases: &[String]) -> bool {
    scores.texts.len() == phrases.len() && phrases.iter().all(|phrase| scores.texts.contains(phrase))
}

fn figures(scores: &Attribution, phrase: &str) -> Option<PhraseFigures> {
    let index = scores.texts.iter().position(|text| text == phrase)?;
    let score = *scores.scores.get(index)?;
    let higher = scores.scores.iter().filter(|other| **other > score).count();
    Some(PhraseFigures { score, probability: *scores.probabilities.get(index)?, rank: higher + 1 })
}

/// Returns the phrase that each model puts first; `None` while a model's figures are missing.
pub fn tops(pairs: &[PhrasePair]) -> Option<(&str, &str)> {
    let top = |figures: fn(&PhrasePair) -> Option<PhraseFigures>| {
        let found = pairs.iter().find(|pair| figures(pair).is_some_and(|figures| figures.rank == 1));
        found.map(|pair| pair.phrase.as_str())
    };
    Some((top(|pair| pair.first)?, top(|pair| pair.second)?))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn phrases(list: &[&str]) -> Vec<String> {
        list.iter().map(|phrase| (*phrase).to_owned()).collect()
    }

    fn scores(list: &[(&str, f32, f32)]) -> Attribution {
        Attribution {
            texts: list.iter().map(|(text, ..)| (*text).to_owned()).collect(),
            scores: list.iter().map(|(_, score, _)| *score).collect(),
            probabilities: list.iter().map(|(.., probability)| *probability).collect(),
            heads: Vec::new(),
            mlps: Vec::new(),
            embedding: Vec::new(),
            intact: None,
            means: None,
        }
    }

    #[test]
    fn phrases_are_aligned_by_text_and_not_by_place() {
        let first = scores(&[("a cat", 0.31, 0.8), ("a dog", 0.29, 0.2)]);
        let second = scores(&[("a dog", 0.12, 0.6), ("a cat", 0.11, 0.4)]);
        let found = pairs(&phrases(&["a dog", "a cat"]), Some(&first), Some(&second));
        let figures = |score, probability, rank| Some(PhraseFigures { score, probability, rank });
        let dog =
            PhrasePair { phrase: "a dog".to_owned(), first: figures(0.29, 0.2, 2), second: figures(0.12, 0.6, 1) };
        let cat =
            PhrasePair { phrase: "a cat".to_owned(), first: figures(0.31, 0.8, 1), second: figures(0.11, 0.4, 2) };
        assert_eq!(found, [dog, cat]);
        assert_eq!(tops(&found), Some(("a cat", "a dog")));
    }

    #[test]
    fn scores_of_other_phrases_are_left_out() {
        let first = scores(&[("a cat", 0.3, 1.0)]);
        let second = scores(&[("a cat", 0.1, 0.7), ("a dog", 0.05, 0.3)]);
        let found = pairs(&phrases(&["a cat", "a dog"]), Some(&first), Some(&second));
        assert!(found.iter().all(|pair| pair.first.is_none() && pair.second.is_some()), "{found:?}");
        assert_eq!(tops(&found), None);
        assert_eq!(pairs(&phrases(&["a cat"]), None, None)[0].first, None);
        assert!(pairs(&[], Some(&first), None).is_empty());
    }

    #[test]
    fn the_model_with_more_probability_favours_a_phrase() {
        let pair = |first: Option<f32>, second: Option<f32>| {
            let figures = |probability| PhraseFigures { score: 0.2, probability, rank: 1 };
            PhrasePair { phrase: "x".to_owned(), first: first.map(figures), second: second.map(figures) }
        };
        let (side, more) = pair(Some(0.75), Some(0.25)).favoured_by().unwrap();
        assert_eq!((side, more), (Side::First, 0.5));
        let (side, more) = pair(Some(0.25), Some(0.5)).favoured_by().unwrap();
        assert_eq!((side, more), (Side::Second, 0.25));
        assert_eq!(pair(Some(0.301), Some(0.3)).favoured_by(), None, "about the same");
        assert_eq!(pair(Some(0.3), None).favoured_by(), None);
    }

    #[test]
    fn equal_scores_share_a_rank() {
        let same = scores(&[("a", 0.2, 0.25), ("b", 0.3, 0.5), ("c", 0.2, 0.25)]);
        let found = pairs(&phrases(&["a", "b", "c"]), Some(&same), None);
        let ranks: Vec<_> = found.iter().map(|pair| pair.first.unwrap().rank).collect();
        assert_eq!(ranks, [2, 1, 2]);
    }
}
