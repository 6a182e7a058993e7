//! Texts for people: numbers with their units, and names in natural order.

pub mod natural_order;
pub mod units;

/// Returns the lines of `text` that are not blank, with single spaces between words.
pub fn lines(text: &str) -> impl Iterator<Item = String> {
    let tidy = |line: &str| line.split_whitespace().collect::<Vec<_>>().join(" ");
    text.lines().map(tidy).filter(|line| !line.is_empty())
}
