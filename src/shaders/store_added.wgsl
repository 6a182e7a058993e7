// Onto the residual stream; what CLS, the first token of a sequence, gets of it is kept beside.

@group(0) @binding(3) var<storage, read_write> stream: array<vec4<f32>>;
@group(0) @binding(4) var<storage, read_write> outputs: array<vec4<f32>>;
@group(0) @binding(5) var<storage, read_write> of_cls: array<vec4<f32>>;
// Rows, tokens of a sequence.
@group(0) @binding(6) var<storage, read> sizes: array<u32>;

fn store(row: u32, vector: u32, values: vec4<f32>) {
    let at = row * (OUTPUTS / 4u) + vector;
    if (row % sizes[1] == 0u) {
        of_cls[row / sizes[1] * (OUTPUTS / 4u) + vector] = values;
    }
    // Rows that have no input, as class token and registers when patches are embedded, stay as they are.
    outputs[at] = select(stream[at], stream[at] + values, row >= LEADING);
}
