//! A GPU, the tensors in its memory, and launches of shaders.

use std::future::Future;

use burn_wgpu::graphics::AutoGraphicsApi;
use burn_wgpu::{RuntimeOptions, WgpuDevice, WgpuSetup, try_init_setup_async};
use cubecl::bytes::Bytes;
use cubecl::client::Client;
use cubecl::prelude::{BufferIOAttr, CubeCount};
use cubecl::server::{Handle, KernelArguments, MetadataBindingInfo};

use super::error::ShaderError;
use super::shader::Shader;

/// A GPU that runs shaders.
#[derive(Clone)]
pub struct Gpu(Client);

impl Gpu {
    /// Opens the machine's GPU. CubeCL can do so once in a process.
    ///
    /// # Errors
    /// [`ShaderError::Device`] when there is no GPU, or the GPU has been opened before.
    pub async fn open() -> Result<(Self, WgpuSetup), ShaderError> {
        let device = WgpuDevice::default();
        let failed = |error: &dyn std::fmt::Display| ShaderError::Device(error.to_string());
        let options = RuntimeOptions::with_tasks_max(None).map_err(|error| failed(&error))?;
        let setup = try_init_setup_async::<AutoGraphicsApi>(&device, options).await;
        let setup = setup.map_err(|error| failed(&error))?;
        Ok((Self(cubecl::Device::Wgpu(device).client()), setup))
    }

    /// Frees the memory that no tensor uses. Otherwise CubeCL keeps the memory for later tensors.
    pub fn free_unused_memory(&self) {
        // A GPU that is lost reports the error with the next readback.
        let _lost = self.0.memory_cleanup();
    }
}

impl std::fmt::Debug for Gpu {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Gpu")
    }
}

/// Contiguous f32 numbers in the memory of a GPU.
#[derive(Clone)]
pub(super) struct Memory {
    pub client: Client,
    pub handle: Handle,
}

/// A tensor in the memory of a GPU.
#[derive(Clone)]
pub struct GpuTensor<const D: usize> {
    pub(super) memory: Memory,
    shape: [usize; D],
}

impl<const D: usize> GpuTensor<D> {
    /// Copies values to the GPU.
    pub fn new(values: Vec<f32>, shape: [usize; D], gpu: &Gpu) -> Self {
        debug_assert_eq!(values.len(), shape.iter().product::<usize>());
        let client = gpu.0.clone();
        let handle = client.create(Bytes::from_elems(values));
        Self { memory: Memory { client, handle }, shape }
    }

    /// Allocates memory on the same GPU. A shader must write all of it.
    pub fn allocate<const E: usize>(&self, shape: [usize; E]) -> GpuTensor<E> {
        let client = self.memory.client.clone();
        let handle = client.empty(shape.iter().product::<usize>() * size_of::<f32>());
        GpuTensor { memory: Memory { client, handle }, shape }
    }

    /// Returns the length of each axis.
    pub fn dims(&self) -> [usize; D] {
        self.shape
    }

    /// Returns the same numbers with one axis.
    pub fn flatten(self) -> GpuTensor<1> {
        GpuTensor { memory: self.memory, shape: [self.shape.iter().product()] }
    }
}

impl<const D: usize> std::fmt::Debug for GpuTensor<D> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("GpuTensor").field("shape", &self.shape).finish_non_exhaustive()
    }
}

/// Reads tensors back, all in one transfer.
///
/// # Errors
/// [`ShaderError::Device`] when the GPU fails.
pub fn read_back(tensors: &[GpuTensor<1>]) -> impl Future<Output = Result<Vec<Bytes>, ShaderError>> + use<'_> {
    let reading = tensors.first().map(|first| {
        let handles = tensors.iter().map(|tensor| tensor.memory.handle.clone()).collect();
        first.memory.client.read_async(handles)
    });
    async move {
        match reading {
            Some(reading) => Ok(reading.await?),
            None => Ok(Vec::new()),
        }
    }
}

impl Shader {
    /// Runs the shader in the given number of workgroups. The buffers are bound in the order `read`, `written`.
    /// If `sizes` is not empty, it follows as one more buffer.
    pub(super) fn launch(self, workgroups: [usize; 2], read: &[&Memory], written: &[&Memory], sizes: &[usize]) {
        let Some(Memory { client, .. }) = read.first() else { return };
        let mut arguments = KernelArguments::new();
        for (buffers, io) in [(read, BufferIOAttr::ReadOnly), (written, BufferIOAttr::WriteOnly)] {
            for Memory { handle, .. } in buffers {
                arguments = arguments.with_buffer_io(handle.clone().binding(), io);
            }
        }
        let info = MetadataBindingInfo::custom(pack_pairs(sizes));
        let [across, down] = workgroups.map(|count| count as u32);
        client.launch(Box::new(self), CubeCount::Static(across, down, 1), arguments.with_info(info));
    }
}

/// Packs 32-bit numbers in pairs into 64-bit numbers.
fn pack_pairs(sizes: &[usize]) -> Vec<u64> {
    sizes.chunks(2).map(|pair| pair.iter().rev().fold(0, |packed, size| packed << 32 | *size as u64)).collect()
}
