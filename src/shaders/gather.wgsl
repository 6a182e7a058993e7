// Concatenates tensors. Each tensor is copied by its own row of workgroups. A line that begins with "each" is
// repeated for every tensor.

each PARTS: @group(0) @binding($) var<storage, read_write> part_$: array<f32>;
@group(0) @binding(PARTS) var<storage, read_write> concatenated: array<f32>;
// The start of each tensor in the result, and the end of the last one.
@group(0) @binding(PARTS + 1u) var<storage, read> starts: array<u32>;

@compute @workgroup_size(THREADS)
fn main(@builtin(workgroup_id) tile: vec3<u32>, @builtin(local_invocation_index) index: u32) {
    let offset = tile.x * THREADS + index;
    let at = starts[tile.y] + offset;
    if (at < starts[tile.y + 1u]) {
        each PARTS: if (tile.y == $u) { concatenated[at] = part_$[offset]; }
    }
}
