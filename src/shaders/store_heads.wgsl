// Stores queries, keys and values separately, each by head: [sequence][head][token][head width].

@group(0) @binding(3) var<storage, read_write> queries: array<vec4<f32>>;
@group(0) @binding(4) var<storage, read_write> keys: array<vec4<f32>>;
@group(0) @binding(5) var<storage, read_write> values: array<vec4<f32>>;
// The number of rows, and the tokens of a sequence.
@group(0) @binding(6) var<storage, read> sizes: array<u32>;

fn store(row: u32, vector: u32, numbers: vec4<f32>) {
    let tokens = sizes[1];
    let vector_in_part = vector % (OUTPUTS / 12u);
    let head = row / tokens * HEADS + vector_in_part / (HEAD_WIDTH / 4u);
    let at = (head * tokens + row % tokens) * (HEAD_WIDTH / 4u) + vector_in_part % (HEAD_WIDTH / 4u);
    switch (vector / (OUTPUTS / 12u)) {
        case 0u: { queries[at] = numbers; }
        case 1u: { keys[at] = numbers; }
        default: { values[at] = numbers; }
    }
}
