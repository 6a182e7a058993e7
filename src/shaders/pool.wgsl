// The mean of some tokens of each sequence. One workgroup handles one sequence. A thread handles every 64th vector
// of four numbers.

@group(0) @binding(0) var<storage, read_write> tokens: array<vec4<f32>>;
@group(0) @binding(1) var<storage, read_write> pooled: array<vec4<f32>>;
// The tokens of a sequence, the first token that counts, and the number of tokens that count.
@group(0) @binding(2) var<storage, read> sizes: array<u32>;

const VECTORS = WIDTH / 4u;

@compute @workgroup_size(64)
fn main(@builtin(workgroup_id) sequence: vec3<u32>, @builtin(local_invocation_id) thread: vec3<u32>) {
    let first = sequence.x * sizes[0] + sizes[1];
    for (var vector = thread.x; vector < VECTORS; vector += 64u) {
        var sum = vec4<f32>();
        for (var token = 0u; token < sizes[2]; token += 1u) {
            sum += tokens[(first + token) * VECTORS + vector];
        }
        pooled[sequence.x * VECTORS + vector] = sum / f32(sizes[2]);
    }
}
