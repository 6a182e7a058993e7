//! Whose tensor is which: the project's names against each checkpoint's own.
//!
//! [`tables`] read like the checkpoints' listings. They give a [`Recipe`] for each of our tensors: which of the
//! checkpoint's tensors it is made of, and how.

mod tables;

use std::borrow::Cow;

use super::{CheckpointError, StateDict};
use crate::kernels::transpose;
use crate::model::{TensorError, TensorSource};
use tables::Rule::{
    self, BehindZeroRow, Exp, FusedQkv, Linear, Norm, PlusFirstRow, ScaledLinear, Tensor, Transposed, Zero,
};

/// A checkpoint's names for the project's tensors: tables, of which an earlier one counts before a later one.
#[derive(Clone, Copy, Debug)]
pub struct Names(&'static [&'static [Rule]]);

impl Names {
    /// Hugging Face's CLIP.
    pub const CLIP: Self = Self(&[tables::CLIP]);
    /// OpenCLIP's and OpenAI's.
    pub const OPEN_CLIP: Self = Self(&[tables::OPEN_CLIP]);
    /// Hugging Face's ViT.
    pub const VIT: Self = Self(&[tables::VIT]);
    /// Hugging Face's Dinov2, with and without registers.
    pub const DINOV2: Self = Self(&[tables::DINOV2]);
    /// DINO's and DoRA's own, and timm's.
    pub const DINO: Self = Self(&[tables::DINO]);
    /// DINOv2's own, with and without registers, and timm's without.
    pub const DINO_V2: Self = Self(&[tables::DINO_V2, tables::DINO]);
    /// timm's DINOv2 with registers.
    pub const TIMM_REGISTERS: Self = Self(&[tables::TIMM_REGISTERS, tables::DINO_V2, tables::DINO]);

    /// How our tensor `name` of `shape` is made.
    ///
    /// # Errors
    /// [`CheckpointError::Missing`] where such checkpoints have no such tensor.
    pub fn recipe(self, name: &str, shape: &[usize]) -> Result<Recipe, CheckpointError> {
        let wanted = Wanted::new(name);
        let found = self.0.iter().copied().flatten().find_map(|rule| wanted.recipe(*rule, shape));
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
    BehindZeroRow,
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
            (How::BehindZeroRow, [values]) => {
                Cow::Owned(std::iter::repeat_n(0.0, self.shape[1]).chain(values.iter().copied()).collect())
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
        Self { state, names: Names::DINOV2 }
    }

    /// Hugging Face's CLIP.
    pub fn clip(state: StateDict) -> Self {
        Self { state, names: Names::CLIP }
    }

    /// Hugging Face's BERT.
    pub fn bert(state: StateDict) -> Self {
        Self { state, names: Names(&[tables::BERT]) }
    }

    /// The default model's text mean and logit scale.
    pub fn alignment(state: StateDict) -> Self {
        Self { state, names: Names(&[tables::ALIGNMENT]) }
    }

    fn get(&self, ingredient: &Ingredient) -> Result<&[f32], CheckpointError> {
        let name = &ingredient.name;
        let found = self.state.tensors.get(name).ok_or_else(|| CheckpointError::Missing(name.clone()))?;
        ingredient.accept(&found.shape)?;
        self.state.get(name, &found.shape)
    }
}

impl TensorSource for Layout {
    fn tensor(&mut self, name: &str, shape: &[usize]) -> Result<Vec<f32>, TensorError> {
        let recipe = self.names.recipe(name, shape)?;
        let values =
            recipe.ingredients.iter().map(|ingredient| self.get(ingredient)).collect::<Result<Vec<_>, _>>()?;
        Ok(recipe.make(&values)?.into_owned())
    }
}

/// Asks one source after another; the first that has a tensor gives it.
pub struct FirstOf(pub Vec<Box<dyn TensorSource>>);

impl TensorSource for FirstOf {
    fn tensor(&mut self, name: &str, shape: &[usize]) -> Result<Vec<f32>, TensorError> {
        let mut missing = TensorError::Missing(name.to_owned());
        for source in &mut self.0 {
            match source.tensor(name, shape) {
                Err(err @ TensorError::Missing(_)) => missing = err,
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
                    of(&format!("{ours}.{part}"), [(".weight", "weight"), (".bias", "bias")])
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
            BehindZeroRow(ours, theirs) => {
                let rows = std::iter::once(shape[0].saturating_sub(1)).chain(shape[1..].iter().copied());
                one(theirs, itself(ours)?, How::BehindZeroRow, rows.collect())
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
