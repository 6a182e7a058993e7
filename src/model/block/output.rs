//! The output of a block.

use burn::tensor::Tensor;
use burn::tensor::activation::softmax;

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
    pub stream: Tensor<3>,
    /// Queries, keys and values of all tokens.
    pub qkv: Qkv,
    /// The MLP's output at the first token, CLS. `[sequences, 1, width]`
    pub mlp_of_cls: Tensor<3>,
}

/// Queries, keys and values, each `[1, heads, tokens, head width]`.
#[derive(Clone)]
pub struct Qkv {
    pub query: Tensor<4>,
    pub key: Tensor<4>,
    pub value: Tensor<4>,
    /// The CLS row of the attention, if the block has already computed it.
    pub cls_attention: Option<Tensor<4>>,
}

impl Qkv {
    /// Returns the attention of the first token, CLS, over all tokens, `[1, heads, 1, tokens]`.
    pub fn cls_attention(&self) -> Tensor<4> {
        if let Some(attention) = &self.cls_attention {
            return attention.clone();
        }
        let [_, _, _, head_width] = self.query.dims();
        let query = self.query.clone().narrow(2, 0, 1).div_scalar((head_width as f64).sqrt());
        softmax(query.matmul(self.key.clone().swap_dims(2, 3)), 3)
    }

    /// Returns the attention of every token over all tokens, as the mean over heads, `[tokens, tokens]`.
    pub fn mean_attention(&self) -> Tensor<2> {
        let [_, _, tokens, head_width] = self.query.dims();
        let query = self.query.clone().div_scalar((head_width as f64).sqrt());
        let attention = softmax(query.matmul(self.key.clone().swap_dims(2, 3)), 3);
        attention.mean_dim(1).reshape([tokens, tokens])
    }
}
