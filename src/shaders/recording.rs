//! Launches that are recorded once and run again.

use std::future::Future;
use std::thread::{self, ThreadId};

use burn::tensor::{Bytes, Tensor};
use cubecl::client::Graph;
use cubecl::server::ServerError;

use super::launch::Buffer;
use crate::model::ModelError;

/// What some launches make of an input, again and again.
///
/// To launch a shader, CubeCL looks it up, books memory and binds it. A transformer's pass over one photo is a hundred
/// launches, which take longer so than what they launch; recorded, all that is done once, and every further pass is
/// dispatches alone.
#[derive(Debug)]
pub struct Recording {
    graph: Graph,
    /// Launches of one thread come one after the other, those of several do not.
    thread: ThreadId,
    input: Buffer,
    output: Buffer,
}

impl Recording {
    /// Records what `run` launches for a tensor of the shape of `input`, without running it. The tensor's memory is the
    /// recording's own from now on, and its values change with every run.
    ///
    /// Nothing but launches can be recorded, and no memory is made meanwhile that an earlier run of the same has not left
    /// behind: so `run` is to have run before.
    ///
    /// # Errors
    /// Where the device is no GPU, `run` fails or does what cannot be recorded. All goes on as before then.
    pub fn new<const D: usize>(
        input: Tensor<D>,
        run: impl FnOnce(Tensor<D>) -> Result<Tensor<1>, ModelError>,
    ) -> Result<Self, ModelError> {
        let input = Buffer::of(input)?;
        let client = input.client();
        client.graph_prepare().map_err(failed)?;
        if let Err(err) = client.start_capture() {
            // What was prepared is let go.
            drop(client.stop_capture());
            return Err(failed(err));
        }
        let output = run(input.clone().tensor());
        let graph = client.stop_capture();
        let output = Buffer::of(output?)?;
        Ok(Self { graph: graph.map_err(failed)?, thread: thread::current().id(), input, output })
    }

    /// Runs what was recorded over other values of the input, as many as there were.
    ///
    /// All is on its way to the GPU when this returns, before what it returns is awaited: what is run next does not
    /// disturb it.
    ///
    /// # Errors
    /// Where there are more values or fewer, it is called on another thread, or the device fails.
    pub fn run(
        &self,
        values: Vec<f32>,
    ) -> Result<impl Future<Output = Result<Bytes, ModelError>> + use<'_>, ModelError> {
        let handle = self.input.handle();
        let is_of_this_thread = self.thread == thread::current().id();
        if size_of_val(&values[..]) != handle.size_in_used() as usize || !is_of_this_thread {
            return Err(ModelError::Device("a recorded run was given something else than was recorded".into()));
        }
        self.input.client().write(handle, Bytes::from_elems(values));
        // SAFETY: the graph keeps all memory that the recorded shaders read and write, weights included, from being
        // given away; input and output are held here besides. Writing, running and reading are of the one thread that
        // recorded it, so they come one after the other.
        unsafe { self.graph.replay() }.map_err(failed)?;
        let read = self.input.client().read_async(vec![self.output.handle().clone()]);
        Ok(async move {
            let read = read.await.map_err(failed)?;
            read.into_iter().next().ok_or_else(|| ModelError::Device("it returned nothing".into()))
        })
    }
}

fn failed(error: ServerError) -> ModelError {
    ModelError::Device(error.to_string())
}
