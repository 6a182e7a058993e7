//! The JSON files that are published beside weights, and the settings that they declare.

use std::collections::BTreeMap;

use serde_json::Value;

use crate::checkpoint::error::CheckpointError;
use crate::model::Activation;

/// The names of the files: Hugging Face's configs, OpenCLIP's config, and a tokenizer. They are fetched in this
/// order.
pub const CONFIG_FILES: [&str; 4] =
    ["config.json", "preprocessor_config.json", "open_clip_config.json", "tokenizer.json"];

/// The files beside the weights, by name.
pub type ConfigFiles = BTreeMap<String, Vec<u8>>;

/// The settings that the configs declare for one tower.
#[derive(Clone, Debug, Default)]
pub(super) struct DeclaredTower {
    pub width: Option<usize>,
    pub layers: Option<usize>,
    pub heads: Option<usize>,
    pub activation: Option<Activation>,
    pub eps: Option<f64>,
}

/// The settings that the configs declare.
#[derive(Clone, Debug, Default)]
pub(super) struct DeclaredSettings {
    pub vision: DeclaredTower,
    pub text: DeclaredTower,
    pub image_size: Option<usize>,
    /// The side of the crop in pixels, if a config declares it apart from the size of the training.
    pub crop: Option<usize>,
    /// Whether timm runs the model. timm resizes position tables in its own way.
    pub is_timm: bool,
    pub mean: Option<[f32; 3]>,
    pub std: Option<[f32; 3]>,
    /// The tokenizer's name, if the model does not use CLIP's own tokenizer.
    pub tokenizer: Option<String>,
    /// Differences between the model's training and headlamp's preprocessing.
    pub notes: Vec<String>,
}

impl DeclaredSettings {
    /// Reads the files. If two files declare the same setting, OpenCLIP's own config takes precedence.
    ///
    /// # Errors
    /// [`CheckpointError::Malformed`] if a file is not JSON; [`CheckpointError::Foreign`] if a file describes a model
    /// that headlamp does not build.
    pub fn read(files: &ConfigFiles) -> Result<Self, CheckpointError> {
        let mut declared = Self::default();
        if let Some(config) = json(files, "open_clip_config.json")? {
            declared.open_clip(&config).map_err(|reason| foreign("open_clip_config.json", reason))?;
        }
        if let Some(config) = json(files, "config.json")? {
            // A `config.json` in OpenCLIP's own repositories always describes a model.
            let read = if config.get("vision_cfg").is_some() || config.get("model_cfg").is_some() {
                declared.open_clip(&config)
            } else if config.get("pretrained_cfg").is_some() {
                declared.timm(&config);
                Ok(())
            } else {
                declared.hugging_face(&config)
            };
            read.map_err(|reason| foreign("config.json", reason))?;
        }
        if let Some(config) = json(files, "preprocessor_config.json")? {
            declared.preprocessor(&config);
        }
        Ok(declared)
    }

    /// Reads a Hugging Face config, by the kind of its model.
    fn hugging_face(&mut self, config: &Value) -> Result<(), String> {
        match config["model_type"].as_str() {
            None | Some("clip" | "clip_vision_model" | "clip_text_model") => self.clip(config),
            Some("vit" | "vit_mae" | "vit_msn" | "dinov2" | "dinov2_with_registers") => self.vit(config),
            Some(other) => Err(format!(
                "it describes a model of the kind \u{201c}{other}\u{201d}, which is neither a CLIP nor a plain ViT; choose one \
                 of those"
            )),
        }
    }

    /// Reads a `ViTConfig`, `Dinov2Config` or a config like them. A missing setting has Hugging Face's default, which
    /// is ViT-B's value.
    fn vit(&mut self, config: &Value) -> Result<(), String> {
        if let Some(other) = config["hidden_act"].as_str().filter(|name| *name != "gelu") {
            return Err(unsupported_activation(other));
        }
        self.vision = DeclaredTower {
            width: size(&config["hidden_size"]),
            layers: size(&config["num_hidden_layers"]),
            heads: size(&config["num_attention_heads"]).or(Some(12)),
            activation: Some(Activation::Gelu),
            eps: config["layer_norm_eps"].as_f64(),
        };
        self.image_size = size(&config["image_size"]);
        Ok(())
    }

    /// Reads timm's config, which says how pictures are prepared.
    fn timm(&mut self, config: &Value) {
        self.is_timm = true;
        let prepared = &config["pretrained_cfg"];
        self.mean = triple(&prepared["mean"]);
        self.std = triple(&prepared["std"]);
        if prepared["interpolation"].as_str().is_some_and(|how| how != "bicubic") {
            self.note("the model was trained on pictures that were not resized bicubically");
        }
        if config["global_pool"].as_str().is_some_and(|pool| !matches!(pool, "token" | "")) {
            self.note("the model was trained to output the mean of its patches, but headlamp reads its CLS token");
        }
    }

    /// Reads Hugging Face's `CLIPConfig`. A missing setting has Hugging Face's default, which is the value of
    /// ViT-B/32.
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
                Some(other) => return Err(unsupported_activation(other)),
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

    /// Reads Hugging Face's `CLIPImageProcessor`.
    fn preprocessor(&mut self, config: &Value) {
        self.mean = self.mean.or(triple(&config["image_mean"]));
        self.std = self.std.or(triple(&config["image_std"]));
        let crop = &config["crop_size"];
        self.crop = size(crop).or_else(|| size(&crop["height"])).filter(|_| config["do_center_crop"] != false);
        if config["resample"].as_u64().is_some_and(|resample| resample != 3) {
            self.note("the model was trained on pictures that were not resized bicubically");
        }
        if config["do_center_crop"] == false {
            self.note("the model was trained on whole pictures, not on their centres");
        }
    }

    /// Reads OpenCLIP's config: either bare, or in `model_cfg` with a `preprocess_cfg` beside it.
    fn open_clip(&mut self, config: &Value) -> Result<(), String> {
        let model = config.get("model_cfg").unwrap_or(config);
        let (vision, text) = (&model["vision_cfg"], &model["text_cfg"]);
        if let Some(timm) = vision["timm_model_name"].as_str() {
            return Err(format!(
                "its image tower is timm's \u{201c}{timm}\u{201d}, which headlamp does not build; choose a CLIP with OpenCLIP's \
                 own vision transformer"
            ));
        }
        let require = |section: &Value, field: &str, plain: &[&str]| match &section[field] {
            Value::Null | Value::Bool(false) => Ok(()),
            Value::String(value) if plain.contains(&value.as_str()) => Ok(()),
            other => {
                Err(format!("it sets `{field}` to {other}, which headlamp does not build; choose a plain CLIP"))
            }
        };
        for field in ["global_average_pool", "attentional_pool", "final_ln_after_pool", "timm_model_name"] {
            require(vision, field, &[])?;
        }
        require(vision, "pool_type", &["tok"])?;
        require(vision, "pos_embed_type", &["learnable"])?;
        require(text, "pool_type", &["argmax"])?;
        require(text, "no_causal_mask", &[])?;
        require(text, "embed_cls", &[])?;
        for section in [vision, text] {
            require(section, "ls_init_value", &[])?;
            require(&section["act_kwargs"], "approximate", &["none"])?;
        }
        let quick = model["quick_gelu"].as_bool().unwrap_or(false);
        let activation = Some(if quick { Activation::QuickGelu } else { Activation::Gelu });
        let eps = |section: &Value| section["norm_kwargs"]["eps"].as_f64();
        let width = size(&vision["width"]);
        let head_width = size(&vision["head_width"]).unwrap_or(64).max(1);
        let heads = width.map(|width| width / head_width);
        self.vision =
            DeclaredTower { width, layers: size(&vision["layers"]), heads, activation, eps: eps(vision) };
        let (width, layers) = (size(&text["width"]), size(&text["layers"]));
        let heads = size(&text["heads"]).or(Some(8));
        self.text = DeclaredTower { width, layers, heads, activation, eps: eps(text) };
        self.image_size = size(&vision["image_size"]);
        self.tokenizer = ["hf_tokenizer_name", "hf_model_name"]
            .into_iter()
            .find_map(|field| text[field].as_str())
            .map(str::to_owned);
        if text["tokenizer_kwargs"].get("clean").is_some_and(|clean| clean != "lower") {
            self.note("the model's training cleaned texts in another way than CLIP does");
        }
        self.open_clip_preprocess(&config["preprocess_cfg"]);
        Ok(())
    }

    fn open_clip_preprocess(&mut self, config: &Value) {
        self.mean = triple(&config["mean"]);
        self.std = triple(&config["std"]);
        if config["resize_mode"].as_str().is_some_and(|mode| mode != "shortest") {
            self.note("the model was trained on whole pictures, not on their centres");
        }
        if config["interpolation"].as_str().is_some_and(|how| how != "bicubic" && how != "random") {
            self.note("the model was trained on pictures that were not resized bicubically");
        }
    }

    fn note(&mut self, note: &str) {
        if !self.notes.iter().any(|other| other == note) {
            self.notes.push(note.to_owned());
        }
    }
}

fn unsupported_activation(name: &str) -> String {
    format!(
        "its activation is \u{201c}{name}\u{201d}, which headlamp does not build; choose a model with GELU or Quick GELU"
    )
}

fn foreign(file: &str, reason: String) -> CheckpointError {
    CheckpointError::Foreign { file: file.to_owned(), reason }
}

/// Parses one of the files; `None` if the model has no such file.
fn json(files: &ConfigFiles, name: &str) -> Result<Option<Value>, CheckpointError> {
    let parse = |bytes: &Vec<u8>| serde_json::from_slice(bytes);
    files.get(name).map(parse).transpose().map_err(|err| CheckpointError::Malformed {
        file: name.to_owned(),
        kind: "JSON",
        reason: err.to_string(),
    })
}

/// Returns a size; of a list of equal sizes, the first.
fn size(value: &Value) -> Option<usize> {
    let one = match value {
        Value::Array(sides) if sides.iter().all(|side| side == &sides[0]) => sides.first()?,
        other => other,
    };
    usize::try_from(one.as_u64()?).ok()
}

/// Returns a list of three numbers.
fn triple(value: &Value) -> Option<[f32; 3]> {
    let numbers: Option<Vec<f32>> =
        value.as_array()?.iter().map(|number| number.as_f64().map(|number| number as f32)).collect();
    numbers?.try_into().ok()
}
