//! Whose tensor is which: the project's names against each checkpoint's own.
//!
//! Each table reads like the checkpoint's listing. `{l}` is the layer.

use super::{CheckpointError, StateDict};
use crate::model::TensorSource;

/// How one of our names is found in a checkpoint.
#[derive(Clone, Copy, Debug)]
enum Rule {
    /// The tensor itself.
    Tensor(&'static str, &'static str),
    /// A linear layer: `.weight` and `.bias`.
    Linear(&'static str, &'static str),
    /// A linear layer whose outputs are scaled by LayerScale's lambda.
    ScaledLinear(&'static str, &'static str, &'static str),
    /// A LayerNorm: `.gamma` is `.weight`, `.beta` is `.bias`.
    Norm(&'static str, &'static str),
    /// A table, to every row of which another table's first row is added.
    PlusFirstRow(&'static str, &'static str, &'static str),
    /// The exponential of a scalar.
    Exp(&'static str, &'static str),
    /// A bias that the checkpoint does not have.
    Zero(&'static str),
}
use Rule::{Exp, Linear, Norm, PlusFirstRow, ScaledLinear, Tensor, Zero};

/// Hugging Face `Dinov2Model` and `Dinov2WithRegistersModel`, with a `projection` beside it.
const DINOV2: &[Rule] = &[
    Linear("vision.patch", "embeddings.patch_embeddings.projection"),
    Tensor("vision.class_token", "embeddings.cls_token"),
    Tensor("vision.registers", "embeddings.register_tokens"),
    Tensor("vision.positions", "embeddings.position_embeddings"),
    Norm("vision.blocks.{l}.ln_1", "encoder.layer.{l}.norm1"),
    Linear("vision.blocks.{l}.attention.query", "encoder.layer.{l}.attention.attention.query"),
    Linear("vision.blocks.{l}.attention.key", "encoder.layer.{l}.attention.attention.key"),
    Linear("vision.blocks.{l}.attention.value", "encoder.layer.{l}.attention.attention.value"),
    ScaledLinear(
        "vision.blocks.{l}.attention.output",
        "encoder.layer.{l}.attention.output.dense",
        "encoder.layer.{l}.layer_scale1.lambda1",
    ),
    Norm("vision.blocks.{l}.ln_2", "encoder.layer.{l}.norm2"),
    Linear("vision.blocks.{l}.mlp.in", "encoder.layer.{l}.mlp.fc1"),
    ScaledLinear(
        "vision.blocks.{l}.mlp.out",
        "encoder.layer.{l}.mlp.fc2",
        "encoder.layer.{l}.layer_scale2.lambda1",
    ),
    Norm("vision.ln_post", "layernorm"),
    Linear("vision.projection", "projection"),
];

/// Hugging Face `CLIPModel`, both towers.
const CLIP: &[Rule] = &[
    Tensor("vision.patch.weight", "vision_model.embeddings.patch_embedding.weight"),
    Zero("vision.patch.bias"),
    Tensor("vision.class_token", "vision_model.embeddings.class_embedding"),
    Tensor("vision.positions", "vision_model.embeddings.position_embedding.weight"),
    Norm("vision.ln_pre", "vision_model.pre_layrnorm"),
    Norm("vision.blocks.{l}.ln_1", "vision_model.encoder.layers.{l}.layer_norm1"),
    Linear("vision.blocks.{l}.attention.query", "vision_model.encoder.layers.{l}.self_attn.q_proj"),
    Linear("vision.blocks.{l}.attention.key", "vision_model.encoder.layers.{l}.self_attn.k_proj"),
    Linear("vision.blocks.{l}.attention.value", "vision_model.encoder.layers.{l}.self_attn.v_proj"),
    Linear("vision.blocks.{l}.attention.output", "vision_model.encoder.layers.{l}.self_attn.out_proj"),
    Norm("vision.blocks.{l}.ln_2", "vision_model.encoder.layers.{l}.layer_norm2"),
    Linear("vision.blocks.{l}.mlp.in", "vision_model.encoder.layers.{l}.mlp.fc1"),
    Linear("vision.blocks.{l}.mlp.out", "vision_model.encoder.layers.{l}.mlp.fc2"),
    Norm("vision.ln_post", "vision_model.post_layernorm"),
    Tensor("vision.projection.weight", "visual_projection.weight"),
    Tensor("text.tokens", "text_model.embeddings.token_embedding.weight"),
    Tensor("text.positions", "text_model.embeddings.position_embedding.weight"),
    Norm("text.blocks.{l}.ln_1", "text_model.encoder.layers.{l}.layer_norm1"),
    Linear("text.blocks.{l}.attention.query", "text_model.encoder.layers.{l}.self_attn.q_proj"),
    Linear("text.blocks.{l}.attention.key", "text_model.encoder.layers.{l}.self_attn.k_proj"),
    Linear("text.blocks.{l}.attention.value", "text_model.encoder.layers.{l}.self_attn.v_proj"),
    Linear("text.blocks.{l}.attention.output", "text_model.encoder.layers.{l}.self_attn.out_proj"),
    Norm("text.blocks.{l}.ln_2", "text_model.encoder.layers.{l}.layer_norm2"),
    Linear("text.blocks.{l}.mlp.in", "text_model.encoder.layers.{l}.mlp.fc1"),
    Linear("text.blocks.{l}.mlp.out", "text_model.encoder.layers.{l}.mlp.fc2"),
    Norm("text.ln_final", "text_model.final_layer_norm"),
    Tensor("text.projection.weight", "text_projection.weight"),
    Exp("logit_scale", "logit_scale"),
];

/// Hugging Face `BertModel`.
const BERT: &[Rule] = &[
    Tensor("text.tokens", "embeddings.word_embeddings.weight"),
    PlusFirstRow(
        "text.positions",
        "embeddings.position_embeddings.weight",
        "embeddings.token_type_embeddings.weight",
    ),
    Norm("text.ln_embed", "embeddings.LayerNorm"),
    Linear("text.blocks.{l}.attention.query", "encoder.layer.{l}.attention.self.query"),
    Linear("text.blocks.{l}.attention.key", "encoder.layer.{l}.attention.self.key"),
    Linear("text.blocks.{l}.attention.value", "encoder.layer.{l}.attention.self.value"),
    Linear("text.blocks.{l}.attention.output", "encoder.layer.{l}.attention.output.dense"),
    Norm("text.blocks.{l}.ln_1", "encoder.layer.{l}.attention.output.LayerNorm"),
    Linear("text.blocks.{l}.mlp.in", "encoder.layer.{l}.intermediate.dense"),
    Linear("text.blocks.{l}.mlp.out", "encoder.layer.{l}.output.dense"),
    Norm("text.blocks.{l}.ln_2", "encoder.layer.{l}.output.LayerNorm"),
];

/// What stands beside the towers in the default model's alignment file.
const ALIGNMENT: &[Rule] = &[Tensor("text.mean", "text_mean"), Tensor("logit_scale", "logit_scale")];

/// A checkpoint read under the project's names.
pub struct Layout {
    state: StateDict,
    rules: &'static [Rule],
}

impl Layout {
    /// Hugging Face's Dinov2, and a projection.
    pub fn dinov2(state: StateDict) -> Self {
        Self { state, rules: DINOV2 }
    }

    /// Hugging Face's CLIP.
    pub fn clip(state: StateDict) -> Self {
        Self { state, rules: CLIP }
    }

    /// Hugging Face's BERT.
    pub fn bert(state: StateDict) -> Self {
        Self { state, rules: BERT }
    }

    /// The default model's text mean and logit scale.
    pub fn alignment(state: StateDict) -> Self {
        Self { state, rules: ALIGNMENT }
    }

    /// The checkpoint's tensor `name`, of a shape that reads as `shape` once singleton axes are dropped
    /// and inner axes joined (a patch embedding's `[width, 3, p, p]` is `[width, 3 p p]`).
    fn get(&self, name: &str, shape: &[usize]) -> Result<Vec<f32>, CheckpointError> {
        let found = self.state.tensors.get(name).ok_or_else(|| CheckpointError::Missing(name.to_owned()))?;
        let outer = |shape: &[usize]| shape.iter().copied().find(|dim| *dim != 1);
        let same_size = found.shape.iter().product::<usize>() == shape.iter().product::<usize>();
        if !same_size || outer(&found.shape) != outer(shape) {
            return Err(CheckpointError::Shape {
                name: name.to_owned(),
                expected: shape.to_vec(),
                found: found.shape.clone(),
            });
        }
        Ok(self.state.get(name, &found.shape)?.to_vec())
    }

    /// The first row of the checkpoint's table `name`, whose rows are `width` long.
    fn first_row(&self, name: &str, width: usize) -> Result<&[f32], CheckpointError> {
        let found = self.state.tensors.get(name).ok_or_else(|| CheckpointError::Missing(name.to_owned()))?;
        let rows = found.shape.first().map_or(1, |rows| *rows.max(&1));
        Ok(&self.state.get(name, &[rows, width])?[..width])
    }

    fn apply(&self, rule: Rule, wanted: &Wanted<'_>, shape: &[usize]) -> Result<Option<Vec<f32>>, CheckpointError> {
        let named = |ours: &str, theirs: &str, suffixes: &[(&str, &str)]| {
            suffixes.iter().find_map(|(our_suffix, their_suffix)| {
                (wanted.pattern == format!("{ours}{our_suffix}"))
                    .then(|| wanted.in_layer(&format!("{theirs}{their_suffix}")))
            })
        };
        const LINEAR: &[(&str, &str)] = &[(".weight", ".weight"), (".bias", ".bias")];
        const NORM: &[(&str, &str)] = &[(".gamma", ".weight"), (".beta", ".bias")];
        const ITSELF: &[(&str, &str)] = &[("", "")];
        Ok(match rule {
            Tensor(ours, theirs) => named(ours, theirs, ITSELF).map(|name| self.get(&name, shape)).transpose()?,
            Linear(ours, theirs) => named(ours, theirs, LINEAR).map(|name| self.get(&name, shape)).transpose()?,
            Norm(ours, theirs) => named(ours, theirs, NORM).map(|name| self.get(&name, shape)).transpose()?,
            ScaledLinear(ours, theirs, scale) => match named(ours, theirs, LINEAR) {
                None => None,
                Some(name) => {
                    let mut values = self.get(&name, shape)?;
                    let lambda = self.get(&wanted.in_layer(scale), &shape[..1])?;
                    let inputs = values.len() / lambda.len();
                    for (row, lambda) in values.chunks_mut(inputs).zip(&lambda) {
                        row.iter_mut().for_each(|value| *value *= lambda);
                    }
                    Some(values)
                }
            },
            PlusFirstRow(ours, theirs, table) => match named(ours, theirs, ITSELF) {
                None => None,
                Some(name) => {
                    let mut values = self.get(&name, shape)?;
                    let added = self.first_row(table, shape[1])?;
                    for row in values.chunks_mut(shape[1]) {
                        row.iter_mut().zip(added).for_each(|(value, added)| *value += added);
                    }
                    Some(values)
                }
            },
            Exp(ours, theirs) => match named(ours, theirs, ITSELF) {
                None => None,
                Some(name) => Some(self.get(&name, shape)?.into_iter().map(f32::exp).collect()),
            },
            Zero(ours) => (wanted.pattern == ours).then(|| vec![0.0; shape.iter().product()]),
        })
    }
}

impl TensorSource for Layout {
    fn tensor(&mut self, name: &str, shape: &[usize]) -> Result<Vec<f32>, CheckpointError> {
        let wanted = Wanted::new(name);
        for rule in self.rules {
            if let Some(values) = self.apply(*rule, &wanted, shape)? {
                // What is read is finite; what a rule makes of it need not be.
                if values.iter().any(|value| !value.is_finite()) {
                    return Err(CheckpointError::NotFinite(name.to_owned()));
                }
                return Ok(values);
            }
        }
        Err(CheckpointError::Missing(name.to_owned()))
    }
}

/// Asks one source after another; the first that has a tensor gives it.
pub struct FirstOf(pub Vec<Box<dyn TensorSource>>);

impl TensorSource for FirstOf {
    fn tensor(&mut self, name: &str, shape: &[usize]) -> Result<Vec<f32>, CheckpointError> {
        let mut missing = CheckpointError::Missing(name.to_owned());
        for source in &mut self.0 {
            match source.tensor(name, shape) {
                Err(err @ CheckpointError::Missing(_)) => missing = err,
                other => return other,
            }
        }
        Err(missing)
    }
}

/// One of our names, its layer number taken out: `vision.blocks.{l}.ln_1.gamma` and `3`.
struct Wanted<'a> {
    pattern: String,
    layer: &'a str,
}

impl<'a> Wanted<'a> {
    fn new(name: &'a str) -> Self {
        let layer = name.split('.').find(|part| part.bytes().all(|byte| byte.is_ascii_digit())).unwrap_or("");
        let pattern = name
            .split('.')
            .map(|part| if !layer.is_empty() && part == layer { "{l}" } else { part })
            .collect::<Vec<_>>()
            .join(".");
        Self { pattern, layer }
    }

    fn in_layer(&self, theirs: &str) -> String {
        theirs.replace("{l}", self.layer)
    }
}
