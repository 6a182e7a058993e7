//! The texts of a pool, and the property of each text.

use std::collections::HashMap;
use std::fmt::Write as _;

use crate::checkpoint::CheckpointError;
use crate::naming::PoolMix;

/// The texts of a pool in the order of the file, each once.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PoolTexts {
    pub texts: Vec<String>,
    /// The names of the properties, in alphabetical order.
    pub properties: Vec<String>,
    /// The property of each text, as an index into `properties`.
    pub of_texts: Vec<Option<usize>>,
}

/// A line of the file that makes no sense.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PoolLineError {
    #[error("line {0} has two TABs: write the text, one TAB and the text's property")]
    TwoTabs(usize),
    #[error("line {0} has a property, but no text before the TAB")]
    NoText(usize),
    #[error(
        "lines {first} and {second} give the text \u{201c}{text}\u{201d} two properties: remove one of these lines"
    )]
    TwoProperties { first: usize, second: usize, text: String },
    #[error("it holds no text")]
    Empty,
}

impl PoolLineError {
    /// Returns the error about the pool in this file.
    pub fn of_file(self, file: &str) -> CheckpointError {
        CheckpointError::Malformed { file: file.to_owned(), kind: "text pool", reason: self.to_string() }
    }
}

impl PoolTexts {
    /// Parses lines of the form `text`, or `text<TAB>property`. Blank lines are left out, and so are repeated lines.
    ///
    /// # Errors
    /// [`PoolLineError`], with the number of the line, counted from 1.
    pub fn parse(file: &str) -> Result<Self, PoolLineError> {
        // The number of each text's line, and its property.
        let mut seen = HashMap::<&str, (usize, Option<&str>)>::new();
        let mut lines: Vec<(&str, Option<&str>)> = Vec::new();
        for (index, line) in file.lines().enumerate() {
            let number = index + 1;
            let Some((text, property)) = parse_line(line, number)? else { continue };
            match seen.insert(text, (number, property)) {
                None => lines.push((text, property)),
                Some((_, first)) if first == property => {}
                Some((first, _)) => {
                    let text = text.to_owned();
                    return Err(PoolLineError::TwoProperties { first, second: number, text });
                }
            }
        }
        if lines.is_empty() {
            return Err(PoolLineError::Empty);
        }
        Ok(Self::of_lines(&lines))
    }

    /// Returns the texts at these indices. Properties that no text has are left out.
    pub fn at(&self, indices: &[usize]) -> Self {
        let line = |index: &usize| (self.texts[*index].as_str(), self.property_of(*index));
        Self::of_lines(&indices.iter().map(line).collect::<Vec<_>>())
    }

    /// Returns the number of texts.
    pub fn len(&self) -> usize {
        self.texts.len()
    }

    /// Returns whether there is no text.
    pub fn is_empty(&self) -> bool {
        self.texts.is_empty()
    }

    fn of_lines(lines: &[(&str, Option<&str>)]) -> Self {
        let mut properties: Vec<&str> = lines.iter().filter_map(|(_, property)| *property).collect();
        properties.sort_unstable();
        properties.dedup();
        let index = |property: &str| properties.binary_search(&property).ok();
        Self {
            texts: lines.iter().map(|(text, _)| (*text).to_owned()).collect(),
            of_texts: lines.iter().map(|(_, property)| property.and_then(index)).collect(),
            properties: properties.into_iter().map(str::to_owned).collect(),
        }
    }

    /// Returns the file that [`Self::parse`] reads.
    pub fn to_file(&self) -> String {
        let mut file = String::new();
        for (index, text) in self.texts.iter().enumerate() {
            // Writing to a string does not fail.
            let _written = match self.property_of(index) {
                Some(property) => writeln!(file, "{text}\t{property}"),
                None => writeln!(file, "{text}"),
            };
        }
        file
    }

    /// Returns the name of a text's property.
    pub fn property_of(&self, text: usize) -> Option<&str> {
        let property = self.of_texts.get(text).copied().flatten()?;
        self.properties.get(property).map(String::as_str)
    }

    /// Returns how many texts each property has.
    pub fn mix(&self) -> PoolMix {
        PoolMix::new(self.properties.len(), &self.of_texts)
    }
}

/// Returns the text and the property of a line; `None` for a blank line.
fn parse_line<'a>(line: &'a str, number: usize) -> Result<Option<(&'a str, Option<&'a str>)>, PoolLineError> {
    // Some editors write a byte order mark at the beginning of a file.
    let trimmed = |field: &'a str| field.trim_matches(|c: char| c.is_whitespace() || c == '\u{feff}');
    if trimmed(line).is_empty() {
        return Ok(None);
    }
    let mut fields = line.split('\t').map(trimmed);
    let (text, property) = (fields.next().unwrap_or_default(), fields.next());
    if fields.next().is_some() {
        return Err(PoolLineError::TwoTabs(number));
    }
    if text.is_empty() {
        return Err(PoolLineError::NoText(number));
    }
    Ok(Some((text, property.filter(|property| !property.is_empty()))))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_property_follows_the_tab() {
        let pool =
            PoolTexts::parse("\u{feff}a red wall\tcolour\r\n\n a cat \nfog\tweather\nno group\t\n").unwrap();
        assert_eq!(pool.texts, ["a red wall", "a cat", "fog", "no group"]);
        assert_eq!(pool.properties, ["colour", "weather"]);
        assert_eq!(pool.of_texts, [Some(0), None, Some(1), None]);
        assert_eq!((pool.property_of(2), pool.property_of(1)), (Some("weather"), None));
        assert_eq!(pool.mix().counts(), [1, 1]);
        assert_eq!(PoolTexts::parse(&pool.to_file()), Ok(pool));
    }

    #[test]
    fn a_repeated_line_counts_once() {
        let pool = PoolTexts::parse("a cat\tanimal\na dog\na cat \t animal\na dog").unwrap();
        assert_eq!(pool.texts, ["a cat", "a dog"]);
    }

    #[test]
    fn lines_without_sense_are_refused_by_number() {
        assert_eq!(PoolTexts::parse("a\n\nb\tc\td"), Err(PoolLineError::TwoTabs(3)));
        assert_eq!(PoolTexts::parse("a\n\tcolour"), Err(PoolLineError::NoText(2)));
        let two = |file| match PoolTexts::parse(file) {
            Err(PoolLineError::TwoProperties { first, second, .. }) => (first, second),
            other => panic!("{other:?}"),
        };
        assert_eq!(two("red\tcolour\n\nred\twine"), (1, 3));
        assert_eq!(two("red\nred\twine"), (1, 2));
        assert_eq!(PoolTexts::parse(" \n\t\n"), Err(PoolLineError::Empty));
    }

    #[test]
    fn the_order_of_the_lines_does_not_number_the_properties() {
        let pool = PoolTexts::parse("a\tz\nb\ty").unwrap();
        assert_eq!((pool.properties, pool.of_texts), (vec!["y".into(), "z".into()], vec![Some(1), Some(0)]));
    }
}
