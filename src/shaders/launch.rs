//! Converts Burn's tensors to the buffers of a shader and back, and launches shaders.

use burn::tensor::{Device, Shape, Tensor, TensorData};
use burn_wgpu::{CubeTensor, SourceKernel, Wgpu, into_contiguous};
use cubecl::client::Client;
use cubecl::prelude::{BufferIOAttr, CubeCount};
use cubecl::server::{Handle, KernelArguments, MetadataBindingInfo};

use super::error::ShaderError;
use super::shader::Shader;

/// The GPU memory of a tensor, with contiguous numbers.
#[derive(Clone, Debug)]
pub struct Buffer(CubeTensor);

impl Buffer {
    /// Takes the memory of a tensor.
    ///
    /// # Errors
    /// When the tensor is not on a GPU.
    pub fn of<const D: usize>(tensor: Tensor<D>) -> Result<Self, ShaderError> {
        let primitive = tensor.try_into_primitive::<Wgpu>();
        let tensor =
            primitive.map_err(|err| ShaderError::Device(format!("a shader needs a tensor on a GPU: {err:?}")))?;
        Ok(Self(into_contiguous(tensor)))
    }

    /// Copies values to the device.
    ///
    /// # Errors
    /// When the device is no GPU.
    pub fn new<const D: usize>(values: Vec<f32>, shape: [usize; D], device: &Device) -> Result<Self, ShaderError> {
        Self::of(Tensor::<D>::from_data(TensorData::new(values, shape), device))
    }

    /// Allocates memory on the same device. A shader must write all of it.
    pub fn allocate<const D: usize>(&self, shape: [usize; D]) -> Self {
        let CubeTensor { client, device, dtype, .. } = &self.0;
        let shape = Shape::from(shape);
        let handle = client.empty(shape.num_elements() * size_of::<f32>());
        Self(CubeTensor::new_contiguous(client.clone(), device.clone(), shape, handle, *dtype))
    }

    pub fn client(&self) -> &Client {
        &self.0.client
    }

    pub fn handle(&self) -> &Handle {
        &self.0.handle
    }

    pub fn tensor<const D: usize>(self) -> Tensor<D> {
        Tensor::from_primitive::<Wgpu>(self.0)
    }
}

impl Shader {
    /// Runs the shader in the given number of workgroups. The buffers are bound in the order `read`, `written`.
    /// `sizes` follow as one more buffer when there are any.
    pub fn launch(self, workgroups: [usize; 2], read: &[&Buffer], written: &[&Buffer], sizes: &[usize]) {
        let Some(Buffer(CubeTensor { client, .. })) = read.first() else { return };
        let mut arguments = KernelArguments::new();
        for (buffers, io) in [(read, BufferIOAttr::ReadOnly), (written, BufferIOAttr::WriteOnly)] {
            for Buffer(tensor) in buffers {
                arguments = arguments.with_buffer_io(tensor.handle.clone().binding(), io);
            }
        }
        let info = MetadataBindingInfo::custom(pack_pairs(sizes));
        let kernel = SourceKernel::new(self, self.workgroup());
        let [across, down] = workgroups.map(|count| count as u32);
        client.launch(Box::new(kernel), CubeCount::Static(across, down, 1), arguments.with_info(info));
    }
}

/// Packs 32-bit numbers in pairs into 64-bit numbers.
fn pack_pairs(sizes: &[usize]) -> Vec<u64> {
    sizes.chunks(2).map(|pair| pair.iter().rev().fold(0, |packed, size| packed << 32 | *size as u64)).collect()
}
