// A layer norm. One workgroup normalises one row.

@group(0) @binding(0) var<storage, read_write> inputs: array<vec4<f32>>;
@group(0) @binding(1) var<storage, read_write> gammas: array<vec4<f32>>;
@group(0) @binding(2) var<storage, read_write> betas: array<vec4<f32>>;
@group(0) @binding(3) var<storage, read_write> outputs: array<vec4<f32>>;

const VECTORS = WIDTH / 4u;
const THREADS = 64u;
// Vectors that a thread holds.
const HELD = (VECTORS + THREADS - 1u) / THREADS;

var<workgroup> parts: array<f32, 64>;

// Returns the sum of `part` over all threads.
fn workgroup_sum(part: f32, index: u32) -> f32 {
    parts[index] = part;
    workgroupBarrier();
    // Two steps of eight numbers need fewer barriers than six steps of two.
    var eighth = 0.0;
    for (var other = 0u; other < 8u; other += 1u) {
        eighth += parts[index % 8u * 8u + other];
    }
    workgroupBarrier();
    parts[index] = eighth;
    workgroupBarrier();
    var sum = 0.0;
    for (var other = 0u; other < 8u; other += 1u) {
        sum += parts[other];
    }
    workgroupBarrier();
    return sum;
}

@compute @workgroup_size(64)
fn main(@builtin(workgroup_id) row: vec3<u32>, @builtin(local_invocation_index) index: u32) {
    let start = row.x * VECTORS;
    var held: array<vec4<f32>, HELD>;
    var sum = 0.0;
    for (var at = 0u; at < HELD; at += 1u) {
        let vector = index + at * THREADS;
        held[at] = inputs[start + min(vector, VECTORS - 1u)];
        sum += select(0.0, dot(held[at], vec4<f32>(1.0)), vector < VECTORS);
    }
    let mean = workgroup_sum(sum, index) / f32(WIDTH);
    var squares = 0.0;
    for (var at = 0u; at < HELD; at += 1u) {
        held[at] -= mean;
        squares += select(0.0, dot(held[at], held[at]), index + at * THREADS < VECTORS);
    }
    let scale = 1.0 / sqrt(workgroup_sum(squares, index) / f32(WIDTH) + EPS);
    for (var at = 0u; at < HELD; at += 1u) {
        let vector = index + at * THREADS;
        if (vector < VECTORS) {
            outputs[start + vector] = held[at] * scale * gammas[vector] + betas[vector];
        }
    }
}
