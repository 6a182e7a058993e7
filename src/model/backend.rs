//! What computes a tower.

use burn::tensor::Device;

use super::ModelError;

/// What runs a tower's blocks, where nearly all of its time goes.
#[derive(Clone, Debug)]
pub enum Backend {
    /// Burn, in f32, on any of its devices.
    Burn(Device),
    /// The project's own kernels for the CPU (`crate::kernels`), in integers of 16 bits; what lies outside of the blocks
    /// is Burn's.
    Kernels,
    /// The project's own shaders for a GPU (`crate::shaders`), in f32. They do not take every shape:
    /// [`ModelConfig::suits_shaders`](super::ModelConfig::suits_shaders).
    Shaders(Device),
}

impl Backend {
    /// Where the tensors outside of blocks live.
    pub fn device(&self) -> Device {
        match self {
            Self::Burn(device) => device.clone(),
            Self::Kernels => Device::flex(),
            Self::Shaders(device) => device.clone(),
        }
    }

    /// Whether what was read of it can be what was asked for.
    ///
    /// # Errors
    /// [`ModelError::Device`] where a GPU refused something.
    pub(super) fn check(&self) -> Result<(), ModelError> {
        match self {
            Self::Burn(_) | Self::Kernels => Ok(()),
            Self::Shaders(_) => crate::shaders::refusal::check(),
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
