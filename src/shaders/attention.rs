//! Multi-head attention.

use super::launch::GpuTensor;
use super::shader::Shader;
use super::tile_sizes::{KEY_TILE, LARGEST_HEAD_WIDTH, QUERY_TILE};

/// Returns whether [`attention`] supports heads of this width on a GPU whose workgroups share `workgroup_storage`
/// bytes. The shader reads a head in pairs of vectors of four numbers. WebGPU's guaranteed minimum, 16 KiB,
/// suffices for heads of width 64.
pub fn supports_head_width(head_width: usize, workgroup_storage: usize) -> bool {
    let vectors = head_width / 4;
    // The tiles hold queries; keys with one vector of padding each; and, for 16 queries and eight threads, the
    // weights and the largest logits.
    let tiles = QUERY_TILE * vectors + KEY_TILE * (vectors + 1) + 128;
    let bytes = tiles * size_of::<[f32; 4]>() + (128 + 2) * size_of::<f32>();
    head_width.is_multiple_of(8) && head_width <= LARGEST_HEAD_WIDTH && bytes <= workgroup_storage
}

/// Returns the attention outputs of the first `query_count` tokens of each sequence, `[sequences, query_count, width]` with
/// the heads concatenated, and the attention weights of the first token, CLS, `[sequences, heads, 1, tokens]`.
/// Queries, keys and values are `[sequences, heads, tokens, head width]`.
pub fn attention(
    [queries, keys, values]: [&GpuTensor<4>; 3],
    query_count: usize,
    causal: bool,
) -> (GpuTensor<3>, GpuTensor<4>) {
    let [sequences, heads, tokens, head_width] = queries.dims();
    let outputs = queries.allocate([sequences, query_count, heads * head_width]);
    let cls = queries.allocate([sequences, heads, 1, tokens]);
    let workgroups = [query_count.div_ceil(QUERY_TILE), sequences * heads];
    let shader = Shader::Attention { heads, head_width, causal };
    let read = [&queries.memory, &keys.memory, &values.memory];
    shader.launch(workgroups, &read, &[&outputs.memory, &cls.memory], &[tokens, query_count]);
    (outputs, cls)
}
