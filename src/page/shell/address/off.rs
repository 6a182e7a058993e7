//! Parts that are switched off, in the form of an address: "11.3,8.*,m5,m*,z0,cls".

use std::collections::BTreeSet;

use crate::ablate::Ablation;

/// Parts to switch off, in a model whose layers and heads are not known yet.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Off(Vec<Part>);

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Part {
    Head {
        layer: usize,
        head: usize,
    },
    /// All heads of a layer.
    Attention {
        layer: usize,
    },
    Mlp {
        layer: usize,
    },
    AllMlps,
    Embedding,
    ClsToCls,
}

impl Off {
    /// Reads a list; `None` if an entry is not a part.
    pub fn parse(list: &str) -> Option<Self> {
        list.split(',')
            .map(str::trim)
            .filter(|part| !part.is_empty())
            .map(Part::parse)
            .collect::<Option<_>>()
            .map(Self)
    }

    pub fn is_none(&self) -> bool {
        self.0.is_empty()
    }

    /// Returns an ablation as a short list, for a model with `layers` layers of `heads` heads.
    pub fn of(ablation: &Ablation, layers: usize, heads: usize) -> Self {
        let mut parts = Vec::new();
        for layer in ablation.heads.iter().map(|(layer, _)| *layer).collect::<BTreeSet<_>>() {
            let off: Vec<usize> =
                ablation.heads.range((layer, 0)..(layer + 1, 0)).map(|(_, head)| *head).collect();
            if off.len() == heads {
                parts.push(Part::Attention { layer });
            } else {
                parts.extend(off.into_iter().map(|head| Part::Head { layer, head }));
            }
        }
        if ablation.mlps.len() == layers && layers > 0 {
            parts.push(Part::AllMlps);
        } else {
            parts.extend(ablation.mlps.iter().map(|layer| Part::Mlp { layer: *layer }));
        }
        parts.extend(ablation.embedding.then_some(Part::Embedding));
        parts.extend(ablation.cls_to_cls.then_some(Part::ClsToCls));
        Self(parts)
    }

    /// Returns the ablation for a model with `layers` layers of `heads` heads; `None` if the model does not have one
    /// of the parts.
    pub fn ablation(&self, layers: usize, heads: usize) -> Option<Ablation> {
        let mut ablation = Ablation::default();
        for part in &self.0 {
            match *part {
                Part::Head { layer, head } => {
                    ablation.heads.insert((layer, head));
                }
                Part::Attention { layer } if layer < layers => {
                    ablation.heads.extend((0..heads).map(|head| (layer, head)));
                }
                Part::Attention { .. } => return None,
                Part::Mlp { layer } => {
                    ablation.mlps.insert(layer);
                }
                Part::AllMlps => ablation.mlps.extend(0..layers),
                Part::Embedding => ablation.embedding = true,
                Part::ClsToCls => ablation.cls_to_cls = true,
            }
        }
        ablation.fits(layers, heads).then_some(ablation)
    }
}

impl std::fmt::Display for Off {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let parts: Vec<String> = self.0.iter().map(Part::to_string).collect();
        f.write_str(&parts.join(","))
    }
}

impl Part {
    fn parse(text: &str) -> Option<Self> {
        match text {
            "z0" => return Some(Self::Embedding),
            "cls" => return Some(Self::ClsToCls),
            "m*" => return Some(Self::AllMlps),
            _ => {}
        }
        if let Some(layer) = text.strip_prefix('m') {
            return Some(Self::Mlp { layer: number(layer)? });
        }
        match text.split_once('.')? {
            (layer, "*") => Some(Self::Attention { layer: number(layer)? }),
            _ => head(text).map(|(layer, head)| Self::Head { layer, head }),
        }
    }
}

impl std::fmt::Display for Part {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Head { layer, head } => write!(f, "{layer}.{head}"),
            Self::Attention { layer } => write!(f, "{layer}.*"),
            Self::Mlp { layer } => write!(f, "m{layer}"),
            Self::AllMlps => f.write_str("m*"),
            Self::Embedding => f.write_str("z0"),
            Self::ClsToCls => f.write_str("cls"),
        }
    }
}

/// Reads "11.3" as layer and head.
pub fn head(text: &str) -> Option<(usize, usize)> {
    let (layer, head) = text.split_once('.')?;
    Some((number(layer)?, number(head)?))
}

/// Reads a number of at most three digits, which is enough for every model.
fn number(text: &str) -> Option<usize> {
    let is_plain = (1..=3).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_digit());
    is_plain.then(|| text.parse().ok()).flatten()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ablate::Study;

    #[test]
    fn whole_layers_are_written_as_one_word() {
        let all = Ablation::of_study(Study::AllButLastAttentions, 12, 6);
        let mut off = all.clone();
        off.heads.insert((11, 3));
        off.cls_to_cls = true;
        let text = Off::of(&off, 12, 6).to_string();
        assert_eq!(text, "0.*,1.*,2.*,3.*,4.*,5.*,6.*,7.*,11.3,m*,z0,cls");
        assert_eq!(Off::parse(&text).unwrap().ablation(12, 6), Some(off));
        assert_eq!(Off::of(&Ablation::default(), 12, 6).to_string(), "");
    }

    #[test]
    fn a_model_without_the_part_refuses_it() {
        for text in ["12.0", "0.6", "12.*", "m12"] {
            assert_eq!(Off::parse(text).unwrap().ablation(12, 6), None, "{text}");
        }
        for text in ["11", "a.b", "-1.3", "m", "1.2.3", "9999999999.1", "+1.2", "all"] {
            assert_eq!(Off::parse(text), None, "{text}");
        }
    }
}
