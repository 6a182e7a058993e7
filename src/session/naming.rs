//! The names of the heads (docs/PAPERS.md, 1.15), from their texts.

use super::Session;
use super::error::SessionError;
use super::pool_texts::PoolTexts;
use crate::naming::{HeadProperties, NAMING_TEXTS, WeightedText, name_heads};
use crate::protocol::{HeadLabel, HeadNames, HeadNaming, NamedHead};
use crate::statistics::Statistics;

impl Session {
    /// Finds the texts of one more head, the one nearest to the head that the person looked at last. Names all heads
    /// when every head has its texts.
    ///
    /// # Errors
    /// If there is no pool, or no statistics.
    pub fn name_next_head(&mut self) -> Result<HeadNaming, SessionError> {
        let missing = self.labels.missing(NAMING_TEXTS);
        let Some((layer, head)) = missing.first().copied() else {
            let labels = self.labels_of_all_heads(NAMING_TEXTS)?;
            return Ok(HeadNaming::Named(self.name_heads(labels)?));
        };
        self.find_labels(layer, head, NAMING_TEXTS)?;
        let total = self.model.readout.layers * self.model.readout.heads;
        Ok(HeadNaming::UnderWay { done: total + 1 - missing.len(), total })
    }

    /// Names all heads from their texts, `[layer][head]`. More texts than [`NAMING_TEXTS`] of a head do not count.
    ///
    /// # Errors
    /// If there is no pool.
    pub fn name_heads(&self, mut labels: Vec<Vec<Vec<HeadLabel>>>) -> Result<HeadNames, SessionError> {
        let texts = &self.pool().ok_or(SessionError::NoPool)?.texts;
        let mix = texts.mix();
        labels.iter_mut().flatten().for_each(|labels| labels.truncate(NAMING_TEXTS));
        let heads = labels.iter().flatten();
        let heads: Vec<HeadProperties> =
            heads.map(|labels| HeadProperties::new(&weighted(texts, labels), &mix)).collect();
        let model = name_heads(&heads);
        let mut named = heads.iter().zip(model.names);
        let mut name = |texts: Vec<HeadLabel>| {
            named.next().map(|(head, property)| NamedHead {
                property,
                share: head.share() as f32,
                p_value: head.p_value as f32,
                consistency: head.consistency as f32,
                texts,
            })
        };
        Ok(HeadNames {
            properties: texts.properties.clone(),
            heads: labels.into_iter().map(|layer| layer.into_iter().filter_map(&mut name).collect()).collect(),
            images: self.statistics().map_or(0, Statistics::images),
            consistency: model.consistency as f32,
            entanglement: model.entanglement as f32,
        })
    }
}

/// Returns each text's property, and the variance that the text explains in addition to the texts before it.
fn weighted(pool: &PoolTexts, labels: &[HeadLabel]) -> Vec<WeightedText> {
    let mut before = 0.0;
    let weighted = labels.iter().map(|label| {
        let explained = f64::from(label.variance_explained);
        let weight = explained - std::mem::replace(&mut before, explained);
        let property = label.property.as_ref().and_then(|name| pool.properties.binary_search(name).ok());
        WeightedText { property, weight }
    });
    weighted.collect()
}
