//! A checkpoint's names for the project's tensors.

use super::recipe::{Combination, Ingredient, Recipe};
use super::rule::Rule::{
    self, BehindZeroRow, Exp, FusedQkv, Linear, Norm, PlusFirstRow, ScaledLinear, Tensor, Transposed, Zero,
};
use super::tables;
use crate::checkpoint::error::CheckpointError;

/// A checkpoint's names for the project's tensors: a list of tables. Earlier tables take precedence.
#[derive(Clone, Copy, Debug)]
pub struct TensorNames(pub(super) &'static [&'static [Rule]]);

impl TensorNames {
    /// Hugging Face's CLIP.
    pub const CLIP: Self = Self(&[tables::CLIP]);
    /// OpenCLIP's and OpenAI's CLIPs.
    pub const OPEN_CLIP: Self = Self(&[tables::OPEN_CLIP]);
    /// Hugging Face's ViT.
    pub const VIT: Self = Self(&[tables::VIT]);
    /// Hugging Face's Dinov2, with and without registers.
    pub const DINOV2: Self = Self(&[tables::DINOV2]);
    /// DINO's and DoRA's own releases, and timm's ViTs.
    pub const DINO: Self = Self(&[tables::DINO]);
    /// DINOv2's own release, with and without registers, and timm's DINOv2 without registers.
    pub const DINO_V2: Self = Self(&[tables::DINO_V2, tables::DINO]);
    /// timm's DINOv2 with registers.
    pub const TIMM_REGISTERS: Self = Self(&[tables::TIMM_REGISTERS, tables::DINO_V2, tables::DINO]);

    /// Returns the recipe of the project's tensor `name` of `shape`.
    ///
    /// # Errors
    /// [`CheckpointError::Missing`] if these checkpoints have no such tensor.
    pub fn recipe(self, name: &str, shape: &[usize]) -> Result<Recipe, CheckpointError> {
        let wanted = WantedName::new(name);
        let found = self.0.iter().copied().flatten().find_map(|rule| wanted.recipe(*rule, shape));
        found.ok_or_else(|| CheckpointError::Missing(name.to_owned()))
    }
}

/// One of the project's names, split into a pattern and a layer number: `vision.blocks.{l}.ln_1.gamma` and `3`.
struct WantedName<'a> {
    name: &'a str,
    pattern: String,
    layer: &'a str,
}

impl<'a> WantedName<'a> {
    fn new(name: &'a str) -> Self {
        let layer = name.split('.').find(|part| part.bytes().all(|byte| byte.is_ascii_digit())).unwrap_or("");
        let pattern = name
            .split('.')
            .map(|part| if !layer.is_empty() && part == layer { "{l}" } else { part })
            .collect::<Vec<_>>()
            .join(".");
        Self { name, pattern, layer }
    }

    /// Returns the recipe that `rule` gives; `None` if the rule is for another name.
    fn recipe(&self, rule: Rule, shape: &[usize]) -> Option<Recipe> {
        const THIRDS: [&str; 3] = ["query", "key", "value"];
        let exact = |ours: &str| (self.pattern == ours).then_some("");
        let of = |ours: &str, suffixes: [(&str, &'static str); 2]| {
            let suffix = self.pattern.strip_prefix(ours)?;
            suffixes
                .into_iter()
                .find_map(|(our_suffix, their_suffix)| (suffix == our_suffix).then_some(their_suffix))
        };
        let linear = |ours: &str| of(ours, [(".weight", ".weight"), (".bias", ".bias")]);
        let one = |theirs: &str, suffix: &str, combination: Combination, shape: Vec<usize>| {
            (combination, vec![self.ingredient(&format!("{theirs}{suffix}"), shape)])
        };
        let (combination, ingredients) = match rule {
            Tensor(ours, theirs) => one(theirs, exact(ours)?, Combination::Unchanged, shape.to_vec()),
            Linear(ours, theirs) => one(theirs, linear(ours)?, Combination::Unchanged, shape.to_vec()),
            Norm(ours, theirs) => one(
                theirs,
                of(ours, [(".gamma", ".weight"), (".beta", ".bias")])?,
                Combination::Unchanged,
                shape.to_vec(),
            ),
            Exp(ours, theirs) => one(theirs, exact(ours)?, Combination::Exp, shape.to_vec()),
            Transposed(ours, theirs) => {
                one(theirs, exact(ours)?, Combination::Transposed, shape.iter().rev().copied().collect())
            }
            FusedQkv(ours, theirs) => {
                let (third, suffix) = THIRDS.iter().enumerate().find_map(|(third, part)| {
                    of(&format!("{ours}.{part}"), [(".weight", "weight"), (".bias", "bias")])
                        .map(|suffix| (third, suffix))
                })?;
                let fused = std::iter::once(3 * shape[0]).chain(shape[1..].iter().copied());
                one(theirs, suffix, Combination::Third(third), fused.collect())
            }
            ScaledLinear(ours, theirs, scale) => {
                let (_, mut ingredients) = one(theirs, linear(ours)?, Combination::Unchanged, shape.to_vec());
                ingredients.push(self.ingredient(scale, shape[..1].to_vec()));
                (Combination::ScaledRows, ingredients)
            }
            PlusFirstRow(ours, theirs, table) => {
                let (_, mut ingredients) = one(theirs, exact(ours)?, Combination::Unchanged, shape.to_vec());
                ingredients.push(Ingredient { any_rows: true, ..self.ingredient(table, shape.to_vec()) });
                (Combination::PlusFirstRow, ingredients)
            }
            BehindZeroRow(ours, theirs) => {
                let rows = std::iter::once(shape[0].saturating_sub(1)).chain(shape[1..].iter().copied());
                one(theirs, exact(ours)?, Combination::BehindZeroRow, rows.collect())
            }
            Zero(ours) => {
                exact(ours)?;
                (Combination::Zero, Vec::new())
            }
        };
        Some(Recipe { name: self.name.to_owned(), ingredients, combination, shape: shape.to_vec() })
    }

    /// Returns the ingredient `theirs`, with the layer number filled in.
    fn ingredient(&self, theirs: &str, shape: Vec<usize>) -> Ingredient {
        Ingredient { name: theirs.replace("{l}", self.layer), shape, any_rows: false }
    }
}
