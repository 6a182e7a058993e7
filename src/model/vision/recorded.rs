//! The tower's runs on a GPU: the first over a grid as it comes, and from the second on recorded.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use burn::tensor::Tensor;

use super::VisionTransformer;
use super::run::{Asked, Parts};
use crate::geometry::Grid;
use crate::model::ModelError;
use crate::shaders::{self, Recording};

/// How often a run is tried to be recorded. The first time, the memory that the run before has left may not do: something
/// else has it, or CubeCL has gone over to larger pieces since.
const TRIES: usize = 3;

/// Numbers that a recorded run may leave, 32 MiB: the memory of all that it computes is its own as long as it is kept,
/// and a larger run gains little, as it takes the GPU longer than its launches take.
const MOST: usize = 8 << 20;

/// What is kept of the last run, for the next one like it.
#[derive(Debug, Default)]
pub struct Runs(Mutex<Option<Last>>);

/// The last run over a grid.
#[derive(Debug)]
struct Last {
    grid: Grid,
    asked: Asked,
    tries: usize,
    recorded: Option<Arc<Recorded>>,
}

impl Runs {
    fn last(&self) -> MutexGuard<'_, Option<Last>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[derive(Debug)]
struct Recorded {
    recording: Recording,
    /// Of what is read, tensor by tensor.
    lengths: Vec<usize>,
    /// What the tokens start with, which the recorded shaders read.
    _start: Tensor<3>,
}

impl VisionTransformer {
    /// Whether a recording of the last run is kept, for the next one like it.
    pub fn is_recorded(&self) -> bool {
        self.runs.last().as_ref().is_some_and(|last| last.recorded.is_some())
    }

    /// Whether a run over the grid is small: its values, of which it leaves the most, are few.
    pub(super) fn is_worth_recording(&self, grid: Grid) -> bool {
        let tokens = self.config.leading_tokens() + grid.len();
        self.config.layers * tokens * self.config.width <= MOST
    }

    /// Runs the tower over patches, by what was recorded where there is something.
    ///
    /// # Errors
    /// Where the device fails.
    pub(super) async fn read_recorded(
        &self,
        patches: Vec<f32>,
        grid: Grid,
        asked: Asked,
    ) -> Result<Parts, ModelError> {
        let recorded = self.recorded(&patches, grid, asked);
        if let Some(recorded) = recorded.filter(|recorded| recorded.recording.is_of_this_thread()) {
            let bytes = recorded.recording.run(patches)?.await?;
            return Parts::of_bytes(&bytes, &recorded.lengths);
        }
        let left = self.run(self.on_device(patches, grid), self.start_of(grid), asked, &mut |_layer, _qkv| {})?;
        let lengths = lengths_of(&left);
        let together = shaders::gather(left)?;
        let data = together.into_data_async().await.map_err(|err| ModelError::Device(format!("{err:?}")))?;
        Parts::of_bytes(data.as_bytes(), &lengths)
    }

    /// The last run if it was one like this, recorded now if it can be; else this one takes its place.
    fn recorded(&self, patches: &[f32], grid: Grid, asked: Asked) -> Option<Arc<Recorded>> {
        let mut last = self.runs.last();
        match &mut *last {
            Some(last) if last.grid == grid && last.asked == asked => {
                if last.recorded.is_none() && last.tries < TRIES {
                    last.tries += 1;
                    last.recorded = self.record(patches, grid, asked).ok().map(Arc::new);
                }
                last.recorded.clone()
            }
            _ => {
                *last = Some(Last { grid, asked, tries: 0, recorded: None });
                None
            }
        }
    }

    fn record(&self, patches: &[f32], grid: Grid, asked: Asked) -> Result<Recorded, ModelError> {
        let start = self.start_of(grid);
        let mut lengths = Vec::new();
        let recording = Recording::new(self.on_device(patches.to_vec(), grid), |patches| {
            let left = self.run(patches, start.clone(), asked, &mut |_layer, _qkv| {})?;
            lengths = lengths_of(&left);
            shaders::gather(left)
        })?;
        Ok(Recorded { recording, lengths, _start: start })
    }
}

fn lengths_of(tensors: &[Tensor<1>]) -> Vec<usize> {
    tensors.iter().map(|tensor| tensor.dims()[0]).collect()
}
