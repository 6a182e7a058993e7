//! How one of the project's tensors is made of a checkpoint's tensors.

use std::borrow::Cow;

use crate::checkpoint::error::CheckpointError;
use crate::kernels::transpose;

/// How one of the project's tensors is made.
#[derive(Clone, Debug)]
pub struct Recipe {
    /// The project's name of the tensor.
    pub name: String,
    /// The checkpoint's tensors, in the order in which [`make`](Self::make) takes their values.
    pub ingredients: Vec<Ingredient>,
    pub(super) combination: Combination,
    /// The shape of the project's tensor.
    pub(super) shape: Vec<usize>,
}

/// A checkpoint's tensor that a recipe needs.
#[derive(Clone, Debug)]
pub struct Ingredient {
    pub name: String,
    pub(super) shape: Vec<usize>,
    /// Whether the tensor may have any number of rows.
    pub(super) any_rows: bool,
}

/// How the ingredients' values are combined.
#[derive(Clone, Copy, Debug)]
pub(super) enum Combination {
    /// The values as they are.
    Unchanged,
    Transposed,
    /// One third of the rows: 0, 1 or 2.
    Third(usize),
    /// Each row times its value in a second ingredient.
    ScaledRows,
    /// Each row plus the first row of a second ingredient.
    PlusFirstRow,
    /// A row of zeros, then the values.
    BehindZeroRow,
    Exp,
    /// Zeros, without an ingredient: a bias that no checkpoint has.
    Zero,
}

impl Ingredient {
    /// Checks the checkpoint's shape against the recipe's. The shapes fit if they are equal after axes of size 1 are
    /// dropped and inner axes are joined: a patch embedding's `[width, 3, p, p]` fits `[width, 3 p p]`.
    ///
    /// # Errors
    /// [`CheckpointError::Shape`] if they do not fit.
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
    /// Returns the project's tensor. `values` are the ingredients' values, in their order. The result borrows them if
    /// they need no change.
    ///
    /// # Errors
    /// [`CheckpointError::NotFinite`] if the combination is not finite. The ingredients are finite already.
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
        match (self.combination, values) {
            (Combination::Unchanged, [values]) => Cow::Borrowed(values),
            (Combination::Transposed, [values]) => Cow::Owned(transpose(values, self.shape[1], self.shape[0])),
            (Combination::Third(third), [values]) => {
                let length = values.len() / 3;
                Cow::Borrowed(&values[third * length..(third + 1) * length])
            }
            (Combination::Exp, [values]) => values.iter().map(|value| value.exp()).collect(),
            (Combination::ScaledRows, [values, lambda]) => {
                let rows = values.chunks(values.len() / lambda.len());
                rows.zip(*lambda).flat_map(|(row, lambda)| row.iter().map(move |value| value * lambda)).collect()
            }
            (Combination::PlusFirstRow, [values, table]) => {
                let rows = values.chunks(self.shape[1]);
                rows.flat_map(|row| row.iter().zip(*table).map(|(value, added)| value + added)).collect()
            }
            (Combination::BehindZeroRow, [values]) => {
                Cow::Owned(std::iter::repeat_n(0.0, self.shape[1]).chain(values.iter().copied()).collect())
            }
            // Only `Zero` comes here: every other recipe has as many ingredients as its arm names.
            _ => Cow::Owned(vec![0.0; self.shape.iter().product()]),
        }
    }
}
