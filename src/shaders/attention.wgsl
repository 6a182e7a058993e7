// Attention without its matrix: softmax(query key' / sqrt(head width)) value, keys 32 at a time, with the softmax's
// largest logit and sum kept as they come (Dao et al., 2022). CLS's logits, of each sequence's first query, are
// written down on the way, and made a softmax of at the end.
//
// A workgroup answers 16 queries of one head, a thread two of them: first the logits of every eighth of the 32 keys,
// then of every eighth four of the head's numbers. While it computes on keys, their values are on the way, and then the
// next keys. In what follows a line that begins with "each" is there once for each of so many: FETCHED vectors of keys
// that a thread brings, SHARES vectors of the head that it adds up.

@group(0) @binding(0) var<storage, read_write> queries: array<vec4<f32>>;
@group(0) @binding(1) var<storage, read_write> keys: array<vec4<f32>>;
@group(0) @binding(2) var<storage, read_write> values: array<vec4<f32>>;
@group(0) @binding(3) var<storage, read_write> gathered: array<vec4<f32>>;
@group(0) @binding(4) var<storage, read_write> cls_row: array<f32>;
// Tokens of a sequence, and how many of them ask.
@group(0) @binding(5) var<storage, read> sizes: array<u32>;

const ASKING = 16u;
const ANSWERING = 32u;
const VECTORS = HEAD_WIDTH / 4u;
// Between a key and the next, so that eight of them lie in different banks.
const STRIDE = VECTORS + 1u;
const NEVER = -1.0e30;

var<workgroup> query_tile: array<vec4<f32>, ASKING * VECTORS>;
// Keys, then their values.
var<workgroup> answer_tile: array<vec4<f32>, ANSWERING * STRIDE>;
// [query][thread], a vector the keys that the thread saw.
var<workgroup> weight_tile: array<vec4<f32>, 128>;
// The largest logit that each thread saw of each query, [query][thread].
var<workgroup> largest: array<f32, 128>;
var<workgroup> cls_scale: vec2<f32>;

fn masked(logit: f32, query: u32, key: u32) -> f32 {
    return select(logit, NEVER, key >= sizes[0] || (CAUSAL && key > query));
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
    let asking = sizes[1];
    let first_query = tile.x * ASKING;
    let of_head = tile.y * tokens;
    let query_0 = first_query + thread.y * 2u;
    let query_1 = query_0 + 1u;

    for (var slot = index; slot < ASKING * VECTORS; slot += 64u) {
        let query = min(first_query + slot / VECTORS, tokens - 1u);
        query_tile[slot] = queries[(of_head + query) * VECTORS + slot % VECTORS] * SCALE;
    }

    var most_0 = NEVER;
    var most_1 = NEVER;
    var total_0 = 0.0;
    var total_1 = 0.0;
    // A head of no multiple of 32 numbers leaves some threads without work on the last share.
    each SHARES: let share_$ = min(thread.x + 8u * $u, VECTORS - 1u);
    each SHARES: var sum_0_$ = vec4<f32>();
    each SHARES: var sum_1_$ = vec4<f32>();

    // What this thread brings of the 32 keys and values.
    each FETCHED: let key_of_$ = (index + 64u * $u) / VECTORS;
    each FETCHED: let vector_of_$ = (index + 64u * $u) % VECTORS;
    each FETCHED: let slot_of_$ = key_of_$ * STRIDE + vector_of_$;
    each FETCHED: var key_$ = keys[(of_head + min(key_of_$, tokens - 1u)) * VECTORS + vector_of_$];

    // No query here looks at later keys.
    let end = select(tokens, min(tokens, first_query + ASKING), CAUSAL);
    for (var start = 0u; start < end; start += ANSWERING) {
        each FETCHED: answer_tile[slot_of_$] = key_$;
        workgroupBarrier();
        each FETCHED: let value_$ = values[(of_head + min(start + key_of_$, tokens - 1u)) * VECTORS + vector_of_$];

        // Keys thread.x, 8 + thread.x, ... of the 32.
        var logits_0 = vec4<f32>();
        var logits_1 = vec4<f32>();
        for (var vector = 0u; vector < VECTORS; vector += 1u) {
            let asked_0 = query_tile[thread.y * 2u * VECTORS + vector];
            let asked_1 = query_tile[(thread.y * 2u + 1u) * VECTORS + vector];
            let answer_0 = answer_tile[thread.x * STRIDE + vector];
            let answer_1 = answer_tile[(thread.x + 8u) * STRIDE + vector];
            let answer_2 = answer_tile[(thread.x + 16u) * STRIDE + vector];
            let answer_3 = answer_tile[(thread.x + 24u) * STRIDE + vector];
            logits_0 += vec4<f32>(
                dot(asked_0, answer_0), dot(asked_0, answer_1), dot(asked_0, answer_2), dot(asked_0, answer_3),
            );
            logits_1 += vec4<f32>(
                dot(asked_1, answer_0), dot(asked_1, answer_1), dot(asked_1, answer_2), dot(asked_1, answer_3),
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
            let at = of_head + key;
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

        var new_0 = most_0;
        var new_1 = most_1;
        for (var other = 0u; other < 8u; other += 1u) {
            new_0 = max(new_0, largest[row_0 + other]);
            new_1 = max(new_1, largest[row_1 + other]);
        }
        weight_tile[row_0 + thread.x] = exp(logits_0 - new_0);
        weight_tile[row_1 + thread.x] = exp(logits_1 - new_1);
        each FETCHED: answer_tile[slot_of_$] = value_$;
        workgroupBarrier();
        let next = start + ANSWERING;
        each FETCHED: key_$ = keys[(of_head + min(next + key_of_$, tokens - 1u)) * VECTORS + vector_of_$];

        let shrink_0 = exp(most_0 - new_0);
        let shrink_1 = exp(most_1 - new_1);
        most_0 = new_0;
        most_1 = new_1;
        total_0 *= shrink_0;
        total_1 *= shrink_1;
        each SHARES: sum_0_$ *= shrink_0;
        each SHARES: sum_1_$ *= shrink_1;
        for (var other = 0u; other < 8u; other += 1u) {
            let weight_0 = weight_tile[row_0 + other];
            let weight_1 = weight_tile[row_1 + other];
            total_0 += dot(weight_0, vec4<f32>(1.0));
            total_1 += dot(weight_1, vec4<f32>(1.0));
            each SHARES: let value_0_$ = answer_tile[other * STRIDE + share_$];
            each SHARES: let value_1_$ = answer_tile[(other + 8u) * STRIDE + share_$];
            each SHARES: let value_2_$ = answer_tile[(other + 16u) * STRIDE + share_$];
            each SHARES: let value_3_$ = answer_tile[(other + 24u) * STRIDE + share_$];
            each SHARES: sum_0_$ += weight_0.x * value_0_$ + weight_0.y * value_1_$ + weight_0.z * value_2_$ + weight_0.w * value_3_$;
            each SHARES: sum_1_$ += weight_1.x * value_0_$ + weight_1.y * value_1_$ + weight_1.z * value_2_$ + weight_1.w * value_3_$;
        }
        workgroupBarrier();
    }

    // Heads side by side: [sequence][query][head][head width].
    let row = (tile.y / HEADS * asking + query_0) * HEADS + tile.y % HEADS;
    if (query_0 < asking) {
        each SHARES: if (thread.x + 8u * $u < VECTORS) { gathered[row * VECTORS + share_$] = sum_0_$ / total_0; }
    }
    if (query_1 < asking) {
        each SHARES: if (thread.x + 8u * $u < VECTORS) { gathered[(row + HEADS) * VECTORS + share_$] = sum_1_$ / total_1; }
    }

    if (first_query == 0u) {
        if (index == 0u) {
            cls_scale = vec2<f32>(most_0, total_0);
        }
        workgroupBarrier();
        storageBarrier();
        for (var key = index; key < tokens; key += 64u) {
            let weight = exp(cls_row[of_head + key] - cls_scale.x) / cls_scale.y;
            // No key comes before CLS.
            cls_row[of_head + key] = select(weight, 0.0, CAUSAL && key > 0u);
        }
    }
}
