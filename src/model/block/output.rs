//! The output of a block.

use burn::tensor::Tensor;
use burn::tensor::activation::softmax;

use crate::model::error::ModelError;
use crate::model::tensor::DeviceTensor;

/// The tokens for which a block's output is wanted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum WantedTokens {
    All,
    /// Only the first token, CLS. The last block needs no more when the patches are not read.
    Cls,
}

/// The output of a pre-norm block.
pub struct BlockOutput {
    /// The residual stream after the block, `[sequences, wanted tokens, width]`.
    pub stream: DeviceTensor<3>,
    /// Queries, keys and values of all tokens.
    pub qkv: Qkv,
    /// The MLP's output at the first token, CLS. `[sequences, 1, width]`
    pub mlp_of_cls: DeviceTensor<3>,
}

/// Queries, keys and values, each `[1, heads, tokens, head width]`.
#[derive(Clone)]
pub struct Qkv {
    pub query: DeviceTensor<4>,
    pub key: DeviceTensor<4>,
    pub value: DeviceTensor<4>,
    /// The CLS row of the attention, if the block has already computed it.
    pub cls_attention: Option<DeviceTensor<4>>,
}

impl Qkv {
    /// Returns the attention of the first token, CLS, over all tokens, `[1, heads, 1, tokens]`.
    ///
    /// # Errors
    /// When the tensors are on a GPU and the block has not computed the attention.
    pub fn cls_attention(&self) -> Result<DeviceTensor<4>, ModelError> {
        if let Some(attention) = &self.cls_attention {
            return Ok(attention.clone());
        }
        let query = self.query.clone().on_cpu()?.narrow(2, 0, 1);
        Ok(attention_weights(query, self.key.clone().on_cpu()?).into())
    }

    /// Returns the attention of every token over all tokens, as the mean over heads, `[tokens, tokens]`. The CPU
    /// computes it.
    ///
    /// # Errors
    /// When the device fails.
    pub async fn mean_attention(self) -> Result<Tensor<2>, ModelError> {
        let [_, _, tokens, _] = self.query.dims();
        let (query, key) = (self.query.copied_to_cpu().await?, self.key.copied_to_cpu().await?);
        Ok(attention_weights(query, key).mean_dim(1).reshape([tokens, tokens]))
    }
}

/// Returns the softmax of the scaled products of queries and keys, `[1, heads, queries, keys]`.
fn attention_weights(query: Tensor<4>, key: Tensor<4>) -> Tensor<4> {
    let [_, _, _, head_width] = query.dims();
    softmax(query.div_scalar((head_width as f64).sqrt()).matmul(key.swap_dims(2, 3)), 3)
}
