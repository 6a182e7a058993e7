//! [`detect`] makes a complete model config from a file's index and its configs.

use std::collections::BTreeSet;

use super::config_files::{ConfigFiles, DeclaredSettings, DeclaredTower};
use super::family::{Family, foreign, without_prefixes};
use super::missing_settings::{GivenSettings, MissingSetting, MissingSettings};
use super::published_models::PublishedModel;
use super::sizes_from_shapes::{config_from_shapes, whole_patches};
use crate::checkpoint::clip_tokens;
use crate::checkpoint::error::CheckpointError;
use crate::checkpoint::index::TensorIndex;
use crate::checkpoint::pack::{FORMAT, Manifest, Quantisation};
use crate::model::{Activation, ModelConfig, PositionResize, TextConfig, VisionConfig};

/// A file whose model was recognised.
#[derive(Debug)]
pub struct Detected {
    pub family: Family,
    pub model: ModelConfig,
    /// The tensors under the family's own names, without prefixes.
    pub index: TensorIndex,
    /// The published model of these sizes and this name, if there is one.
    pub published: Option<&'static PublishedModel>,
    /// Differences between the model's training and headlamp's preprocessing.
    pub notes: Vec<String>,
    /// The tokenizer's name, if the model does not use CLIP's own tokenizer.
    pub tokenizer: Option<String>,
}

impl Detected {
    /// Returns whether the model uses CLIP's own tokens.
    pub fn has_clip_tokens(&self) -> bool {
        let vocabulary = self.model.text.as_ref().map(|text| text.vocabulary);
        self.tokenizer.is_none() && vocabulary == Some(clip_tokens::VOCABULARY)
    }

    /// Returns the manifest of the model's pack, without its files. `source` says where the weights come from.
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
            None => "self-supervised vision transformer, which cannot score texts",
        };
        let published = |of: fn(&PublishedModel) -> &'static str| self.published.map(|model| of(model).to_owned());
        let notes: String = self.notes.iter().map(|note| format!(" Note: {note}.")).collect();
        Manifest {
            format: FORMAT,
            name: name.or_else(|| published(|model| model.name)).unwrap_or_else(|| source.to_owned()),
            description: format!(
                "A {kind}: {layers} layers of {heads} heads over patches of {patch} pixels, at {image_size} pixels.{notes}"
            ),
            licence: licence
                .or_else(|| published(|model| model.licence))
                .unwrap_or_else(|| "see the source".into()),
            provenance: vec![format!("{} weights from {source}", self.family)],
            source: Some(source.to_owned()),
            settings_given: false,
            propagation_layer: None,
            quantisation,
            model: self.model.clone(),
            storages: Vec::new(),
            files: Vec::new(),
        }
    }
}

/// Recognises the model in a file. `name` is the name of the file, its folder or its repository.
///
/// # Errors
/// [`CheckpointError::Foreign`] if headlamp does not build such a model; [`CheckpointError::Missing`] or
/// [`CheckpointError::Shape`] if a tensor that gives a size is missing; [`CheckpointError::Contradiction`] if a
/// config beside the file describes another model; [`CheckpointError::MissingSettings`] if the user has to give
/// settings.
pub fn detect(
    index: TensorIndex,
    config_files: &ConfigFiles,
    name: &str,
    given: &GivenSettings,
) -> Result<Detected, CheckpointError> {
    let family = Family::of(&index)?;
    let index = without_prefixes(index, family);
    let mut model = config_from_shapes(&index, family)?;
    let declared = DeclaredSettings::read(config_files)?;
    check_declared_sizes(&model, &declared)?;
    let name = if family == Family::OpenAi { format!("openai {name}") } else { name.to_owned() };
    let published = PublishedModel::of(&model, &name);
    complete(&mut model, family, given, &declared, published)?;
    let vision = &mut model.vision;
    if family.is_clip() {
        vision.image_size = declared.image_size.unwrap_or(vision.image_size);
    } else {
        let crop = declared.crop.map(|crop| whole_patches(crop, vision.patch));
        vision.image_size = crop.unwrap_or(vision.image_size);
        if declared.is_timm {
            vision.position_resize = PositionResize::Antialias;
        }
    }
    model.check().map_err(|err| foreign(&index, &err.to_string()))?;
    check_block_parts(&index, family, &model)?;
    Ok(Detected { family, model, index, published, notes: declared.notes, tokenizer: declared.tokenizer })
}

/// Compares the sizes that the configs declare with the sizes of the tensors.
///
/// # Errors
/// [`CheckpointError::Contradiction`] names the first size that differs.
fn check_declared_sizes(model: &ModelConfig, declared: &DeclaredSettings) -> Result<(), CheckpointError> {
    let (vision, text) = (&model.vision, model.text.as_ref());
    // A config may describe a text tower that the file leaves out.
    let of_text = |declared: Option<usize>| declared.filter(|_size| text.is_some());
    let sizes = [
        ("width of the image tower", declared.vision.width, vision.width),
        ("number of layers of the image tower", declared.vision.layers, vision.layers),
        ("width of the text tower", of_text(declared.text.width), text.map_or(0, |text| text.width)),
        ("number of layers of the text tower", of_text(declared.text.layers), text.map_or(0, |text| text.layers)),
        (
            "number of patches along a side",
            declared.image_size.map(|size| size / vision.patch.max(1)),
            vision.position_grid.rows,
        ),
    ];
    for (what, declared, found) in sizes {
        if let Some(declared) = declared.filter(|declared| *declared != found) {
            return Err(CheckpointError::Contradiction { what, declared, found });
        }
    }
    Ok(())
}

/// Checks that the blocks have no parameter that headlamp does not use: such a parameter would change the result.
///
/// # Errors
/// [`CheckpointError::Foreign`] names the parameter.
fn check_block_parts(index: &TensorIndex, family: Family, model: &ModelConfig) -> Result<(), CheckpointError> {
    let mut used = BTreeSet::new();
    for spec in model.tensors() {
        used.extend(family.names().recipe(&spec.name, &spec.shape)?.ingredients.into_iter().map(|part| part.name));
    }
    let blocks: Vec<&str> = std::iter::once(family.blocks()).chain(family.text_blocks()).collect();
    // A stored attention mask is not needed: headlamp's text towers make their own.
    let is_mask = |name: &str| name.ends_with(".attn_mask");
    let is_foreign = |name: &&String| {
        blocks.iter().any(|prefix| name.starts_with(prefix)) && !used.contains(*name) && !is_mask(name)
    };
    match index.tensors.keys().find(is_foreign) {
        None => Ok(()),
        Some(name) => Err(foreign(
            index,
            &format!(
                "its blocks have the parameter `{name}`, which headlamp does not build; choose a model with plain blocks"
            ),
        )),
    }
}

/// The settings of a tower that its shapes do not give.
struct TowerSettings {
    heads: Option<usize>,
    activation: Option<Activation>,
    eps: f64,
}

/// Fills in the settings that shapes do not give: from the user, then from the configs, then from the family and the
/// published model.
///
/// # Errors
/// [`CheckpointError::MissingSettings`] names the settings that no source gives.
fn complete(
    model: &mut ModelConfig,
    family: Family,
    given: &GivenSettings,
    declared: &DeclaredSettings,
    published: Option<&PublishedModel>,
) -> Result<(), CheckpointError> {
    let usual = published.and_then(|published| published.activation).or(family.activation());
    let settings = |declared: &DeclaredTower,
                    given_heads: Option<usize>,
                    published: Option<usize>,
                    width: usize,
                    eps: f64| {
        TowerSettings {
            heads: given_heads.or(declared.heads).or(published).or(family.heads(width)),
            activation: given.activation.or(declared.activation).or(usual),
            eps: given.eps.or(declared.eps).unwrap_or(eps),
        }
    };
    let (vision_heads, text_heads) = PublishedModel::heads(model).unzip();
    let (width, eps) = (model.vision.width, model.vision.eps);
    let vision = settings(&declared.vision, given.vision_heads, vision_heads, width, eps);
    let text = model
        .text
        .as_ref()
        .map(|text| settings(&declared.text, given.text_heads, text_heads.flatten(), text.width, text.eps));
    let (usual_mean, usual_std) =
        published.map(|published| (published.mean, published.std)).or(family.normalisation()).unzip();
    let mean = given.mean.or(declared.mean).or(usual_mean);
    let std = given.std.or(declared.std).or(usual_std);
    let text_width = model.text.as_ref().map_or(0, |text| text.width);
    let lacks = |fact: fn(&TowerSettings) -> bool| text.as_ref().is_some_and(fact);
    let missing = [
        vision.heads.is_none().then_some(MissingSetting::VisionHeads(width / 64)),
        lacks(|text| text.heads.is_none()).then_some(MissingSetting::TextHeads(text_width / 64)),
        (vision.activation.is_none() || lacks(|text| text.activation.is_none()))
            .then_some(MissingSetting::Activation),
        mean.zip(std).is_none().then_some(MissingSetting::Normalisation),
    ];
    let missing: Vec<MissingSetting> = missing.into_iter().flatten().collect();
    let (Some(heads), Some(activation), Some((mean, std))) = (vision.heads, vision.activation, mean.zip(std))
    else {
        return Err(CheckpointError::MissingSettings(MissingSettings(missing)));
    };
    if let (Some(config), Some(settings)) = (&mut model.text, text) {
        let (Some(heads), Some(activation)) = (settings.heads, settings.activation) else {
            return Err(CheckpointError::MissingSettings(MissingSettings(missing)));
        };
        *config = TextConfig { heads, activation, eps: settings.eps, ..config.clone() };
    }
    model.vision = VisionConfig { heads, activation, mean, std, eps: vision.eps, ..model.vision.clone() };
    Ok(())
}
