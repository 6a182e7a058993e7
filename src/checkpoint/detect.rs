//! Which model a file holds: layout and sizes from the tensors' names and shapes; what they cannot tell from the
//! configs beside them, else from the table of known models, else from whoever is asked.

use std::collections::BTreeMap;
use std::fmt;

use serde::{Deserialize, Serialize};

use super::companions::{Companions, Told};
use super::index::{Index, Located};
use super::known::{Known, OPENAI_MEAN, OPENAI_STD};
use super::layouts::Names;
use super::pack::FORMAT;
use super::{CheckpointError, Manifest, Quantisation};
use crate::geometry::{Grid, LongSide};
use crate::model::{Activation, ModelConfig, PositionResize, TextConfig, TextKind, TextPooling, VisionConfig};

/// Whose names a checkpoint has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Family {
    /// Hugging Face's `CLIPModel`.
    HuggingFace,
    /// OpenCLIP, and TinyCLIP's own release.
    OpenClip,
    /// OpenAI's own release: OpenCLIP's names, and QuickGELU always.
    OpenAi,
}

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
    /// The manifest of the pack that the model becomes, without its files. `source` says where the weights are from.
    pub fn manifest(
        &self,
        name: Option<String>,
        licence: Option<String>,
        source: &str,
        quantisation: Quantisation,
    ) -> Manifest {
        let VisionConfig { patch, layers, heads, image_size, .. } = self.model.vision;
        let known = |of: fn(&Known) -> &'static str| self.known.map(|known| of(known).to_owned());
        let notes: String = self.notes.iter().map(|note| format!(" Mind that {note}.")).collect();
        Manifest {
            format: FORMAT,
            name: name.or_else(|| known(|known| known.name)).unwrap_or_else(|| source.to_owned()),
            description: format!(
                "A CLIP: {layers} layers of {heads} heads over patches of {patch} pixels, at {image_size} pixels.{notes}"
            ),
            licence: licence.or_else(|| known(|known| known.licence)).unwrap_or_else(|| "see the source".into()),
            provenance: vec![format!("{} weights from {source}", self.family)],
            quantisation,
            model: self.model.clone(),
            files: Vec::new(),
        }
    }
}

impl Family {
    pub fn names(self) -> Names {
        match self {
            Self::HuggingFace => Names::CLIP,
            Self::OpenClip | Self::OpenAi => Names::OPEN_CLIP,
        }
    }

    /// Names of which every checkpoint of the family has one, each at the head of a part that may have a prefix of
    /// its own: image tower, text tower, scale.
    fn anchors(self) -> [&'static str; 3] {
        match self {
            Self::HuggingFace => [
                "vision_model.embeddings.class_embedding",
                "text_model.embeddings.token_embedding.weight",
                "logit_scale",
            ],
            Self::OpenClip | Self::OpenAi => ["visual.class_embedding", "token_embedding.weight", "logit_scale"],
        }
    }
}

impl fmt::Display for Family {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Self::HuggingFace => "Hugging Face CLIP",
            Self::OpenClip => "OpenCLIP",
            Self::OpenAi => "OpenAI CLIP",
        })
    }
}

/// Recognises the model in a file. `name` is the file's, folder's or repository's.
///
/// # Errors
/// [`CheckpointError::Foreign`] where it is no CLIP that headlamp builds; [`CheckpointError::Missing`] or
/// [`CheckpointError::Shape`] where a tensor that gives a size is not there; [`CheckpointError::Contradiction`] where
/// a config beside it describes another model; [`CheckpointError::Unknown`] where something is to be answered.
pub fn detect(
    index: Index,
    companions: &Companions,
    name: &str,
    answers: &Answers,
) -> Result<Detected, CheckpointError> {
    let family = family_of(&index)?;
    let index = without_prefixes(index, family);
    let mut model = sizes(&index, family)?;
    let told = Told::read(companions)?;
    agree(&model, &told)?;
    let name = if family == Family::OpenAi { format!("openai {name}") } else { name.to_owned() };
    let known = Known::of(&model, &name);
    complete(&mut model, family, answers, &told, known)?;
    if let Some(image_size) = told.image_size {
        model.vision.image_size = image_size;
    }
    model.check().map_err(|err| foreign(&index, &err.to_string()))?;
    Ok(Detected { family, model, index, known, notes: told.notes, tokenizer: told.tokenizer })
}

fn foreign(index: &Index, reason: &str) -> CheckpointError {
    CheckpointError::Foreign { file: index.file.clone(), reason: reason.to_owned() }
}

/// Whether `name` is `anchor`, or ends in it after a dot.
fn ends_in(name: &str, anchor: &str) -> bool {
    name.strip_suffix(anchor).is_some_and(|prefix| prefix.is_empty() || prefix.ends_with('.'))
}

fn family_of(index: &Index) -> Result<Family, CheckpointError> {
    let has = |family: Family| index.tensors.keys().any(|name| ends_in(name, family.anchors()[0]));
    if has(Family::HuggingFace) {
        return Ok(Family::HuggingFace);
    }
    if has(Family::OpenClip) {
        // What OpenAI's modules keep as buffers, and nobody else's.
        let openai = index.torch_script || index.tensors.keys().any(|name| ends_in(name, "input_resolution"));
        return Ok(if openai { Family::OpenAi } else { Family::OpenClip });
    }
    let holds = |part: &str| index.tensors.keys().any(|name| name.contains(part));
    let reason = if holds("visual.layer1.") || holds("visual.attnpool.") {
        "its image tower is a ResNet; headlamp opens vision transformers only"
    } else if holds("visual.trunk.") {
        "its image tower is one of timm's; headlamp reads OpenCLIP's own vision transformers"
    } else if holds("vision_model.embeddings.patch_embedding.bias") {
        "it is a SigLIP, which has no CLS token to take apart"
    } else {
        "it has neither Hugging Face's nor OpenCLIP's names of a CLIP"
    };
    Err(foreign(index, reason))
}

/// Renames the tensors to the family's own names. A training checkpoint keeps its model under a key, a distributed
/// one under `module.`, TinyCLIP each tower under a wrapper.
fn without_prefixes(mut index: Index, family: Family) -> Index {
    // Where several models lie in one file (teacher and student, an average), the first of these.
    const CONTAINERS: [&str; 5] = ["", "state_dict", "model_state_dict", "model", "teacher"];
    let mut renamed: BTreeMap<String, Located> = BTreeMap::new();
    for anchor in family.anchors() {
        let prefixes = index.tensors.keys().filter(|name| ends_in(name, anchor));
        let prefix = prefixes.map(|name| &name[..name.len() - anchor.len()]).min_by_key(|prefix| {
            let container = prefix.split('.').next().unwrap_or_default();
            let rank = CONTAINERS.iter().position(|known| *known == container);
            (rank.unwrap_or(CONTAINERS.len()), prefix.len())
        });
        let Some(prefix) = prefix else { continue };
        for (name, tensor) in &index.tensors {
            if let Some(name) = name.strip_prefix(prefix) {
                renamed.entry(name.to_owned()).or_insert_with(|| tensor.clone());
            }
        }
    }
    index.tensors = renamed;
    index
}

/// The shapes of the tensors that give the sizes.
struct Shapes<'a>(&'a Index);

impl Shapes<'_> {
    fn of<const N: usize>(&self, name: &str) -> Result<[usize; N], CheckpointError> {
        let tensor = self.0.tensors.get(name).ok_or_else(|| CheckpointError::Missing(name.to_owned()))?;
        tensor.shape.as_slice().try_into().map_err(|_rank| CheckpointError::Shape {
            name: name.to_owned(),
            expected: vec![0; N],
            found: tensor.shape.clone(),
        })
    }

    /// One more than the highest number after `prefix`.
    fn layers(&self, prefix: &str) -> usize {
        let numbers = self.0.tensors.keys().filter_map(|name| {
            let number = name.strip_prefix(prefix)?.split('.').next()?;
            number.parse::<usize>().ok()
        });
        numbers.max().map_or(0, |last| last.saturating_add(1))
    }
}

/// The config as far as shapes tell it; the rest is filled with what is most usual.
fn sizes(index: &Index, family: Family) -> Result<ModelConfig, CheckpointError> {
    let hugging = family == Family::HuggingFace;
    let either = |ours: &'static str, theirs: &'static str| if hugging { ours } else { theirs };
    let shapes = Shapes(index);
    let blocks = either("vision_model.encoder.layers.", "visual.transformer.resblocks.");
    let text_blocks = either("text_model.encoder.layers.", "transformer.resblocks.");
    let first = either("0.mlp.fc1.weight", "0.mlp.c_fc.weight");
    let [width, _, patch, _] =
        shapes.of(either("vision_model.embeddings.patch_embedding.weight", "visual.conv1.weight"))?;
    let positions = either("vision_model.embeddings.position_embedding.weight", "visual.positional_embedding");
    let [positions, _] = shapes.of(positions)?;
    let side = positions.saturating_sub(1).isqrt();
    if side * side + 1 != positions {
        return Err(foreign(
            index,
            &format!("its {positions} positions are no square of patches and a CLS token"),
        ));
    }
    let [mlp_width, _] = shapes.of(&format!("{blocks}{first}"))?;
    let [vocabulary, text_width] =
        shapes.of(either("text_model.embeddings.token_embedding.weight", "token_embedding.weight"))?;
    let [context, _] =
        shapes.of(either("text_model.embeddings.position_embedding.weight", "positional_embedding"))?;
    let [text_mlp_width, _] = shapes.of(&format!("{text_blocks}{first}"))?;
    let embedding = match hugging {
        true => shapes.of::<2>("visual_projection.weight")?[0],
        false => shapes.of::<2>("visual.proj")?[1],
    };
    let ln_pre = index.tensors.contains_key(either("vision_model.pre_layrnorm.weight", "visual.ln_pre.weight"));
    Ok(ModelConfig {
        vision: VisionConfig {
            width,
            layers: shapes.layers(blocks),
            heads: 1,
            patch,
            image_size: side * patch,
            long_side: LongSide::Truncated,
            mlp_width,
            activation: Activation::Gelu,
            ln_pre,
            registers: 0,
            eps: 1e-5,
            position_grid: Grid { rows: side, columns: side },
            position_resize: if hugging { PositionResize::Size } else { PositionResize::Antialias },
            projection: true,
            projection_bias: false,
            mean: OPENAI_MEAN,
            std: OPENAI_STD,
        },
        text: TextConfig {
            kind: TextKind::Clip,
            width: text_width,
            layers: shapes.layers(text_blocks),
            heads: 1,
            mlp_width: text_mlp_width,
            activation: Activation::Gelu,
            eps: 1e-5,
            vocabulary,
            context,
            pooling: TextPooling::End,
            projection: true,
            centred: false,
        },
        embedding,
    })
}

/// Holds the configs' sizes against the tensors'.
fn agree(model: &ModelConfig, told: &Told) -> Result<(), CheckpointError> {
    let (vision, text) = (&model.vision, &model.text);
    let sizes = [
        ("width of the image tower", told.vision.width, vision.width),
        ("number of layers of the image tower", told.vision.layers, vision.layers),
        ("width of the text tower", told.text.width, text.width),
        ("number of layers of the text tower", told.text.layers, text.layers),
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

/// Fills in what shapes cannot tell: answers, then configs, then what is known of the family and the model.
fn complete(
    model: &mut ModelConfig,
    family: Family,
    answers: &Answers,
    told: &Told,
    known: Option<&Known>,
) -> Result<(), CheckpointError> {
    // OpenAI's own code divides by 64 and knows no other activation.
    let openai = family == Family::OpenAi;
    let heads = Known::heads(model);
    let (width, text_width) = (model.vision.width, model.text.width);
    let of_family = |width: usize| openai.then_some(width / 64);
    let vision_heads =
        answers.vision_heads.or(told.vision.heads).or(heads.map(|heads| heads.0)).or(of_family(width));
    let text_heads =
        answers.text_heads.or(told.text.heads).or(heads.map(|heads| heads.1)).or(of_family(text_width));
    let usual = known.and_then(|known| known.activation).or(openai.then_some(Activation::QuickGelu));
    let activation = answers.activation.or(told.vision.activation).or(usual);
    let text_activation = answers.activation.or(told.text.activation).or(usual);
    let mean = answers.mean.or(told.mean).or(known.map(|known| known.mean)).or(openai.then_some(OPENAI_MEAN));
    let std = answers.std.or(told.std).or(known.map(|known| known.std)).or(openai.then_some(OPENAI_STD));
    let asked = [
        vision_heads.is_none().then_some(Unknown::VisionHeads(width / 64)),
        text_heads.is_none().then_some(Unknown::TextHeads(text_width / 64)),
        activation.and(text_activation).is_none().then_some(Unknown::Activation),
        mean.zip(std).is_none().then_some(Unknown::Normalisation),
    ];
    let unknowns: Vec<Unknown> = asked.into_iter().flatten().collect();
    let (Some(heads), Some(text_heads), Some(activation), Some(text_activation), Some((mean, std))) =
        (vision_heads, text_heads, activation, text_activation, mean.zip(std))
    else {
        return Err(CheckpointError::Unknown(Unknowns(unknowns)));
    };
    let eps = |told: Option<f64>| answers.eps.or(told).unwrap_or(1e-5);
    let vision = VisionConfig { heads, activation, mean, std, eps: eps(told.vision.eps), ..model.vision.clone() };
    let eps = eps(told.text.eps);
    let text = TextConfig { heads: text_heads, activation: text_activation, eps, ..model.text.clone() };
    *model = ModelConfig { vision, text, embedding: model.embedding };
    Ok(())
}
