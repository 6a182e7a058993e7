//! Whose tensor is which: the project's names against each checkpoint's own.
//!
//! Each table reads like the checkpoint's listing. `{l}` is the layer. A table gives a [`Recipe`] for each of our
//! tensors: which of the checkpoint's tensors it is made of, and how.

use std::borrow::Cow;

use super::{CheckpointError, StateDict};
use crate::model::{TensorSource, transpose};

/// How one of our names is found in a checkpoint.
#[derive(Clone, Copy, Debug)]
enum Rule {
    /// The tensor itself.
    Tensor(&'static str, &'static str),
    /// A matrix that the checkpoint stores `[in, out]`.
    Transposed(&'static str, &'static str),
    /// A linear layer: `.weight` and `.bias`.
    Linear(&'static str, &'static str),
    /// A linear layer whose outputs are scaled by LayerScale's lambda.
    ScaledLinear(&'static str, &'static str, &'static str),
    /// Three linear layers `.query`, `.key` and `.value` in one: the thirds of the rows of `_weight` and `_bias`.
    FusedQkv(&'static str, &'static str),
    /// A LayerNorm: `.gamma` is `.weight`, `.beta` is `.bias`.
    Norm(&'static str, &'static str),
    /// A table, to every row of which another table's first row is added.
    PlusFirstRow(&'static str, &'static str, &'static str),
    /// The exponential of a scalar.
    Exp(&'static str, &'static str),
    /// A bias that the checkpoint does not have.
    Zero(&'static str),
}
use Rule::{Exp, FusedQkv, Linear, Norm, PlusFirstRow, ScaledLinear, Tensor, Transposed, Zero};

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

/// OpenCLIP's `CLIP`, both towers, and OpenAI's own names, which are the same. (OpenCLIP's `CustomTextCLIP` has
/// `text.` before the text tower's names, TinyCLIP's release prefixes of its own: `detect` takes them off.)
const OPEN_CLIP: &[Rule] = &[
    Tensor("vision.patch.weight", "visual.conv1.weight"),
    Zero("vision.patch.bias"),
    Tensor("vision.class_token", "visual.class_embedding"),
    Tensor("vision.positions", "visual.positional_embedding"),
    Norm("vision.ln_pre", "visual.ln_pre"),
    Norm("vision.blocks.{l}.ln_1", "visual.transformer.resblocks.{l}.ln_1"),
    FusedQkv("vision.blocks.{l}.attention", "visual.transformer.resblocks.{l}.attn.in_proj"),
    Linear("vision.blocks.{l}.attention.output", "visual.transformer.resblocks.{l}.attn.out_proj"),
    Norm("vision.blocks.{l}.ln_2", "visual.transformer.resblocks.{l}.ln_2"),
    Linear("vision.blocks.{l}.mlp.in", "visual.transformer.resblocks.{l}.mlp.c_fc"),
    Linear("vision.blocks.{l}.mlp.out", "visual.transformer.resblocks.{l}.mlp.c_proj"),
    Norm("vision.ln_post", "visual.ln_post"),
    Transposed("vision.projection.weight", "visual.proj"),
    Tensor("text.tokens", "token_embedding.weight"),
    Tensor("text.positions", "positional_embedding"),
    Norm("text.blocks.{l}.ln_1", "transformer.resblocks.{l}.ln_1"),
    FusedQkv("text.blocks.{l}.attention", "transformer.resblocks.{l}.attn.in_proj"),
    Linear("text.blocks.{l}.attention.output", "transformer.resblocks.{l}.attn.out_proj"),
    Norm("text.blocks.{l}.ln_2", "transformer.resblocks.{l}.ln_2"),
    Linear("text.blocks.{l}.mlp.in", "transformer.resblocks.{l}.mlp.c_fc"),
    Linear("text.blocks.{l}.mlp.out", "transformer.resblocks.{l}.mlp.c_proj"),
    Norm("text.ln_final", "ln_final"),
    Transposed("text.projection.weight", "text_projection"),
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

/// A checkpoint's names for the project's tensors.
#[derive(Clone, Copy, Debug)]
pub struct Names(&'static [Rule]);

impl Names {
    /// Hugging Face's CLIP.
    pub const CLIP: Self = Self(CLIP);
    /// OpenCLIP's and OpenAI's.
    pub const OPEN_CLIP: Self = Self(OPEN_CLIP);

    /// How our tensor `name` of `shape` is made.
    ///
    /// # Errors
    /// [`CheckpointError::Missing`] where such checkpoints have no such tensor.
    pub fn recipe(self, name: &str, shape: &[usize]) -> Result<Recipe, CheckpointError> {
        let wanted = Wanted::new(name);
        let found = self.0.iter().find_map(|rule| wanted.recipe(*rule, shape));
        found.ok_or_else(|| CheckpointError::Missing(name.to_owned()))
    }
}

/// One of our tensors, as it is made of a checkpoint's.
#[derive(Clone, Debug)]
pub struct Recipe {
    /// The project's name for it.
    pub name: String,
    pub ingredients: Vec<Ingredient>,
    how: How,
    /// The made tensor's. A bias that no checkpoint has is made of this alone.
    shape: Vec<usize>,
}

/// A tensor that a recipe asks a checkpoint for.
#[derive(Clone, Debug)]
pub struct Ingredient {
    pub name: String,
    shape: Vec<usize>,
    /// Whether any number of rows will do.
    any_rows: bool,
}

#[derive(Clone, Copy, Debug)]
enum How {
    Itself,
    Transposed,
    /// The first, second or third third of the rows.
    Third(usize),
    ScaledRows,
    PlusFirstRow,
    Exp,
    Zero,
}

impl Ingredient {
    /// Holds the checkpoint's shape against the recipe's: equal once singleton axes are dropped and inner axes
    /// joined (a patch embedding's `[width, 3, p, p]` is `[width, 3 p p]`).
    ///
    /// # Errors
    /// [`CheckpointError::Shape`].
    pub fn accept(&self, found: &[usize]) -> Result<(), CheckpointError> {
        let outer = |shape: &[usize]| shape.iter().copied().find(|dim| *dim != 1);
        let size = |shape: &[usize]| shape.iter().try_fold(1_usize, |size, dim| size.checked_mul(*dim));
        let fits = match self.any_rows {
            true => found.len() == 2 && found[0] > 0 && found[1..] == self.shape[1..],
            false => size(found) == size(&self.shape) && outer(found) == outer(&self.shape),
        };
        if fits {
            return Ok(());
        }
        let (name, expected) = (self.name.clone(), self.shape.clone());
        Err(CheckpointError::Shape { name, expected, found: found.to_vec() })
    }
}

impl Recipe {
    /// Our tensor, from the ingredients' values in their order. Values are lent where nothing is to be done.
    ///
    /// # Errors
    /// [`CheckpointError::NotFinite`]: what is read is finite, what is made of it need not be.
    pub fn make<'a>(&self, values: &[&'a [f32]]) -> Result<Cow<'a, [f32]>, CheckpointError> {
        let made = self.combine(values);
        match &made {
            Cow::Owned(values) if values.iter().any(|value| !value.is_finite()) => {
                Err(CheckpointError::NotFinite(self.name.clone()))
            }
            _ => Ok(made),
        }
    }

    fn combine<'a>(&self, values: &[&'a [f32]]) -> Cow<'a, [f32]> {
        match (self.how, values) {
            (How::Itself, [values]) => Cow::Borrowed(values),
            (How::Transposed, [values]) => Cow::Owned(transpose(values, self.shape[1], self.shape[0])),
            (How::Third(third), [values]) => {
                let length = values.len() / 3;
                Cow::Borrowed(&values[third * length..(third + 1) * length])
            }
            (How::Exp, [values]) => values.iter().map(|value| value.exp()).collect(),
            (How::ScaledRows, [values, lambda]) => {
                let rows = values.chunks(values.len() / lambda.len());
                rows.zip(*lambda).flat_map(|(row, lambda)| row.iter().map(move |value| value * lambda)).collect()
            }
            (How::PlusFirstRow, [values, table]) => {
                let rows = values.chunks(self.shape[1]);
                rows.flat_map(|row| row.iter().zip(*table).map(|(value, added)| value + added)).collect()
            }
            // Every other recipe is made with as many ingredients as its arm names.
            _ => Cow::Owned(vec![0.0; self.shape.iter().product()]),
        }
    }
}

/// A checkpoint in memory, read under the project's names.
pub struct Layout {
    state: StateDict,
    names: Names,
}

impl Layout {
    /// Hugging Face's Dinov2, and a projection.
    pub fn dinov2(state: StateDict) -> Self {
        Self { state, names: Names(DINOV2) }
    }

    /// Hugging Face's CLIP.
    pub fn clip(state: StateDict) -> Self {
        Self { state, names: Names::CLIP }
    }

    /// Hugging Face's BERT.
    pub fn bert(state: StateDict) -> Self {
        Self { state, names: Names(BERT) }
    }

    /// The default model's text mean and logit scale.
    pub fn alignment(state: StateDict) -> Self {
        Self { state, names: Names(ALIGNMENT) }
    }

    fn get(&self, ingredient: &Ingredient) -> Result<&[f32], CheckpointError> {
        let name = &ingredient.name;
        let found = self.state.tensors.get(name).ok_or_else(|| CheckpointError::Missing(name.clone()))?;
        ingredient.accept(&found.shape)?;
        self.state.get(name, &found.shape)
    }
}

impl TensorSource for Layout {
    fn tensor(&mut self, name: &str, shape: &[usize]) -> Result<Vec<f32>, CheckpointError> {
        let recipe = self.names.recipe(name, shape)?;
        let values =
            recipe.ingredients.iter().map(|ingredient| self.get(ingredient)).collect::<Result<Vec<_>, _>>()?;
        Ok(recipe.make(&values)?.into_owned())
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
    name: &'a str,
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
        Self { name, pattern, layer }
    }

    /// The recipe that `rule` gives, where the rule is this name's.
    fn recipe(&self, rule: Rule, shape: &[usize]) -> Option<Recipe> {
        const THIRDS: [&str; 3] = ["query", "key", "value"];
        let itself = |ours: &str| (self.pattern == ours).then_some("");
        let of = |ours: &str, suffixes: [(&str, &'static str); 2]| {
            let suffix = self.pattern.strip_prefix(ours)?;
            suffixes
                .into_iter()
                .find_map(|(our_suffix, their_suffix)| (suffix == our_suffix).then_some(their_suffix))
        };
        let linear = |ours: &str| of(ours, [(".weight", ".weight"), (".bias", ".bias")]);
        let one = |theirs: &str, suffix: &str, how: How, shape: Vec<usize>| {
            (how, vec![self.ingredient(&format!("{theirs}{suffix}"), shape)])
        };
        let (how, ingredients) = match rule {
            Tensor(ours, theirs) => one(theirs, itself(ours)?, How::Itself, shape.to_vec()),
            Linear(ours, theirs) => one(theirs, linear(ours)?, How::Itself, shape.to_vec()),
            Norm(ours, theirs) => {
                one(theirs, of(ours, [(".gamma", ".weight"), (".beta", ".bias")])?, How::Itself, shape.to_vec())
            }
            Exp(ours, theirs) => one(theirs, itself(ours)?, How::Exp, shape.to_vec()),
            Transposed(ours, theirs) => {
                one(theirs, itself(ours)?, How::Transposed, shape.iter().rev().copied().collect())
            }
            FusedQkv(ours, theirs) => {
                let (third, suffix) = THIRDS.iter().enumerate().find_map(|(third, part)| {
                    of(&format!("{ours}.{part}"), [(".weight", "_weight"), (".bias", "_bias")])
                        .map(|suffix| (third, suffix))
                })?;
                let fused = std::iter::once(3 * shape[0]).chain(shape[1..].iter().copied());
                one(theirs, suffix, How::Third(third), fused.collect())
            }
            ScaledLinear(ours, theirs, scale) => {
                let (_, mut ingredients) = one(theirs, linear(ours)?, How::Itself, shape.to_vec());
                ingredients.push(self.ingredient(scale, shape[..1].to_vec()));
                (How::ScaledRows, ingredients)
            }
            PlusFirstRow(ours, theirs, table) => {
                let (_, mut ingredients) = one(theirs, itself(ours)?, How::Itself, shape.to_vec());
                ingredients.push(Ingredient { any_rows: true, ..self.ingredient(table, shape.to_vec()) });
                (How::PlusFirstRow, ingredients)
            }
            Zero(ours) => {
                itself(ours)?;
                (How::Zero, Vec::new())
            }
        };
        Some(Recipe { name: self.name.to_owned(), ingredients, how, shape: shape.to_vec() })
    }

    fn ingredient(&self, theirs: &str, shape: Vec<usize>) -> Ingredient {
        Ingredient { name: theirs.replace("{l}", self.layer), shape, any_rows: false }
    }
}
