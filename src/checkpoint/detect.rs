//! Which model a file holds: layout and sizes from the tensors' names and shapes; what they cannot tell from the
//! configs beside them, else from the table of known models, else from whoever is asked.

use std::collections::BTreeSet;
use std::fmt;

use serde::{Deserialize, Serialize};

use super::companions::{Companions, Told, ToldTower};
pub use super::family::Family;
use super::family::{foreign, without_prefixes};
use super::index::Index;
use super::known::{Known, OPENAI_MEAN, OPENAI_STD};
use super::pack::FORMAT;
use super::sizes::{sizes, whole_patches};
use super::{CheckpointError, Manifest, Quantisation, clip_tokens};
use crate::model::{Activation, ModelConfig, PositionResize, TextConfig, VisionConfig};

/// What is answered of that which neither the file nor its configs tell. An answer counts before all else.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Answers {
    pub vision_heads: Option<usize>,
    pub text_heads: Option<usize>,
    pub activation: Option<Activation>,
    pub eps: Option<f64>,
    pub mean: Option<[f32; 3]>,
    pub std: Option<[f32; 3]>,
}

/// Something to be answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Unknown {
    /// Heads of the image tower; as many as given here, if they are 64 wide as nearly all are.
    VisionHeads(usize),
    /// Heads of the text tower, likewise.
    TextHeads(usize),
    /// Quick GELU (OpenAI's weights and those that began from them) or GELU (others).
    Activation,
    /// Mean and deviation of the pictures' channels, nearly always OpenAI's.
    Normalisation,
}

/// Everything to be answered before the file can be read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unknowns(pub Vec<Unknown>);

impl fmt::Display for Unknowns {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let said = self.0.iter().map(|unknown| match unknown {
            Unknown::VisionHeads(heads) => format!("heads ({heads} if each is 64 wide)"),
            Unknown::TextHeads(heads) => format!("text-heads ({heads} if each is 64 wide)"),
            Unknown::Activation => "activation (quick_gelu for OpenAI's weights, gelu for most others)".into(),
            Unknown::Normalisation => {
                format!("mean and std (mostly OpenAI's, {OPENAI_MEAN:?} and {OPENAI_STD:?})")
            }
        });
        formatter.write_str(&said.collect::<Vec<_>>().join(", "))
    }
}

/// A file whose model is known.
#[derive(Debug)]
pub struct Detected {
    pub family: Family,
    pub model: ModelConfig,
    /// The tensors under the family's own names, prefixes taken off.
    pub index: Index,
    pub known: Option<&'static Known>,
    /// What the model was trained with and headlamp does otherwise.
    pub notes: Vec<String>,
    /// The name of a tokenizer other than CLIP's own.
    pub tokenizer: Option<String>,
}

impl Detected {
    /// Whether its texts are cut into CLIP's own tokens.
    pub fn has_clip_tokens(&self) -> bool {
        let vocabulary = self.model.text.as_ref().map(|text| text.vocabulary);
        self.tokenizer.is_none() && vocabulary == Some(clip_tokens::VOCABULARY)
    }

    /// The manifest of the pack that the model becomes, without its files. `source` says where the weights are from.
    pub fn manifest(
        &self,
        name: Option<String>,
        licence: Option<String>,
        source: &str,
        quantisation: Quantisation,
    ) -> Manifest {
        let VisionConfig { patch, layers, heads, image_size, .. } = self.model.vision;
        let kind = match self.model.text {
            Some(_) => "CLIP",
            None => "self-supervised vision transformer, which has no measure for texts",
        };
        let known = |of: fn(&Known) -> &'static str| self.known.map(|known| of(known).to_owned());
        let notes: String = self.notes.iter().map(|note| format!(" Mind that {note}.")).collect();
        Manifest {
            format: FORMAT,
            name: name.or_else(|| known(|known| known.name)).unwrap_or_else(|| source.to_owned()),
            description: format!(
                "A {kind}: {layers} layers of {heads} heads over patches of {patch} pixels, at {image_size} pixels.{notes}"
            ),
            licence: licence.or_else(|| known(|known| known.licence)).unwrap_or_else(|| "see the source".into()),
            provenance: vec![format!("{} weights from {source}", self.family)],
            source: Some(source.to_owned()),
            told: false,
            quantisation,
            model: self.model.clone(),
            storages: Vec::new(),
            files: Vec::new(),
        }
    }
}

/// Recognises the model in a file. `name` is the file's, folder's or repository's.
///
/// # Errors
/// [`CheckpointError::Foreign`] where it is no model that headlamp builds; [`CheckpointError::Missing`] or
/// [`CheckpointError::Shape`] where a tensor that gives a size is not there; [`CheckpointError::Contradiction`] where
/// a config beside it describes another model; [`CheckpointError::Unknown`] where something is to be answered.
pub fn detect(
    index: Index,
    companions: &Companions,
    name: &str,
    answers: &Answers,
) -> Result<Detected, CheckpointError> {
    let family = Family::of(&index)?;
    let index = without_prefixes(index, family);
    let mut model = sizes(&index, family)?;
    let told = Told::read(companions)?;
    agree(&model, &told)?;
    let name = if family == Family::OpenAi { format!("openai {name}") } else { name.to_owned() };
    let known = Known::of(&model, &name);
    complete(&mut model, family, answers, &told, known)?;
    let vision = &mut model.vision;
    if family.is_clip() {
        vision.image_size = told.image_size.unwrap_or(vision.image_size);
    } else {
        let crop = told.crop.map(|crop| whole_patches(crop, vision.patch));
        vision.image_size = crop.unwrap_or(vision.image_size);
        if told.is_timm {
            vision.position_resize = PositionResize::Antialias;
        }
    }
    model.check().map_err(|err| foreign(&index, &err.to_string()))?;
    only_known_blocks(&index, family, &model)?;
    Ok(Detected { family, model, index, known, notes: told.notes, tokenizer: told.tokenizer })
}

/// Holds the configs' sizes against the tensors'.
fn agree(model: &ModelConfig, told: &Told) -> Result<(), CheckpointError> {
    let (vision, text) = (&model.vision, model.text.as_ref());
    // What is told of a tower that is not there is about another part of the model.
    let of_text = |told: Option<usize>| told.filter(|_size| text.is_some());
    let sizes = [
        ("width of the image tower", told.vision.width, vision.width),
        ("number of layers of the image tower", told.vision.layers, vision.layers),
        ("width of the text tower", of_text(told.text.width), text.map_or(0, |text| text.width)),
        ("number of layers of the text tower", of_text(told.text.layers), text.map_or(0, |text| text.layers)),
        (
            "number of patches along a side",
            told.image_size.map(|size| size / vision.patch.max(1)),
            vision.position_grid.rows,
        ),
    ];
    for (what, told, found) in sizes {
        if let Some(told) = told.filter(|told| *told != found) {
            return Err(CheckpointError::Contradiction { what, told, found });
        }
    }
    Ok(())
}

/// A family has blocks of one kind; a parameter that is left over there would change what they compute.
fn only_known_blocks(index: &Index, family: Family, model: &ModelConfig) -> Result<(), CheckpointError> {
    let mut used = BTreeSet::new();
    for spec in model.tensors() {
        used.extend(family.names().recipe(&spec.name, &spec.shape)?.ingredients.into_iter().map(|part| part.name));
    }
    let blocks: Vec<&str> = std::iter::once(family.blocks()).chain(family.text_blocks()).collect();
    // Which tokens see which: headlamp's text towers know it.
    let is_mask = |name: &str| name.ends_with(".attn_mask");
    let is_foreign = |name: &&String| {
        blocks.iter().any(|prefix| name.starts_with(prefix)) && !used.contains(*name) && !is_mask(name)
    };
    match index.tensors.keys().find(is_foreign) {
        None => Ok(()),
        Some(name) => Err(foreign(index, &format!("its blocks have `{name}`, and headlamp's have no such part"))),
    }
}

/// What a tower needs beyond its shapes.
struct TowerFacts {
    heads: Option<usize>,
    activation: Option<Activation>,
    eps: f64,
}

/// Fills in what shapes cannot tell: answers, then configs, then what is known of the family and the model.
fn complete(
    model: &mut ModelConfig,
    family: Family,
    answers: &Answers,
    told: &Told,
    known: Option<&Known>,
) -> Result<(), CheckpointError> {
    let usual = known.and_then(|known| known.activation).or(family.activation());
    let facts =
        |told: &ToldTower, answered: Option<usize>, known: Option<usize>, width: usize, eps: f64| TowerFacts {
            heads: answered.or(told.heads).or(known).or(family.heads(width)),
            activation: answers.activation.or(told.activation).or(usual),
            eps: answers.eps.or(told.eps).unwrap_or(eps),
        };
    let (vision_heads, text_heads) = Known::heads(model).unzip();
    let (width, eps) = (model.vision.width, model.vision.eps);
    let vision = facts(&told.vision, answers.vision_heads, vision_heads, width, eps);
    let text = model
        .text
        .as_ref()
        .map(|text| facts(&told.text, answers.text_heads, text_heads.flatten(), text.width, text.eps));
    let (usual_mean, usual_std) = known.map(|known| (known.mean, known.std)).or(family.normalisation()).unzip();
    let mean = answers.mean.or(told.mean).or(usual_mean);
    let std = answers.std.or(told.std).or(usual_std);
    let text_width = model.text.as_ref().map_or(0, |text| text.width);
    let lacks = |fact: fn(&TowerFacts) -> bool| text.as_ref().is_some_and(fact);
    let asked = [
        vision.heads.is_none().then_some(Unknown::VisionHeads(width / 64)),
        lacks(|text| text.heads.is_none()).then_some(Unknown::TextHeads(text_width / 64)),
        (vision.activation.is_none() || lacks(|text| text.activation.is_none())).then_some(Unknown::Activation),
        mean.zip(std).is_none().then_some(Unknown::Normalisation),
    ];
    let unknowns: Vec<Unknown> = asked.into_iter().flatten().collect();
    let (Some(heads), Some(activation), Some((mean, std))) = (vision.heads, vision.activation, mean.zip(std))
    else {
        return Err(CheckpointError::Unknown(Unknowns(unknowns)));
    };
    if let (Some(config), Some(facts)) = (&mut model.text, text) {
        let (Some(heads), Some(activation)) = (facts.heads, facts.activation) else {
            return Err(CheckpointError::Unknown(Unknowns(unknowns)));
        };
        *config = TextConfig { heads, activation, eps: facts.eps, ..config.clone() };
    }
    model.vision = VisionConfig { heads, activation, mean, std, eps: vision.eps, ..model.vision.clone() };
    Ok(())
}
