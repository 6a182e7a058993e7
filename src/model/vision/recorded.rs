//! The tower's runs on a GPU: the first over a grid as it comes, and from the second on recorded.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::thread::{self, ThreadId};

use burn::tensor::Tensor;

use super::VisionTransformer;
use super::run::{Asked, Parts};
use crate::geometry::Grid;
use crate::model::{Backend, ModelError};
use crate::shaders::{self, Recording};

/// How often a run is tried to be recorded: something else may have the memory that the run before has left.
const TRIES: usize = 3;

/// Numbers that a recorded run may leave, 32 MiB: the memory of all that it computes is its own as long as it is kept,
/// and a larger run gains little, as it takes the GPU longer than its launches take.
const MOST: usize = 8 << 20;

thread_local! {
    /// Lives as long as its thread does.
    static ALIVE: Arc<()> = Arc::default();
}

/// What is kept of each thread's last run, for the next one like it. A recording is of one thread, and nothing says
/// which of two threads' launches the GPU hears of first.
#[derive(Debug, Default)]
pub struct Runs(Mutex<HashMap<ThreadId, Last>>);

/// The last run over a grid.
#[derive(Debug)]
struct Last {
    grid: Grid,
    asked: Asked,
    tries: usize,
    /// What it ran over. A recording reads it from the same memory: were it not kept, a recording would need memory for
    /// it beside all that this run has left.
    patches: Tensor<3>,
    start: Tensor<3>,
    recorded: Option<Arc<Recorded>>,
    thread: Weak<()>,
}

impl Last {
    fn is_like(&self, grid: Grid, asked: Asked) -> bool {
        self.grid == grid && self.asked == asked
    }
}

impl Runs {
    fn lock(&self) -> MutexGuard<'_, HashMap<ThreadId, Last>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[derive(Debug)]
struct Recorded {
    recording: Recording,
    /// Of what is read, tensor by tensor.
    lengths: Vec<usize>,
}

impl VisionTransformer {
    /// Whether a recording of this thread's last run is kept, for the next one like it.
    pub fn is_recorded(&self) -> bool {
        self.runs.lock().get(&thread::current().id()).is_some_and(|last| last.recorded.is_some())
    }

    /// Whether the tower's runs can be recorded, and one over the grid is small: its values, of which it leaves the most,
    /// are few.
    pub(super) fn is_worth_recording(&self, grid: Grid) -> bool {
        let tokens = self.config.leading_tokens() + grid.len();
        let is_small = self.config.layers * tokens * self.config.width <= MOST;
        is_small && matches!(self.backend, Backend::Shaders(_))
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
        if let Some(recorded) = self.recorded(grid, asked) {
            let bytes = recorded.recording.run(patches)?.await?;
            self.backend.check()?;
            return Parts::of_bytes(&bytes, &recorded.lengths);
        }
        let (patches, start) = (self.on_device(patches, grid), self.start_of(grid));
        self.keep(grid, asked, &patches, &start);
        let (together, lengths) = self.run_together(patches, start, asked)?;
        let data = together.into_data_async().await.map_err(|err| ModelError::Device(format!("{err:?}")))?;
        self.backend.check()?;
        Parts::of_bytes(data.as_bytes(), &lengths)
    }

    /// The last run, if it was one like this, recorded now if it was not yet.
    fn recorded(&self, grid: Grid, asked: Asked) -> Option<Arc<Recorded>> {
        let mut runs = self.runs.lock();
        let last = runs.get_mut(&thread::current().id()).filter(|last| last.is_like(grid, asked))?;
        if last.recorded.is_none() && last.tries < TRIES {
            last.tries += 1;
            last.recorded = self.record(last).ok().map(Arc::new);
        }
        last.recorded.clone()
    }

    /// Keeps what a run is about to run over, unless the last one was like it.
    fn keep(&self, grid: Grid, asked: Asked, patches: &Tensor<3>, start: &Tensor<3>) {
        let (mut runs, id) = (self.runs.lock(), thread::current().id());
        if runs.get(&id).is_none_or(|last| !last.is_like(grid, asked)) {
            // Nobody else is ever to run what threads that are gone have recorded.
            runs.retain(|_, last| last.thread.strong_count() > 0);
            let (patches, start, thread) = (patches.clone(), start.clone(), ALIVE.with(Arc::downgrade));
            runs.insert(id, Last { grid, asked, tries: 0, patches, start, recorded: None, thread });
        }
    }

    fn record(&self, last: &Last) -> Result<Recorded, ModelError> {
        let mut lengths = Vec::new();
        let recording = Recording::new(last.patches.clone(), |patches| {
            let (together, of_each) = self.run_together(patches, last.start.clone(), last.asked)?;
            lengths = of_each;
            Ok(together)
        })?;
        Ok(Recorded { recording, lengths })
    }

    /// What a run leaves, one behind the other, and how many numbers each of it has.
    fn run_together(
        &self,
        patches: Tensor<3>,
        start: Tensor<3>,
        asked: Asked,
    ) -> Result<(Tensor<1>, Vec<usize>), ModelError> {
        let left = self.run(patches, start, asked, &mut |_layer, _qkv| {})?;
        let lengths = left.iter().map(|tensor| tensor.dims()[0]).collect();
        Ok((shaders::gather(left)?, lengths))
    }
}
