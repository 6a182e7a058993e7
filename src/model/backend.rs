//! The backends that can run a tower.

use burn::tensor::{Device, TensorData};

use super::error::ModelError;
use crate::shaders::refusal;

/// The backend of a tower's blocks, which take nearly all of its time.
#[derive(Clone, Debug)]
pub enum Backend {
    /// Burn's operations, in f32, on any of its devices.
    Burn(Device),
    /// The project's own kernels for the CPU (`crate::kernels`), in 16-bit integers. Layers outside of the blocks
    /// run on Burn.
    Kernels,
    /// The project's own shaders for a GPU (`crate::shaders`), in f32. They do not support every shape:
    /// [`ModelConfig::suits_shaders`](super::ModelConfig::suits_shaders).
    Shaders(Device),
}

impl Backend {
    /// Returns the device of the tensors outside of the blocks.
    pub fn device(&self) -> Device {
        match self {
            Self::Burn(device) => device.clone(),
            Self::Kernels => Device::flex(),
            Self::Shaders(device) => device.clone(),
        }
    }

    /// Checks that the last readback is valid.
    ///
    /// # Errors
    /// [`ModelError::Device`] when the GPU has reported an error.
    pub(super) fn check(&self) -> Result<(), ModelError> {
        match self {
            Self::Burn(_) | Self::Kernels => Ok(()),
            Self::Shaders(_) => Ok(refusal::check()?),
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

/// Returns the floats of tensor data that were read back from a device.
pub(super) fn floats(data: TensorData) -> Result<Vec<f32>, ModelError> {
    data.try_into_vec::<f32>().map_err(|err| ModelError::Device(format!("{err:?}")))
}
