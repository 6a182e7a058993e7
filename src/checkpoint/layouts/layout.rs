//! Checkpoints in memory as sources of the project's tensors.

use super::recipe::Ingredient;
use super::tables;
use super::tensor_names::TensorNames;
use crate::checkpoint::error::CheckpointError;
use crate::checkpoint::state_dict::StateDict;
use crate::model::{TensorError, TensorSource};

/// A checkpoint in memory that gives its tensors under the project's names.
pub struct Layout {
    state: StateDict,
    names: TensorNames,
}

impl Layout {
    /// Returns Hugging Face's Dinov2 and a projection under the project's names.
    pub fn dinov2(state: StateDict) -> Self {
        Self { state, names: TensorNames::DINOV2 }
    }

    /// Returns Hugging Face's CLIP under the project's names.
    pub fn clip(state: StateDict) -> Self {
        Self { state, names: TensorNames::CLIP }
    }

    /// Returns Hugging Face's BERT under the project's names.
    pub fn bert(state: StateDict) -> Self {
        Self { state, names: TensorNames(&[tables::BERT]) }
    }

    /// Returns the default model's text mean and logit scale under the project's names.
    pub fn alignment(state: StateDict) -> Self {
        Self { state, names: TensorNames(&[tables::ALIGNMENT]) }
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

/// Several sources in order. A tensor comes from the first source that has it.
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
