// Attention that never holds the full attention matrix: softmax(query key' / sqrt(head width)) value. Keys are
// processed 32 at a time, and the largest logit and the sum of the softmax are updated after each step (Dao et
// al., 2022). The logits of CLS, the first query of each sequence, are also stored, and become a softmax at the
// end.
//
// A workgroup computes 16 queries of one head. A thread computes two of these queries. First a thread computes the
// logits of every eighth of the 32 keys. Then it computes the outputs: the head's numbers form vectors of four, and a
// thread takes every eighth vector. While the workgroup computes with keys, their values are loaded, and then the next
// keys. A line that begins with "each" is repeated: LOADS times, for the vectors of keys that a thread loads, or SHARES
// times, for the vectors of the head that a thread sums.

@group(0) @binding(0) var<storage, read_write> queries: array<vec4<f32>>;
@group(0) @binding(1) var<storage, read_write> keys: array<vec4<f32>>;
@group(0) @binding(2) var<storage, read_write> values: array<vec4<f32>>;
@group(0) @binding(3) var<storage, read_write> outputs: array<vec4<f32>>;
@group(0) @binding(4) var<storage, read_write> cls_row: array<f32>;
// The tokens of a sequence, and the number of queries of a sequence.
@group(0) @binding(5) var<storage, read> sizes: array<u32>;

const QUERY_TILE = 16u;
const KEY_TILE = 32u;
const VECTORS = HEAD_WIDTH / 4u;
// The distance from a key to the next in the tile, so that eight keys lie in different memory banks.
const STRIDE = VECTORS + 1u;
const MASKED_LOGIT = -1.0e30;

var<workgroup> query_tile: array<vec4<f32>, QUERY_TILE * VECTORS>;
// Keys, then their values.
var<workgroup> key_value_tile: array<vec4<f32>, KEY_TILE * STRIDE>;
// [query][thread]: a vector with the weights of the thread's four keys.
var<workgroup> weight_tile: array<vec4<f32>, 128>;
// [query][thread]: the largest logit among the thread's keys.
var<workgroup> largest: array<f32, 128>;
var<workgroup> cls_scale: vec2<f32>;

fn masked(logit: f32, query: u32, key: u32) -> f32 {
    return select(logit, MASKED_LOGIT, key >= sizes[0] || (CAUSAL && key > query));
}

fn largest_of(values: vec4<f32>) -> f32 {
    return max(max(values.x, values.y), max(values.z, values.w));
}

@compute @workgroup_size(8, 8)
fn main(
    @builtin(workgroup_id) tile: vec3<u32>,
    @builtin(local_invocation_id) thread: vec3<u32>,
    @builtin(local_invocation_index) index: u32,
) {
    let tokens = sizes[0];
    let query_count = sizes[1];
    let first_query = tile.x * QUERY_TILE;
    let head_start = tile.y * tokens;
    let query_0 = first_query + thread.y * 2u;
    let query_1 = query_0 + 1u;

    for (var slot = index; slot < QUERY_TILE * VECTORS; slot += 64u) {
        let query = min(first_query + slot / VECTORS, tokens - 1u);
        query_tile[slot] = queries[(head_start + query) * VECTORS + slot % VECTORS] * SCALE;
    }

    var max_0 = MASKED_LOGIT;
    var max_1 = MASKED_LOGIT;
    var total_0 = 0.0;
    var total_1 = 0.0;
    // When the head width is no multiple of 32, some threads have no work for the last share.
    each SHARES: let share_$ = min(thread.x + 8u * $u, VECTORS - 1u);
    each SHARES: var sum_0_$ = vec4<f32>();
    each SHARES: var sum_1_$ = vec4<f32>();

    // The part of the 32 keys and values that this thread loads.
    each LOADS: let loaded_key_$ = (index + 64u * $u) / VECTORS;
    each LOADS: let loaded_vector_$ = (index + 64u * $u) % VECTORS;
    each LOADS: let loaded_slot_$ = loaded_key_$ * STRIDE + loaded_vector_$;
    each LOADS: var key_$ = keys[(head_start + min(loaded_key_$, tokens - 1u)) * VECTORS + loaded_vector_$];

    // With a causal mask, no query of this workgroup attends to later keys.
    let end = select(tokens, min(tokens, first_query + QUERY_TILE), CAUSAL);
    for (var start = 0u; start < end; start += KEY_TILE) {
        each LOADS: key_value_tile[loaded_slot_$] = key_$;
        workgroupBarrier();
        each LOADS: let value_$ = values[(head_start + min(start + loaded_key_$, tokens - 1u)) * VECTORS + loaded_vector_$];

        // The logits of keys thread.x, 8 + thread.x, 16 + thread.x and 24 + thread.x of the 32.
        var logits_0 = vec4<f32>();
        var logits_1 = vec4<f32>();
        for (var vector = 0u; vector < VECTORS; vector += 1u) {
            let q_0 = query_tile[thread.y * 2u * VECTORS + vector];
            let q_1 = query_tile[(thread.y * 2u + 1u) * VECTORS + vector];
            let k_0 = key_value_tile[thread.x * STRIDE + vector];
            let k_1 = key_value_tile[(thread.x + 8u) * STRIDE + vector];
            let k_2 = key_value_tile[(thread.x + 16u) * STRIDE + vector];
            let k_3 = key_value_tile[(thread.x + 24u) * STRIDE + vector];
            logits_0 += vec4<f32>(
                dot(q_0, k_0), dot(q_0, k_1), dot(q_0, k_2), dot(q_0, k_3),
            );
            logits_1 += vec4<f32>(
                dot(q_1, k_0), dot(q_1, k_1), dot(q_1, k_2), dot(q_1, k_3),
            );
        }
        let key = start + thread.x;
        logits_0 = vec4<f32>(
            masked(logits_0.x, query_0, key), masked(logits_0.y, query_0, key + 8u),
            masked(logits_0.z, query_0, key + 16u), masked(logits_0.w, query_0, key + 24u),
        );
        logits_1 = vec4<f32>(
            masked(logits_1.x, query_1, key), masked(logits_1.y, query_1, key + 8u),
            masked(logits_1.z, query_1, key + 16u), masked(logits_1.w, query_1, key + 24u),
        );
        if (query_0 == 0u) {
            let at = head_start + key;
            if (key < tokens) { cls_row[at] = logits_0.x; }
            if (key + 8u < tokens) { cls_row[at + 8u] = logits_0.y; }
            if (key + 16u < tokens) { cls_row[at + 16u] = logits_0.z; }
            if (key + 24u < tokens) { cls_row[at + 24u] = logits_0.w; }
        }
        let row_0 = thread.y * 16u;
        let row_1 = row_0 + 8u;
        largest[row_0 + thread.x] = largest_of(logits_0);
        largest[row_1 + thread.x] = largest_of(logits_1);
        workgroupBarrier();

        var new_max_0 = max_0;
        var new_max_1 = max_1;
        for (var other = 0u; other < 8u; other += 1u) {
            new_max_0 = max(new_max_0, largest[row_0 + other]);
            new_max_1 = max(new_max_1, largest[row_1 + other]);
        }
        weight_tile[row_0 + thread.x] = exp(logits_0 - new_max_0);
        weight_tile[row_1 + thread.x] = exp(logits_1 - new_max_1);
        each LOADS: key_value_tile[loaded_slot_$] = value_$;
        workgroupBarrier();
        let next = start + KEY_TILE;
        each LOADS: key_$ = keys[(head_start + min(next + loaded_key_$, tokens - 1u)) * VECTORS + loaded_vector_$];

        let shrink_0 = exp(max_0 - new_max_0);
        let shrink_1 = exp(max_1 - new_max_1);
        max_0 = new_max_0;
        max_1 = new_max_1;
        total_0 *= shrink_0;
        total_1 *= shrink_1;
        each SHARES: sum_0_$ *= shrink_0;
        each SHARES: sum_1_$ *= shrink_1;
        for (var other = 0u; other < 8u; other += 1u) {
            let weight_0 = weight_tile[row_0 + other];
            let weight_1 = weight_tile[row_1 + other];
            total_0 += dot(weight_0, vec4<f32>(1.0));
            total_1 += dot(weight_1, vec4<f32>(1.0));
            each SHARES: let value_0_$ = key_value_tile[other * STRIDE + share_$];
            each SHARES: let value_1_$ = key_value_tile[(other + 8u) * STRIDE + share_$];
            each SHARES: let value_2_$ = key_value_tile[(other + 16u) * STRIDE + share_$];
            each SHARES: let value_3_$ = key_value_tile[(other + 24u) * STRIDE + share_$];
            each SHARES: sum_0_$ += weight_0.x * value_0_$ + weight_0.y * value_1_$ + weight_0.z * value_2_$ + weight_0.w * value_3_$;
            each SHARES: sum_1_$ += weight_1.x * value_0_$ + weight_1.y * value_1_$ + weight_1.z * value_2_$ + weight_1.w * value_3_$;
        }
        workgroupBarrier();
    }

    // The output has the heads concatenated: [sequence][query][head][head width].
    let row = (tile.y / HEADS * query_count + query_0) * HEADS + tile.y % HEADS;
    if (query_0 < query_count) {
        each SHARES: if (thread.x + 8u * $u < VECTORS) { outputs[row * VECTORS + share_$] = sum_0_$ / total_0; }
    }
    if (query_1 < query_count) {
        each SHARES: if (thread.x + 8u * $u < VECTORS) { outputs[(row + HEADS) * VECTORS + share_$] = sum_1_$ / total_1; }
    }

    if (first_query == 0u) {
        if (index == 0u) {
            cls_scale = vec2<f32>(max_0, total_0);
        }
        workgroupBarrier();
        storageBarrier();
        for (var key = index; key < tokens; key += 64u) {
            let weight = exp(cls_row[head_start + key] - cls_scale.x) / cls_scale.y;
            // With a causal mask, CLS attends only to itself.
            cls_row[head_start + key] = select(weight, 0.0, CAUSAL && key > 0u);
        }
    }
}
