// Puts parts one behind the other, each by a row of workgroups. A line that begins with "each" is there once for each.

each PARTS: @group(0) @binding($) var<storage, read_write> part_$: array<f32>;
@group(0) @binding(PARTS) var<storage, read_write> together: array<f32>;
// Where each part begins there, and where the last one ends.
@group(0) @binding(PARTS + 1u) var<storage, read> starts: array<u32>;

@compute @workgroup_size(THREADS)
fn main(@builtin(workgroup_id) tile: vec3<u32>, @builtin(local_invocation_index) index: u32) {
    let place = tile.x * THREADS + index;
    let at = starts[tile.y] + place;
    if (at < starts[tile.y + 1u]) {
        each PARTS: if (tile.y == $u) { together[at] = part_$[place]; }
    }
}
