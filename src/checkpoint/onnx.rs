//! Reads the weights of an exported ONNX graph, under the names that the modules had in PyTorch.
//!
//! The exporter keeps the names of biases, norms and convolutions. It stores the matrices of linear layers as
//! initialisers `onnx::MatMul_…` of shape `[in, out]`. The name of the MatMul node still names the module:
//! `/backbone/encoder/layer.3/mlp/fc1/MatMul` is `backbone.encoder.layer.3.mlp.fc1.weight`.

use std::collections::BTreeMap;

use prost::Message;

use super::error::CheckpointError;
use super::state_dict::{RawTensor, StateDict};

#[derive(Clone, PartialEq, Message)]
struct ModelProto {
    #[prost(message, optional, tag = "7")]
    graph: Option<GraphProto>,
}

#[derive(Clone, PartialEq, Message)]
struct GraphProto {
    #[prost(message, repeated, tag = "1")]
    node: Vec<NodeProto>,
    #[prost(message, repeated, tag = "5")]
    initializer: Vec<TensorProto>,
}

#[derive(Clone, PartialEq, Message)]
struct NodeProto {
    #[prost(string, repeated, tag = "1")]
    input: Vec<String>,
    #[prost(string, tag = "3")]
    name: String,
    #[prost(string, tag = "4")]
    op_type: String,
}

#[derive(Clone, PartialEq, Message)]
struct TensorProto {
    #[prost(int64, repeated, tag = "1")]
    dims: Vec<i64>,
    #[prost(int32, tag = "2")]
    data_type: i32,
    #[prost(float, repeated, tag = "4")]
    float_data: Vec<f32>,
    #[prost(string, tag = "8")]
    name: String,
    #[prost(bytes = "vec", tag = "9")]
    raw_data: Vec<u8>,
}

/// ONNX's number for the type f32.
const FLOAT: i32 = 1;

/// Reads the f32 initialisers of an ONNX file. Matrices of MatMul nodes are returned as `[out, in]` under their
/// module's name. All other tensors keep their name and shape.
///
/// # Errors
/// [`CheckpointError::Malformed`] if the file is not an ONNX model, or a tensor's bytes do not fit its shape.
pub fn read_onnx(file: &str, bytes: &[u8]) -> Result<StateDict, CheckpointError> {
    let malformed = |reason: String| CheckpointError::Malformed { file: file.to_owned(), kind: "ONNX", reason };
    let model = ModelProto::decode(bytes).map_err(|err| malformed(err.to_string()))?;
    let graph = model.graph.ok_or_else(|| malformed("it holds no graph".into()))?;
    let module_of: BTreeMap<&str, String> = graph
        .node
        .iter()
        .filter(|node| node.op_type == "MatMul")
        .filter_map(|node| {
            let module = node.name.strip_prefix('/')?.strip_suffix("/MatMul")?;
            Some((node.input.get(1)?.as_str(), format!("{}.weight", module.replace('/', "."))))
        })
        .collect();
    let mut tensors = BTreeMap::new();
    for tensor in graph.initializer.into_iter().filter(|tensor| tensor.data_type == FLOAT) {
        let mismatch =
            format!("the values of tensor `{}` do not fit its dimensions {:?}", tensor.name, tensor.dims);
        let RawTensor { shape, values } =
            raw_tensor(&tensor.dims, &tensor.raw_data, tensor.float_data).ok_or_else(|| malformed(mismatch))?;
        let (name, tensor) = match (module_of.get(tensor.name.as_str()), &shape[..]) {
            (Some(module), &[inputs, outputs]) => {
                let values = crate::kernels::transpose(&values, inputs, outputs);
                (module.clone(), RawTensor { shape: vec![outputs, inputs], values })
            }
            _ => (tensor.name, RawTensor { shape, values }),
        };
        tensors.insert(name, tensor);
    }
    Ok(StateDict { tensors })
}

/// Returns a tensor. ONNX stores floats either as raw bytes or as a list. `None` means that the values do not fit the
/// dimensions.
fn raw_tensor(dims: &[i64], raw_data: &[u8], float_data: Vec<f32>) -> Option<RawTensor> {
    let shape = dims.iter().map(|dim| usize::try_from(*dim).ok()).collect::<Option<Vec<_>>>()?;
    let (floats, rest) = raw_data.as_chunks();
    let values = match floats {
        [] => float_data,
        floats => floats.iter().map(|four| f32::from_le_bytes(*four)).collect(),
    };
    let expected = shape.iter().try_fold(1_usize, |product, dim| product.checked_mul(*dim))?;
    (rest.is_empty() && values.len() == expected).then_some(RawTensor { shape, values })
}
