//! Launches that are recorded once and replayed.

use std::future::Future;
use std::thread::{self, ThreadId};

use cubecl::bytes::Bytes;
use cubecl::client::Graph;

use super::error::ShaderError;
use super::launch::{GpuTensor, Memory, read_back};

/// Recorded launches that can be replayed on new inputs.
///
/// To launch a shader, CubeCL looks the shader up, reserves memory and binds buffers. A pass of a transformer over
/// one photo takes a hundred launches, and this work takes longer than the shaders themselves. A recording does
/// the work once. Each replay only dispatches the shaders.
pub struct Recording {
    graph: Graph,
    /// Launches of one thread keep their order. Launches of several threads do not.
    thread: ThreadId,
    input: Memory,
    output: GpuTensor<1>,
}

impl std::fmt::Debug for Recording {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Recording").field("thread", &self.thread).finish_non_exhaustive()
    }
}

impl Recording {
    /// Records the launches of `run` for a tensor with the shape of `input`, without executing them. From then on
    /// the memory of `input` belongs to the recording, and each replay overwrites its values.
    ///
    /// `run` may only launch shaders. No memory is allocated while recording, except memory that an earlier
    /// execution of the same launches has freed. So `run` must have been executed once before.
    ///
    /// # Errors
    /// When `run` fails, or does something that cannot be recorded. The device stays usable in all cases.
    pub fn new<const D: usize, E: From<ShaderError>>(
        input: GpuTensor<D>,
        run: impl FnOnce(GpuTensor<D>) -> Result<GpuTensor<1>, E>,
    ) -> Result<Self, E> {
        let Memory { client, .. } = &input.memory;
        client.graph_prepare().map_err(ShaderError::from)?;
        if let Err(err) = client.start_capture() {
            // Releases the prepared recording.
            drop(client.stop_capture());
            return Err(ShaderError::from(err).into());
        }
        let output = run(input.clone());
        let graph = client.stop_capture();
        let (output, input) = (output?, input.memory);
        Ok(Self { graph: graph.map_err(ShaderError::from)?, thread: thread::current().id(), input, output })
    }

    /// Replays the launches on new values of the input, as many as the input has.
    ///
    /// When this function returns, all commands are on their way to the GPU, even before the returned future is
    /// awaited. A later run does not disturb them.
    ///
    /// # Errors
    /// When the number of values differs, the function is called on another thread, or the device fails.
    pub fn run(
        &self,
        values: Vec<f32>,
    ) -> Result<impl Future<Output = Result<Bytes, ShaderError>> + use<'_>, ShaderError> {
        let Memory { client, handle } = &self.input;
        let is_of_this_thread = self.thread == thread::current().id();
        if size_of_val(&values[..]) != handle.size_in_used() as usize || !is_of_this_thread {
            return Err(ShaderError::Device(
                "a replay needs as many values as were recorded, on the same thread".into(),
            ));
        }
        client.write(handle, Bytes::from_elems(values));
        // SAFETY: the graph keeps all memory that the recorded shaders read and write, weights included, from
        // being reused. Input and output are also held here. Writing, replaying and reading happen on the one
        // thread that recorded the launches, so they happen in this order.
        unsafe { self.graph.replay() }.map_err(ShaderError::from)?;
        let read = read_back(std::slice::from_ref(&self.output));
        Ok(async move {
            let read = read.await?;
            read.into_iter().next().ok_or_else(|| ShaderError::Device("it returned nothing".into()))
        })
    }
}
