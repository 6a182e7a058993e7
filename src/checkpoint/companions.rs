//! The JSON files that are published beside weights, and what they say that tensors cannot.

use std::collections::BTreeMap;

use serde_json::Value;

use super::CheckpointError;
use crate::model::Activation;

/// Hugging Face's configs, OpenCLIP's, and a tokenizer, in the order in which they are asked for.
pub const COMPANIONS: [&str; 4] =
    ["config.json", "preprocessor_config.json", "open_clip_config.json", "tokenizer.json"];

/// The files beside the weights, by name.
pub type Companions = BTreeMap<String, Vec<u8>>;

/// What is told of one tower.
#[derive(Clone, Debug, Default)]
pub(super) struct ToldTower {
    pub width: Option<usize>,
    pub layers: Option<usize>,
    pub heads: Option<usize>,
    pub activation: Option<Activation>,
    pub eps: Option<f64>,
}

/// What the files tell.
#[derive(Clone, Debug, Default)]
pub(super) struct Told {
    pub vision: ToldTower,
    pub text: ToldTower,
    pub image_size: Option<usize>,
    /// The side of the crop that pictures are cut to, where it is said apart from the size of the training.
    pub crop: Option<usize>,
    /// Whether timm runs the model, which resizes position tables in its own way.
    pub is_timm: bool,
    pub mean: Option<[f32; 3]>,
    pub std: Option<[f32; 3]>,
    /// A tokenizer other than CLIP's own.
    pub tokenizer: Option<String>,
    /// What the model was trained with and headlamp does otherwise.
    pub notes: Vec<String>,
}

impl Told {
    /// Reads the files; where two tell the same, OpenCLIP's own counts.
    ///
    /// # Errors
    /// [`CheckpointError::Malformed`] where one is no JSON; [`CheckpointError::Foreign`] where it describes a model
    /// that headlamp does not build.
    pub fn read(companions: &Companions) -> Result<Self, CheckpointError> {
        let mut told = Self::default();
        if let Some(config) = json(companions, "open_clip_config.json")? {
            told.open_clip(&config).map_err(|reason| foreign("open_clip_config.json", reason))?;
        }
        if let Some(config) = json(companions, "config.json")? {
            // OpenCLIP's own repositories have no other `config.json` than a model's.
            let read = if config.get("vision_cfg").is_some() || config.get("model_cfg").is_some() {
                told.open_clip(&config)
            } else if config.get("pretrained_cfg").is_some() {
                told.timm(&config);
                Ok(())
            } else {
                told.hugging_face(&config)
            };
            read.map_err(|reason| foreign("config.json", reason))?;
        }
        if let Some(config) = json(companions, "preprocessor_config.json")? {
            told.preprocessor(&config);
        }
        Ok(told)
    }

    /// Hugging Face's configs, by the kind of model.
    fn hugging_face(&mut self, config: &Value) -> Result<(), String> {
        match config["model_type"].as_str() {
            None | Some("clip" | "clip_vision_model" | "clip_text_model") => self.clip(config),
            Some("vit" | "vit_mae" | "vit_msn" | "dinov2" | "dinov2_with_registers") => self.vit(config),
            Some(other) => Err(format!(
                "it describes a model of the kind \u{201c}{other}\u{201d}, neither a CLIP nor a plain ViT"
            )),
        }
    }

    /// Hugging Face's `ViTConfig`, `Dinov2Config` and their kin. What it leaves out has its default there: B's.
    fn vit(&mut self, config: &Value) -> Result<(), String> {
        if let Some(other) = config["hidden_act"].as_str().filter(|name| *name != "gelu") {
            return Err(format!("its activation is \u{201c}{other}\u{201d}"));
        }
        self.vision = ToldTower {
            width: size(&config["hidden_size"]),
            layers: size(&config["num_hidden_layers"]),
            heads: size(&config["num_attention_heads"]).or(Some(12)),
            activation: Some(Activation::Gelu),
            eps: config["layer_norm_eps"].as_f64(),
        };
        self.image_size = size(&config["image_size"]);
        Ok(())
    }

    /// timm's config: a model's name, and how its pictures are prepared.
    fn timm(&mut self, config: &Value) {
        self.is_timm = true;
        let prepared = &config["pretrained_cfg"];
        self.mean = triple(&prepared["mean"]);
        self.std = triple(&prepared["std"]);
        if prepared["interpolation"].as_str().is_some_and(|how| how != "bicubic") {
            self.note("it was trained on pictures that were not resized bicubically");
        }
        if config["global_pool"].as_str().is_some_and(|pool| !matches!(pool, "token" | "")) {
            self.note("it was trained to be read from the mean of its patches, and headlamp reads its CLS token");
        }
    }

    /// Hugging Face's `CLIPConfig`. What it leaves out has its default there, which is B/32's.
    fn clip(&mut self, config: &Value) -> Result<(), String> {
        let section = |name: &str| {
            [name.to_owned(), format!("{name}_dict")].into_iter().find_map(|name| config.get(&name)?.as_object())
        };
        for (name, tower, heads) in [("vision_config", &mut self.vision, 12), ("text_config", &mut self.text, 8)] {
            let Some(section) = section(name) else { continue };
            let number = |field: &str| section.get(field).and_then(size);
            let activation = match section.get("hidden_act").and_then(Value::as_str) {
                None | Some("quick_gelu") => Activation::QuickGelu,
                Some("gelu") => Activation::Gelu,
                Some(other) => return Err(format!("its activation is \u{201c}{other}\u{201d}")),
            };
            tower.width = tower.width.or(number("hidden_size"));
            tower.layers = tower.layers.or(number("num_hidden_layers"));
            tower.heads = tower.heads.or(number("num_attention_heads")).or(Some(heads));
            tower.activation = tower.activation.or(Some(activation));
            tower.eps = tower.eps.or(section.get("layer_norm_eps").and_then(Value::as_f64));
            if name == "vision_config" {
                self.image_size = self.image_size.or(number("image_size"));
            }
        }
        Ok(())
    }

    /// Hugging Face's `CLIPImageProcessor`.
    fn preprocessor(&mut self, config: &Value) {
        self.mean = self.mean.or(triple(&config["image_mean"]));
        self.std = self.std.or(triple(&config["image_std"]));
        let crop = &config["crop_size"];
        self.crop = size(crop).or_else(|| size(&crop["height"])).filter(|_| config["do_center_crop"] != false);
        if config["resample"].as_u64().is_some_and(|resample| resample != 3) {
            self.note("it was trained on pictures that were not resized bicubically");
        }
        if config["do_center_crop"] == false {
            self.note("it was trained on whole pictures, not on their centres");
        }
    }

    /// OpenCLIP's config, bare or in `model_cfg` with `preprocess_cfg` beside it.
    fn open_clip(&mut self, config: &Value) -> Result<(), String> {
        let model = config.get("model_cfg").unwrap_or(config);
        let (vision, text) = (&model["vision_cfg"], &model["text_cfg"]);
        if let Some(timm) = vision["timm_model_name"].as_str() {
            return Err(format!("its image tower is timm's \u{201c}{timm}\u{201d}, no plain vision transformer"));
        }
        let set = |section: &Value, field: &str, plain: &[&str]| match &section[field] {
            Value::Null | Value::Bool(false) => Ok(()),
            Value::String(value) if plain.contains(&value.as_str()) => Ok(()),
            other => Err(format!("it sets `{field}` to {other}")),
        };
        for field in ["global_average_pool", "attentional_pool", "final_ln_after_pool", "timm_model_name"] {
            set(vision, field, &[])?;
        }
        set(vision, "pool_type", &["tok"])?;
        set(vision, "pos_embed_type", &["learnable"])?;
        set(text, "pool_type", &["argmax"])?;
        set(text, "no_causal_mask", &[])?;
        set(text, "embed_cls", &[])?;
        for section in [vision, text] {
            set(section, "ls_init_value", &[])?;
            set(&section["act_kwargs"], "approximate", &["none"])?;
        }
        let quick = model["quick_gelu"].as_bool().unwrap_or(false);
        let activation = Some(if quick { Activation::QuickGelu } else { Activation::Gelu });
        let eps = |section: &Value| section["norm_kwargs"]["eps"].as_f64();
        let width = size(&vision["width"]);
        let head_width = size(&vision["head_width"]).unwrap_or(64).max(1);
        let heads = width.map(|width| width / head_width);
        self.vision = ToldTower { width, layers: size(&vision["layers"]), heads, activation, eps: eps(vision) };
        let (width, layers) = (size(&text["width"]), size(&text["layers"]));
        let heads = size(&text["heads"]).or(Some(8));
        self.text = ToldTower { width, layers, heads, activation, eps: eps(text) };
        self.image_size = size(&vision["image_size"]);
        self.tokenizer = ["hf_tokenizer_name", "hf_model_name"]
            .into_iter()
            .find_map(|field| text[field].as_str())
            .map(str::to_owned);
        if text["tokenizer_kwargs"].get("clean").is_some_and(|clean| clean != "lower") {
            self.note("its texts were cleaned in another way than CLIP's");
        }
        self.open_clip_preprocess(&config["preprocess_cfg"]);
        Ok(())
    }

    fn open_clip_preprocess(&mut self, config: &Value) {
        self.mean = triple(&config["mean"]);
        self.std = triple(&config["std"]);
        if config["resize_mode"].as_str().is_some_and(|mode| mode != "shortest") {
            self.note("it was trained on whole pictures, not on their centres");
        }
        if config["interpolation"].as_str().is_some_and(|how| how != "bicubic" && how != "random") {
            self.note("it was trained on pictures that were not resized bicubically");
        }
    }

    fn note(&mut self, note: &str) {
        if !self.notes.iter().any(|other| other == note) {
            self.notes.push(note.to_owned());
        }
    }
}

fn foreign(file: &str, reason: String) -> CheckpointError {
    CheckpointError::Foreign { file: file.to_owned(), reason }
}

fn json(companions: &Companions, name: &str) -> Result<Option<Value>, CheckpointError> {
    let parse = |bytes: &Vec<u8>| serde_json::from_slice(bytes);
    companions.get(name).map(parse).transpose().map_err(|err| CheckpointError::Malformed {
        file: name.to_owned(),
        kind: "JSON",
        reason: err.to_string(),
    })
}

/// A size; of a pair of equal ones, either.
fn size(value: &Value) -> Option<usize> {
    let one = match value {
        Value::Array(sides) if sides.iter().all(|side| side == &sides[0]) => sides.first()?,
        other => other,
    };
    usize::try_from(one.as_u64()?).ok()
}

fn triple(value: &Value) -> Option<[f32; 3]> {
    let numbers: Option<Vec<f32>> =
        value.as_array()?.iter().map(|number| number.as_f64().map(|number| number as f32)).collect();
    numbers?.try_into().ok()
}
