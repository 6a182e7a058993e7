//! Runs on a GPU that are recorded: the first run over a grid launches each shader, later runs replay the recording.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::thread::{self, ThreadId};

use super::read_back::{ReadTensors, Wanted};
use super::tower::Tower;
use crate::geometry::Grid;
use crate::model::backend::Backend;
use crate::model::error::ModelError;
use crate::model::tensor::DeviceTensor;
use crate::shaders::{self, GpuTensor, Recording};

/// How often a recording is tried. A try fails when something else has taken the memory that the previous run left.
const TRIES: usize = 3;

/// Values (`layers * tokens * width`) of the largest run that is recorded: 32 MiB. A recording holds the memory of
/// everything that it computes. A larger run gains little, because the GPU needs longer for it than its launches take.
const LARGEST_RUN: usize = 8 << 20;

thread_local! {
    /// A value that lives as long as its thread.
    static THREAD_ALIVE: Arc<()> = Arc::default();
}

/// The last run of each thread, kept for the next run of the same kind.
///
/// A recording belongs to one thread, because the GPU receives the launches of two threads in no defined order.
#[derive(Debug, Default)]
pub struct RecordedRuns(Mutex<HashMap<ThreadId, LastRun>>);

/// The last run of a thread.
#[derive(Debug)]
struct LastRun {
    grid: Grid,
    wanted: Wanted,
    tries: usize,
    /// The run's inputs. A recording reads its inputs from the same memory. New memory for them would not be available:
    /// a recording can only use memory that this run has freed.
    patches: GpuTensor<3>,
    initial_tokens: GpuTensor<3>,
    recorded: Option<Arc<RecordedRun>>,
    thread: Weak<()>,
}

#[derive(Debug)]
struct RecordedRun {
    recording: Recording,
    /// Numbers of each tensor that is read back.
    lengths: Vec<usize>,
}

impl LastRun {
    fn is_like(&self, grid: Grid, wanted: Wanted) -> bool {
        self.grid == grid && self.wanted == wanted
    }

    /// Records the run.
    fn record(&self, tower: &Tower) -> Result<RecordedRun, ModelError> {
        let mut lengths = Vec::new();
        let recording = Recording::new(self.patches.clone(), |patches| {
            let (results, result_lengths) =
                run_concatenated(tower, patches, self.initial_tokens.clone(), self.wanted)?;
            lengths = result_lengths;
            Ok::<_, ModelError>(results)
        })?;
        Ok(RecordedRun { recording, lengths })
    }
}

impl RecordedRuns {
    /// Returns whether this thread has a recording for the next run of the same kind.
    pub fn has_recording(&self) -> bool {
        self.lock().get(&thread::current().id()).is_some_and(|last| last.recorded.is_some())
    }

    /// Runs the tower over patches: replays the recording when there is one, and launches the shaders otherwise.
    ///
    /// # Errors
    /// When the device fails.
    pub async fn run(
        &self,
        tower: &Tower,
        patches: Vec<f32>,
        grid: Grid,
        wanted: Wanted,
    ) -> Result<ReadTensors, ModelError> {
        if let Some(recorded) = self.recording(tower, grid, wanted) {
            let bytes = recorded.recording.run(patches)?.await?;
            tower.backend.check()?;
            return ReadTensors::from_bytes(&bytes, &recorded.lengths);
        }
        let patches = tower.patches_on_device(patches, grid).on_gpu()?;
        let initial_tokens = tower.initial_tokens(grid).on_gpu()?;
        self.store_inputs(grid, wanted, &patches, &initial_tokens);
        let (results, lengths) = run_concatenated(tower, patches, initial_tokens, wanted)?;
        let data = shaders::read_back(&[results]).await?;
        tower.backend.check()?;
        ReadTensors::from_bytes(data.first().map_or(&[][..], |bytes| bytes), &lengths)
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<ThreadId, LastRun>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Returns the recording of the thread's last run when that run was of the same kind. Makes the recording first
    /// if there is none yet.
    fn recording(&self, tower: &Tower, grid: Grid, wanted: Wanted) -> Option<Arc<RecordedRun>> {
        let mut runs = self.lock();
        let last = runs.get_mut(&thread::current().id()).filter(|last| last.is_like(grid, wanted))?;
        if last.recorded.is_none() && last.tries < TRIES {
            last.tries += 1;
            last.recorded = last.record(tower).ok().map(Arc::new);
        }
        last.recorded.clone()
    }

    /// Keeps the inputs of a new run, unless the last run was of the same kind.
    fn store_inputs(&self, grid: Grid, wanted: Wanted, patches: &GpuTensor<3>, initial_tokens: &GpuTensor<3>) {
        let (mut runs, id) = (self.lock(), thread::current().id());
        if runs.get(&id).is_none_or(|last| !last.is_like(grid, wanted)) {
            // No other thread can replay the recordings of a thread that has ended.
            runs.retain(|_, last| last.thread.strong_count() > 0);
            let (patches, initial_tokens) = (patches.clone(), initial_tokens.clone());
            let thread = THREAD_ALIVE.with(Arc::downgrade);
            runs.insert(id, LastRun { grid, wanted, tries: 0, patches, initial_tokens, recorded: None, thread });
        }
    }
}

/// Returns whether a run over the grid is recorded: the tower runs on shaders, and its largest result (the values of
/// all layers) is small.
pub fn is_worth_recording(tower: &Tower, grid: Grid) -> bool {
    let tokens = tower.config.leading_tokens() + grid.len();
    let is_small = tower.config.layers * tokens * tower.config.width <= LARGEST_RUN;
    is_small && matches!(tower.backend, Backend::Shaders(_))
}

/// Runs the tower. Returns its results concatenated, and the number of numbers in each result.
fn run_concatenated(
    tower: &Tower,
    patches: GpuTensor<3>,
    initial_tokens: GpuTensor<3>,
    wanted: Wanted,
) -> Result<(GpuTensor<1>, Vec<usize>), ModelError> {
    let results = tower.run(patches.into(), initial_tokens.into(), wanted, &mut |_layer, _qkv| {})?;
    let results = results.into_iter().map(DeviceTensor::on_gpu).collect::<Result<Vec<_>, _>>()?;
    let lengths = results.iter().map(|tensor| tensor.dims()[0]).collect();
    Ok((shaders::gather(&results)?, lengths))
}
