//! The heads of a model that matter most for a phrase, with their names.

use crate::page::heads::contributions::Contributions;
use crate::protocol::{HeadNames, NamedHead};
use crate::text::units;

/// The number of texts that are shown for each head.
const TEXTS: usize = 3;

/// A head, its value, and what describes it.
#[derive(Clone, Debug, PartialEq)]
pub struct TopHead {
    /// (layer, head)
    pub head: (usize, usize),
    /// The contribution to the phrase's score, or its difference from the mean.
    pub value: f32,
    /// The head's name with the share of its property, or "mixed"; `None` if the model's heads have no names yet.
    pub name: Option<String>,
    /// The first texts of the head.
    pub texts: Vec<String>,
}

/// Returns the `count` heads with the largest absolute values, the largest first.
pub fn top_heads(values: &Contributions, names: Option<&HeadNames>, count: usize) -> Vec<TopHead> {
    let top = |(layer, head, value): (usize, usize, f32)| {
        let named = names.and_then(|names| names.heads.get(layer)?.get(head).map(|named| (names, named)));
        let texts = named.map(|(_names, named)| named.texts.iter().take(TEXTS));
        TopHead {
            head: (layer, head),
            value,
            name: named.map(|(names, named)| name_of(names, named)),
            texts: texts.into_iter().flatten().map(|label| label.text.clone()).collect(),
        }
    };
    values.ranking(count).into_iter().map(top).collect()
}

/// Returns the name of a head: "colour, 62 %", or "mixed".
fn name_of(names: &HeadNames, head: &NamedHead) -> String {
    let property = head.property.and_then(|property| names.properties.get(property));
    property.map_or_else(|| "mixed".to_owned(), |property| format!("{property}, {}", units::percent(head.share)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::protocol::HeadLabel;

    fn contributions() -> Contributions {
        Contributions { heads: vec![vec![0.1, -0.9], vec![0.4, 0.2]], mlps: vec![1.5, -2.0], embedding: 0.1 }
    }

    fn named(property: Option<usize>, texts: &[&str]) -> NamedHead {
        let label = |text: &&str| HeadLabel { text: (*text).to_owned(), property: None, variance_explained: 0.1 };
        NamedHead {
            property,
            share: 0.62,
            p_value: 0.01,
            consistency: 0.6,
            texts: texts.iter().map(label).collect(),
        }
    }

    #[test]
    fn the_strongest_heads_come_first_with_names_and_texts() {
        let names = HeadNames {
            properties: vec!["colour".to_owned(), "tone".to_owned()],
            heads: vec![
                vec![named(None, &[]), named(Some(1), &["dark", "light", "grey", "dim"])],
                vec![named(None, &["a lamp"]), named(Some(0), &[])],
            ],
            images: 40,
            consistency: 0.6,
            entanglement: 0.1,
        };
        let found = top_heads(&contributions(), Some(&names), 2);
        let texts = ["dark", "light", "grey"].map(str::to_owned).to_vec();
        let strongest = TopHead { head: (0, 1), value: -0.9, name: Some("tone, 62 %".to_owned()), texts };
        let second =
            TopHead { head: (1, 0), value: 0.4, name: Some("mixed".to_owned()), texts: vec!["a lamp".to_owned()] };
        assert_eq!(found, [strongest, second]);
    }

    #[test]
    fn heads_without_names_are_still_ranked() {
        let found = top_heads(&contributions(), None, 5);
        assert_eq!(found.len(), 4);
        assert!(found.iter().all(|head| head.name.is_none() && head.texts.is_empty()), "{found:?}");
    }
}
