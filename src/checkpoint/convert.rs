//! A checkpoint made a pack's weights, without ever being in memory as a whole.

use std::collections::{BTreeMap, HashMap};
use std::ops::Range;

use super::layouts::Recipe;
use super::{CheckpointError, Detected, PackWriter, Quantisation, WeightsWriter, index::Index};

/// Names shown of what is missing.
const NAMED: usize = 3;

/// Takes a checkpoint's bytes, stretch by stretch in file order, and stores each of the model's tensors as soon as
/// all that it is made of has come.
///
/// What is held beside the finished weights is one stretch, its values in f32, and values that still wait for others
/// (in a CLIP: none).
pub struct Converter {
    index: Index,
    weights: WeightsWriter,
    /// Our tensors that are still to be made.
    recipes: BTreeMap<usize, Recipe>,
    /// Which recipes a checkpoint's tensor goes into.
    uses: BTreeMap<String, Vec<usize>>,
    /// Stretches still to come, the next one last.
    segments: Vec<usize>,
    held: HashMap<String, Vec<f32>>,
}

impl Converter {
    /// Begins. Everything that can be refused before the weights are read is refused here.
    ///
    /// # Errors
    /// [`CheckpointError::Incomplete`] names the tensors that the file lacks; [`CheckpointError::Shape`] one of
    /// another shape; [`CheckpointError::Memory`] where there is no room for the weights.
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
                    // Three of our tensors may be made of one.
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
        let of_nothing = converter.recipes.iter().filter(|(_, recipe)| recipe.ingredients.is_empty());
        let of_nothing: Vec<usize> = of_nothing.map(|(number, _)| *number).collect();
        converter.make(&of_nothing)?;
        Ok(converter)
    }

    /// The bytes of the file that are wanted next, after all that were wanted before; none when all have come.
    pub fn wants(&self) -> Option<Range<u64>> {
        self.segments.last().map(|segment| self.index.range(*segment))
    }

    /// Takes the bytes that were wanted.
    ///
    /// # Errors
    /// Names the tensor that cannot be read.
    pub fn push(&mut self, bytes: &[u8]) -> Result<(), CheckpointError> {
        let Some(segment) = self.segments.pop() else { return Ok(()) };
        let payload = self.index.payload(segment, bytes)?;
        let here = self.uses.keys().filter(|name| self.index.segment(name) == Some(segment));
        for name in here.cloned().collect::<Vec<_>>() {
            let values = self.index.values(&name, payload)?;
            self.held.insert(name.clone(), values);
            let numbers = self.uses.get(&name).cloned().unwrap_or_default();
            self.make(&numbers)?;
            self.let_go();
        }
        Ok(())
    }

    /// Makes those of our tensors whose ingredients have all come.
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

    /// Drops values that no recipe waits for.
    fn let_go(&mut self) {
        let (uses, recipes) = (&self.uses, &self.recipes);
        self.held.retain(|name, _values| {
            uses.get(name).is_some_and(|numbers| numbers.iter().any(|number| recipes.contains_key(number)))
        });
    }

    /// A pack's files with the weights among them, once nothing more is wanted.
    ///
    /// # Errors
    /// [`CheckpointError::Missing`] names a tensor that has not come.
    pub fn finish(self) -> Result<PackWriter, CheckpointError> {
        Ok(PackWriter::of_weights(self.weights.finish()?))
    }
}
