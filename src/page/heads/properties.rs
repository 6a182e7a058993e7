//! The properties that name a model's heads: the heads of each, and the mark by which the page shows each.

use std::collections::BTreeSet;

use crate::page::common::colour;
use crate::protocol::{HeadNames, NamedHead};
use crate::text::units;

/// The properties of a pool, and the heads that each property names.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Properties {
    /// All properties, in the order of the pool's list.
    pub all: Vec<Property>,
    /// Each head's property, as an index into `all`; `None` for a mixed head. `[layer][head]`
    of_head: Vec<Vec<Option<usize>>>,
}

/// A property, with the heads that have it as their name.
#[derive(Clone, Debug, PartialEq)]
pub struct Property {
    pub name: String,
    pub mark: Mark,
    /// The heads, the largest share first.
    pub heads: Vec<HeadOfProperty>,
}

/// A head that has the property as its name.
#[derive(Clone, Debug, PartialEq)]
pub struct HeadOfProperty {
    /// (layer, head)
    pub head: (usize, usize),
    /// The share of the explained variance that falls to the property.
    pub share: f32,
    /// The head's texts, the first one first.
    pub texts: Vec<String>,
}

/// The sign of a property in the grid: a short label over a coloured line. No two properties have the same short
/// label. Up to 24 properties differ also in colour or line.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Mark {
    /// One letter or two, or a letter and a number.
    pub short: String,
    pub colour: [u8; 3],
    pub line: Line,
}

/// The pattern of a mark's line.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Line {
    Solid,
    Dashed,
    Dotted,
}

impl Line {
    /// Returns the name of the line's CSS class.
    pub fn class(self) -> &'static str {
        match self {
            Self::Solid => "solid",
            Self::Dashed => "dashed",
            Self::Dotted => "dotted",
        }
    }
}

impl Properties {
    /// Groups the heads by their names.
    pub fn new(names: &HeadNames) -> Self {
        let marks = marks(&names.properties);
        let property = |(index, (name, mark)): (usize, (&String, Mark))| {
            let heads = heads_of(names, index);
            Property { name: name.clone(), mark, heads }
        };
        Self {
            all: names.properties.iter().zip(marks).enumerate().map(property).collect(),
            of_head: names.heads.iter().map(|heads| heads.iter().map(|head| head.property).collect()).collect(),
        }
    }

    /// Returns a head's property; `None` for a mixed head.
    pub fn of(&self, (layer, head): (usize, usize)) -> Option<&Property> {
        self.all.get((*self.of_head.get(layer)?.get(head)?)?)
    }

    /// Returns the property with a name.
    pub fn named(&self, name: &str) -> Option<&Property> {
        self.all.iter().find(|property| property.name == name)
    }

    /// Returns the property whose heads are exactly these.
    pub fn with_heads(&self, heads: &BTreeSet<(usize, usize)>) -> Option<&Property> {
        self.in_use().find(|property| property.heads().into_iter().collect::<BTreeSet<_>>() == *heads)
    }

    /// Returns the properties that name at least one head.
    pub fn in_use(&self) -> impl Iterator<Item = &Property> {
        self.all.iter().filter(|property| !property.heads.is_empty())
    }

    /// Says how many heads have names: "41 of 72 heads have names, from 18 properties".
    pub fn summary(&self) -> String {
        let named: usize = self.all.iter().map(|property| property.heads.len()).sum();
        let heads = self.of_head.iter().map(Vec::len).sum::<usize>() as u64;
        let properties = units::plural(self.in_use().count() as u64, "property", "properties");
        format!("{named} of {} have names, from {properties}", units::plural(heads, "head", "heads"))
    }
}

impl Property {
    /// Returns the heads, (layer, head).
    pub fn heads(&self) -> Vec<(usize, usize)> {
        self.heads.iter().map(|head| head.head).collect()
    }

    /// Returns each head with its texts.
    pub fn members_and_texts(&self) -> Vec<((usize, usize), Vec<String>)> {
        self.heads.iter().map(|head| (head.head, head.texts.clone())).collect()
    }

    /// Returns the first text of each head, each text once.
    pub fn first_texts(&self) -> Vec<&str> {
        let mut texts = Vec::new();
        for text in self.heads.iter().filter_map(|head| head.texts.first()) {
            if !texts.contains(&text.as_str()) {
                texts.push(text.as_str());
            }
        }
        texts
    }
}

/// Returns the heads that a property names, the largest share first.
fn heads_of(names: &HeadNames, property: usize) -> Vec<HeadOfProperty> {
    let each = names.heads.iter().enumerate();
    let each =
        each.flat_map(|(layer, heads)| heads.iter().enumerate().map(move |(head, named)| ((layer, head), named)));
    let of_property = each.filter(|(_head, named)| named.property == Some(property));
    let mut heads: Vec<HeadOfProperty> = of_property
        .map(|(head, NamedHead { share, texts, .. })| HeadOfProperty {
            head,
            share: *share,
            texts: texts.iter().map(|label| label.text.clone()).collect(),
        })
        .collect();
    heads.sort_by(|a, b| b.share.total_cmp(&a.share));
    heads
}

/// Returns a mark for each property, by its place in the list.
fn marks(properties: &[String]) -> Vec<Mark> {
    const LINES: [Line; 3] = [Line::Solid, Line::Dashed, Line::Dotted];
    let colours = colour::PROPERTIES;
    let mark = |(index, short): (usize, String)| Mark {
        short,
        colour: colours[index % colours.len()],
        line: LINES[index / colours.len() % LINES.len()],
    };
    short_labels(properties).into_iter().enumerate().map(mark).collect()
}

/// Returns a short label for each name, no label twice: the first letter with a later letter of the name, or with a
/// number.
fn short_labels(names: &[String]) -> Vec<String> {
    let mut taken = BTreeSet::new();
    let mut short_label = |name: &String| {
        let letters: Vec<char> = name.chars().filter(|letter| letter.is_alphanumeric()).collect();
        let first = letters.first().and_then(|letter| letter.to_uppercase().next()).unwrap_or('?');
        let alone = (letters.len() < 2).then(|| first.to_string());
        let pairs = letters.iter().skip(1).map(|second| format!("{first}{second}"));
        // Among this many different labels, one is free.
        let numbered = (2..names.len() + 3).map(|number| format!("{first}{number}"));
        let free = alone.into_iter().chain(pairs).chain(numbered).find(|label| !taken.contains(label));
        let label = free.unwrap_or_default();
        taken.insert(label.clone());
        label
    };
    names.iter().map(&mut short_label).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::protocol::HeadLabel;

    fn strings(names: &[&str]) -> Vec<String> {
        names.iter().map(|name| (*name).to_owned()).collect()
    }

    /// The properties of the default pool.
    const DEFAULT: [&str; 22] = [
        "action",
        "bird",
        "city",
        "clothing",
        "colour",
        "creature",
        "dog",
        "food",
        "gadget",
        "household",
        "indoor",
        "layout",
        "mammal",
        "nature",
        "people",
        "plant",
        "style",
        "texture",
        "tone",
        "vehicle",
        "weather",
        "writing",
    ];

    fn named(property: Option<usize>, share: f32, first: &str) -> NamedHead {
        let text = HeadLabel { text: first.to_owned(), property: None, variance_explained: 0.1 };
        NamedHead { property, share, p_value: 0.01, consistency: 0.5, texts: vec![text] }
    }

    fn names() -> HeadNames {
        HeadNames {
            properties: strings(&["colour", "tone", "dog"]),
            heads: vec![
                vec![named(Some(1), 0.5, "a dark picture"), named(None, 0.3, "many things")],
                vec![named(Some(1), 0.75, "a bright picture"), named(Some(0), 0.5, "red")],
            ],
            images: 40,
            consistency: 0.5,
            entanglement: 0.1,
        }
    }

    #[test]
    fn heads_are_grouped_by_name_with_the_largest_share_first() {
        let properties = Properties::new(&names());
        assert_eq!(
            properties.all.iter().map(Property::heads).collect::<Vec<_>>(),
            [vec![(1, 1)], vec![(1, 0), (0, 0)], vec![]]
        );
        assert_eq!(properties.of((0, 0)).map(|property| property.name.as_str()), Some("tone"));
        assert_eq!(properties.of((0, 1)), None, "a mixed head");
        assert_eq!(properties.of((7, 7)), None, "no such head");
        assert_eq!(properties.named("tone").unwrap().first_texts(), ["a bright picture", "a dark picture"]);
        assert_eq!(properties.in_use().count(), 2);
        assert_eq!(properties.summary(), "3 of 4 heads have names, from 2 properties");
        let set = [(0, 0), (1, 0)].into();
        assert_eq!(properties.with_heads(&set).map(|property| property.name.as_str()), Some("tone"));
        assert_eq!(properties.with_heads(&BTreeSet::new()), None, "a property without heads is not meant");
    }

    #[test]
    fn every_default_property_has_a_mark_of_its_own() {
        let marks = marks(&strings(&DEFAULT));
        for (index, a) in marks.iter().enumerate() {
            assert_eq!(a.short.chars().count(), 2, "{a:?}");
            assert!(DEFAULT[index].to_uppercase().starts_with(&a.short[..1]), "{a:?}");
            for b in &marks[..index] {
                assert!(a.short != b.short && (a.colour, a.line) != (b.colour, b.line), "{a:?} {b:?}");
            }
        }
        assert_eq!([&marks[2].short, &marks[3].short, &marks[4].short], ["Ci", "Cl", "Co"]);
    }

    #[test]
    fn any_number_of_properties_gets_different_labels() {
        let many: Vec<String> =
            (0..60).map(|_| "aa".to_owned()).chain(strings(&["", "B", "b", "Öl", "鳥類"])).collect();
        let marks = marks(&many);
        let labels: BTreeSet<&str> = marks.iter().map(|mark| mark.short.as_str()).collect();
        assert_eq!(labels.len(), many.len());
        assert_eq!(marks[61].short, "B");
        assert_eq!(marks[63].short, "Öl");
        assert!(marks.iter().all(|mark| (1..=3).contains(&mark.short.chars().count())), "{labels:?}");
        assert_eq!(marks[24].colour, marks[0].colour, "the colours start again");
    }
}
