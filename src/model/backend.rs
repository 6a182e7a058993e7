//! The backends that can run a tower.

use burn::tensor::{Device, Tensor, TensorData};

use super::error::ModelError;
use super::tensor::DeviceTensor;
use crate::shaders::{Gpu, GpuTensor, gpu_errors};

/// The backend of a tower's blocks, which take nearly all of its time.
#[derive(Clone, Debug)]
pub enum Backend {
    /// Burn's operations on the CPU, in f32.
    Burn(Device),
    /// The project's own kernels for the CPU (`crate::kernels`), in 16-bit integers. Layers outside of the blocks
    /// run on Burn.
    Kernels,
    /// The project's own shaders for a GPU (`crate::shaders`), in f32. They do not support every shape:
    /// [`ModelConfig::suits_shaders`](super::ModelConfig::suits_shaders).
    Shaders(Gpu),
}

impl Backend {
    /// Copies values to the backend's device.
    pub(super) fn tensor<const D: usize>(&self, values: Vec<f32>, shape: [usize; D]) -> DeviceTensor<D> {
        match self {
            Self::Shaders(gpu) => GpuTensor::new(values, shape, gpu).into(),
            _ => Tensor::from_data(TensorData::new(values, shape), &self.cpu()).into(),
        }
    }

    /// Returns Burn's device for the layers that run on Burn.
    pub(super) fn cpu(&self) -> Device {
        match self {
            Self::Burn(device) => device.clone(),
            Self::Kernels | Self::Shaders(_) => Device::flex(),
        }
    }

    /// Checks that the last readback is valid.
    ///
    /// # Errors
    /// [`ModelError::Device`] when the GPU has reported an error.
    pub(super) fn check(&self) -> Result<(), ModelError> {
        match self {
            Self::Burn(_) | Self::Kernels => Ok(()),
            Self::Shaders(_) => Ok(gpu_errors::check()?),
        }
    }
}

impl From<&Device> for Backend {
    fn from(device: &Device) -> Self {
        Self::Burn(device.clone())
    }
}

impl From<Device> for Backend {
    fn from(device: Device) -> Self {
        Self::Burn(device)
    }
}

impl From<&Self> for Backend {
    fn from(backend: &Self) -> Self {
        backend.clone()
    }
}
