//! Converts a checkpoint to a pack's weights. The whole checkpoint is never in memory.

use std::collections::{BTreeMap, HashMap};
use std::ops::Range;

use super::detect::Detected;
use super::error::CheckpointError;
use super::index::TensorIndex;
use super::layouts::Recipe;
use super::pack::{PackWriter, Quantisation, WeightsWriter};

/// The most missing tensors that the error names.
const NAMED: usize = 3;

/// Takes a checkpoint's bytes, segment by segment in file order. It stores each of the model's tensors as soon as all
/// ingredients of the tensor have come.
///
/// Apart from the finished weights, the memory holds one segment, its values in f32, and the values that still wait
/// for other ingredients (in a CLIP, none).
pub struct Converter {
    index: TensorIndex,
    weights: WeightsWriter,
    /// The recipes of the tensors that are not stored yet, by the tensor's number in the model.
    recipes: BTreeMap<usize, Recipe>,
    /// For each of the checkpoint's tensors, the recipes that need it.
    uses: BTreeMap<String, Vec<usize>>,
    /// The segments that have not come yet; the next one is last.
    segments: Vec<usize>,
    /// The checkpoint's tensors that recipes still need.
    held: HashMap<String, Vec<f32>>,
}

impl Converter {
    /// Prepares the conversion. It finds every error that can be found before the weights are read.
    ///
    /// # Errors
    /// [`CheckpointError::Incomplete`] names the tensors that the file lacks; [`CheckpointError::Shape`] names a
    /// tensor of another shape; [`CheckpointError::Memory`] if there is no room for the weights.
    pub fn new(detected: Detected, quantisation: Quantisation) -> Result<Self, CheckpointError> {
        let Detected { family, model, index, .. } = detected;
        let mut recipes = BTreeMap::new();
        let mut uses: BTreeMap<String, Vec<usize>> = BTreeMap::new();
        let mut missing = Vec::new();
        for (number, spec) in model.tensors().into_iter().enumerate() {
            let recipe = family.names().recipe(&spec.name, &spec.shape)?;
            for ingredient in &recipe.ingredients {
                match index.tensors.get(&ingredient.name) {
                    Some(found) => ingredient.accept(&found.shape)?,
                    // Up to three recipes may need the same tensor.
                    None if missing.contains(&ingredient.name) => {}
                    None => missing.push(ingredient.name.clone()),
                }
                uses.entry(ingredient.name.clone()).or_default().push(number);
            }
            recipes.insert(number, recipe);
        }
        if !missing.is_empty() {
            let (file, count) = (index.file.clone(), missing.len());
            missing.truncate(NAMED);
            return Err(CheckpointError::Incomplete { file, count, named: missing.join("`, `") });
        }
        let mut segments = index.segments_of(uses.keys());
        segments.reverse();
        let weights = WeightsWriter::new(&model, quantisation)?;
        let mut converter = Self { index, weights, recipes, uses, segments, held: HashMap::new() };
        let without_ingredients = converter.recipes.iter().filter(|(_, recipe)| recipe.ingredients.is_empty());
        let without_ingredients: Vec<usize> = without_ingredients.map(|(number, _)| *number).collect();
        converter.make(&without_ingredients)?;
        Ok(converter)
    }

    /// Returns the range of bytes that the converter needs next. The ranges come in file order. `None` means that all
    /// have come.
    pub fn wanted(&self) -> Option<Range<u64>> {
        self.segments.last().map(|segment| self.index.range(*segment))
    }

    /// Takes the bytes of the [`wanted`](Self::wanted) range.
    ///
    /// # Errors
    /// The error names the tensor that cannot be read.
    pub fn push(&mut self, bytes: &[u8]) -> Result<(), CheckpointError> {
        let Some(segment) = self.segments.pop() else { return Ok(()) };
        let payload = self.index.payload(segment, bytes)?;
        let here = self.uses.keys().filter(|name| self.index.segment(name) == Some(segment));
        for name in here.cloned().collect::<Vec<_>>() {
            let values = self.index.values(&name, payload)?;
            self.held.insert(name.clone(), values);
            let numbers = self.uses.get(&name).cloned().unwrap_or_default();
            self.make(&numbers)?;
            self.drop_unused();
        }
        Ok(())
    }

    /// Stores those tensors whose ingredients have all come.
    fn make(&mut self, numbers: &[usize]) -> Result<(), CheckpointError> {
        for number in numbers {
            let Some(recipe) = self.recipes.get(number) else { continue };
            let held = recipe.ingredients.iter().map(|ingredient| self.held.get(&ingredient.name));
            let Some(values) = held.map(|values| values.map(Vec::as_slice)).collect::<Option<Vec<_>>>() else {
                continue;
            };
            self.weights.put(&recipe.name, &recipe.make(&values)?)?;
            self.recipes.remove(number);
        }
        Ok(())
    }

    /// Drops the values that no recipe needs any more.
    fn drop_unused(&mut self) {
        let (uses, recipes) = (&self.uses, &self.recipes);
        self.held.retain(|name, _values| {
            uses.get(name).is_some_and(|numbers| numbers.iter().any(|number| recipes.contains_key(number)))
        });
    }

    /// Returns a pack writer with the finished weights. Call it when no more bytes are wanted.
    ///
    /// # Errors
    /// [`CheckpointError::Missing`] names a tensor that has not come.
    pub fn finish(self) -> Result<PackWriter, CheckpointError> {
        Ok(PackWriter::of_weights(self.weights.finish()?))
    }
}
