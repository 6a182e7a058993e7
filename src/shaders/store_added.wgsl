// Adds results to the residual stream, and also stores the results for CLS, the first token of a sequence.

@group(0) @binding(3) var<storage, read_write> stream: array<vec4<f32>>;
@group(0) @binding(4) var<storage, read_write> outputs: array<vec4<f32>>;
@group(0) @binding(5) var<storage, read_write> cls_outputs: array<vec4<f32>>;
// The number of rows, and the tokens of a sequence.
@group(0) @binding(6) var<storage, read> sizes: array<u32>;

fn store(row: u32, vector: u32, values: vec4<f32>) {
    let at = row * (OUTPUTS / 4u) + vector;
    if (row % sizes[1] == 0u) {
        cls_outputs[row / sizes[1] * (OUTPUTS / 4u) + vector] = values;
    }
    // Rows without inputs do not change: class token and registers, when patches are embedded.
    outputs[at] = select(stream[at], stream[at] + values, row >= LEADING);
}
