// Applies an activation and stores the result row by row.

@group(0) @binding(3) var<storage, read_write> outputs: array<vec4<f32>>;
// The number of rows.
@group(0) @binding(4) var<storage, read> sizes: array<u32>;

fn store(row: u32, vector: u32, values: vec4<f32>) {
    outputs[row * (OUTPUTS / 4u) + vector] = activated(values);
}

fn activated(x: vec4<f32>) -> vec4<f32> {
    if (ACTIVATION == 1u) {
        return gelu(x);
    } else if (ACTIVATION == 2u) {
        let small = exp(-1.702 * abs(x));
        return (max(x, vec4<f32>()) + min(x, vec4<f32>()) * small) / (1.0 + small);
    }
    return x;
}

// The exact GELU. erf by Abramowitz and Stegun, 7.1.26, as in crate::kernels.
fn gelu(x: vec4<f32>) -> vec4<f32> {
    let size = abs(x);
    let t = 1.0 / (1.0 + 0.231641888 * size);
    let polynomial =
        ((((1.061405429 * t - 1.453152027) * t + 1.421413741) * t - 0.284496736) * t + 0.254829592) * t;
    return max(x, vec4<f32>()) - size * 0.5 * polynomial * exp(-0.5 * x * x);
}
