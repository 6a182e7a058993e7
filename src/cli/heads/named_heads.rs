//! The answer of `headlamp heads`: each head with its name and its texts.

use serde::Serialize;

use crate::cli::output::CommandAnswer;
use crate::naming::CONSISTENCY_TEXTS;
use crate::protocol::{HeadLabel, HeadNames, NamedHead};
use crate::session::Session;
use crate::text::units;

#[derive(Serialize)]
pub struct HeadsAnswer<'a> {
    pack: &'a str,
    /// Number of pictures behind the statistics.
    images: u64,
    /// Number of texts to choose from.
    pool: usize,
    /// The properties of the texts.
    properties: &'a [String],
    /// The mean consistency of all heads of the model that have a name.
    consistency: f32,
    /// How much all heads of the model share properties, from 0 to 1.
    entanglement: f32,
    heads: Vec<LabelledHead<'a>>,
}

#[derive(Serialize)]
struct LabelledHead<'a> {
    layer: usize,
    head: usize,
    /// `None`: mixed.
    name: Option<&'a str>,
    share: f32,
    p_value: f32,
    consistency: f32,
    texts: Vec<String>,
    labels: Vec<HeadLabel>,
}

impl<'a> HeadsAnswer<'a> {
    /// Makes the answer from the names and texts of all heads, `[layer][head]`: the first `top` texts of each head for
    /// which `is_wanted(layer, head)` is true.
    pub fn new(
        session: &'a Session,
        names: &'a HeadNames,
        labels: Vec<Vec<Vec<HeadLabel>>>,
        top: usize,
        is_wanted: impl Fn(usize, usize) -> bool,
    ) -> Self {
        let mut heads = Vec::new();
        for (layer, (named, labels)) in names.heads.iter().zip(labels).enumerate() {
            for (head, (named, labels)) in named.iter().zip(labels).enumerate() {
                if is_wanted(layer, head) {
                    let labels = labels.into_iter().take(top).collect();
                    heads.push(LabelledHead::new((layer, head), named, names.name(named), labels));
                }
            }
        }
        Self {
            pack: &session.manifest().name,
            images: names.images,
            pool: session.pool().map_or(0, |pool| pool.texts.len()),
            properties: &names.properties,
            consistency: names.consistency,
            entanglement: names.entanglement,
            heads,
        }
    }
}

impl<'a> LabelledHead<'a> {
    fn new(
        (layer, head): (usize, usize),
        named: &NamedHead,
        name: Option<&'a str>,
        labels: Vec<HeadLabel>,
    ) -> Self {
        Self {
            layer,
            head,
            name,
            share: named.share,
            p_value: named.p_value,
            consistency: named.consistency,
            texts: labels.iter().map(|label| label.text.clone()).collect(),
            labels,
        }
    }

    /// Returns the head's place and its name, with the figures that the name depends on.
    fn title(&self) -> String {
        let Self { layer, head, share, consistency, p_value, .. } = self;
        let figures = || {
            let share = units::percent(*share);
            let first = (consistency * CONSISTENCY_TEXTS as f32).round();
            format!("share {share}, {first} of the first {CONSISTENCY_TEXTS} texts, p {p_value:.1e}")
        };
        match self.name {
            Some(name) => format!("layer {layer} head {head}: {name} ({})", figures()),
            None => format!("layer {layer} head {head}: mixed"),
        }
    }
}

impl CommandAnswer for HeadsAnswer<'_> {
    fn in_words(&self) -> String {
        let Self { pack, images, pool, .. } = self;
        let mut lines = vec![format!(
            "{pack}; texts: {pool}; pictures: {images}. Before each text: the share of the head's variance that this \
             text and the texts above it explain together"
        )];
        for head in &self.heads {
            let title = if self.properties.is_empty() {
                format!("layer {} head {}", head.layer, head.head)
            } else {
                head.title()
            };
            lines.push(format!("\n{title}"));
            let line = |label: &HeadLabel| format!("  {:5.1} %  {}", label.variance_explained * 100.0, label.text);
            lines.extend(head.labels.iter().map(line));
        }
        lines.join("\n")
    }
}
