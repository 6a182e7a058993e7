//! Tensors on the device of a backend.

use burn::tensor::{Tensor, TensorData, Transaction};

use super::error::ModelError;
use crate::shaders::{self, GpuTensor};

/// A tensor on the CPU, which Burn computes with, or on a GPU, which the project's shaders compute with.
#[derive(Clone, Debug)]
pub enum DeviceTensor<const D: usize> {
    Cpu(Tensor<D>),
    Gpu(GpuTensor<D>),
}

impl<const D: usize> From<Tensor<D>> for DeviceTensor<D> {
    fn from(tensor: Tensor<D>) -> Self {
        Self::Cpu(tensor)
    }
}

impl<const D: usize> From<GpuTensor<D>> for DeviceTensor<D> {
    fn from(tensor: GpuTensor<D>) -> Self {
        Self::Gpu(tensor)
    }
}

impl<const D: usize> DeviceTensor<D> {
    /// Returns the length of each axis.
    pub fn dims(&self) -> [usize; D] {
        match self {
            Self::Cpu(tensor) => tensor.dims(),
            Self::Gpu(tensor) => tensor.dims(),
        }
    }

    /// Returns the same numbers with one axis.
    pub fn flatten(self) -> DeviceTensor<1> {
        match self {
            Self::Cpu(tensor) => DeviceTensor::Cpu(tensor.flatten(0, D - 1)),
            Self::Gpu(tensor) => DeviceTensor::Gpu(tensor.flatten()),
        }
    }

    /// Returns the tensor for Burn.
    ///
    /// # Errors
    /// When the tensor is on a GPU.
    pub fn on_cpu(self) -> Result<Tensor<D>, ModelError> {
        match self {
            Self::Cpu(tensor) => Ok(tensor),
            Self::Gpu(_) => Err(ModelError::Device("a layer of the CPU cannot read a tensor of the GPU".into())),
        }
    }

    /// Returns the tensor for the shaders.
    ///
    /// # Errors
    /// When the tensor is on the CPU.
    pub fn on_gpu(self) -> Result<GpuTensor<D>, ModelError> {
        match self {
            Self::Gpu(tensor) => Ok(tensor),
            Self::Cpu(_) => Err(ModelError::Device("a shader cannot read a tensor of the CPU".into())),
        }
    }

    /// Copies the tensor to the CPU.
    ///
    /// # Errors
    /// When the device fails.
    pub async fn copied_to_cpu(self) -> Result<Tensor<D>, ModelError> {
        match self {
            Self::Cpu(tensor) => Ok(tensor),
            Self::Gpu(tensor) => {
                let shape = tensor.dims();
                let bytes = shaders::read_back(&[tensor.flatten()]).await?;
                let values = bytes.first().map_or_else(Vec::new, |bytes| floats_of(bytes));
                Ok(Tensor::from_data(TensorData::new(values, shape), &burn::tensor::Device::flex()))
            }
        }
    }
}

/// Reads tensors of one device back, all in one transfer.
///
/// # Errors
/// When the device fails, or the tensors are on several devices.
pub async fn read_back(tensors: Vec<DeviceTensor<1>>) -> Result<Vec<Vec<f32>>, ModelError> {
    if matches!(tensors.first(), Some(DeviceTensor::Gpu(_))) {
        let tensors = tensors.into_iter().map(DeviceTensor::on_gpu).collect::<Result<Vec<_>, _>>()?;
        let bytes = shaders::read_back(&tensors).await?;
        return Ok(bytes.iter().map(|bytes| floats_of(bytes)).collect());
    }
    let tensors = tensors.into_iter().map(DeviceTensor::on_cpu).collect::<Result<Vec<_>, _>>()?;
    let reads = tensors.into_iter().fold(Transaction::default(), Transaction::register);
    let data = reads.execute_async().await.map_err(|err| ModelError::Device(format!("{err:?}")))?;
    data.into_iter().map(floats).collect()
}

/// Returns the numbers of bytes in the machine's own order.
pub fn floats_of(bytes: &[u8]) -> Vec<f32> {
    bytes.as_chunks::<4>().0.iter().map(|number| f32::from_ne_bytes(*number)).collect()
}

/// Returns the numbers of a tensor of Burn that was read back.
pub fn floats(data: TensorData) -> Result<Vec<f32>, ModelError> {
    data.try_into_vec::<f32>().map_err(|err| ModelError::Device(format!("{err:?}")))
}
