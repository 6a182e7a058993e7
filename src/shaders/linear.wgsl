// A linear layer: every row of the inputs times the weights, plus the biases, passed to `store`.
//
// A workgroup computes a tile of 32 x 32 outputs in four slices. Each slice sums over every fourth group of
// sixteen inputs, and the four sums are added at the end. Without slices, the few tokens of a transformer would
// give too few tiles to keep a GPU busy. Within a slice, a thread computes 4 rows of 4 columns. While sixteen
// inputs are multiplied, the next sixteen are loaded from memory. The loop has no branch, because all loads would
// have to finish at the end of a branch.

@group(0) @binding(0) var<storage, read_write> inputs: array<vec4<f32>>;
// [input][output], with zeros up to PADDED inputs.
@group(0) @binding(1) var<storage, read_write> weights: array<vec4<f32>>;
@group(0) @binding(2) var<storage, read_write> biases: array<vec4<f32>>;

const ROWS = 32u;
// Vectors of four outputs in a tile, and vectors of four inputs in a slice's step.
const ACROSS = 8u;
const DEEP = 4u;
const SLICES = 4u;
const STEP = 4u * DEEP * SLICES;
const INPUT_VECTORS = INPUTS / 4u;
const OUTPUT_VECTORS = OUTPUTS / 4u;
const PADDED = (INPUTS + STEP - 1u) / STEP * STEP;

// For each slice: inputs [vector][row], then weights [input][vector]. At the end, sums [slice][row of 4][thread].
var<workgroup> tiles: array<vec4<f32>, 1024>;

@compute @workgroup_size(8, 8, 4)
fn main(@builtin(workgroup_id) tile: vec3<u32>, @builtin(local_invocation_id) thread: vec3<u32>) {
    let index = thread.y * ACROSS + thread.x;
    let first_row = tile.y * ROWS;
    let first_vector = tile.x * ACROSS;
    let vector = first_vector + thread.x;
    let inputs_tile = thread.z * 256u;
    let weights_tile = inputs_tile + 128u;
    let first = thread.z * 4u * DEEP;

    // The part of the slice's inputs and weights that this thread loads.
    let loaded_vector = index % DEEP;
    each 2: let loaded_row_$ = clamp(first_row + index / DEEP + 16u * $u, LEADING, sizes[0] - 1u) - LEADING;
    each 2: let inputs_start_$ = loaded_row_$ * INPUT_VECTORS;
    let column = min(first_vector + index % ACROSS, OUTPUT_VECTORS - 1u);
    each 2: let weights_start_$ = (index / ACROSS + 8u * $u) * OUTPUT_VECTORS + column;
    each 2: var input_$ = inputs[inputs_start_$ + min(first / 4u + loaded_vector, INPUT_VECTORS - 1u)];
    each 2: var weight_$ = weights[weights_start_$ + first * OUTPUT_VECTORS];

    each 4: var sum_$ = vec4<f32>();
    for (var start = 0u; start < PADDED; start += STEP) {
        each 2: tiles[inputs_tile + loaded_vector * ROWS + index / DEEP + 16u * $u] = input_$;
        each 2: tiles[weights_tile + index + 64u * $u] = weight_$;
        workgroupBarrier();

        // In the last step, the last inputs are loaded again.
        let next = min(start + STEP, PADDED - STEP) + first;
        each 2: input_$ = inputs[inputs_start_$ + min(next / 4u + loaded_vector, INPUT_VECTORS - 1u)];
        each 2: weight_$ = weights[weights_start_$ + next * OUTPUT_VECTORS];

        for (var deep = 0u; deep < DEEP; deep += 1u) {
            let rows_start = inputs_tile + deep * ROWS + thread.y * 4u;
            let columns_start = weights_tile + deep * 4u * ACROSS + thread.x;
            each 4: let row_$ = tiles[rows_start + $u];
            each 4: let column_$ = tiles[columns_start + $u * ACROSS];
            each 4: sum_$ = fma(vec4(row_$.x), column_0, sum_$);
            each 4: sum_$ = fma(vec4(row_$.y), column_1, sum_$);
            each 4: sum_$ = fma(vec4(row_$.z), column_2, sum_$);
            each 4: sum_$ = fma(vec4(row_$.w), column_3, sum_$);
        }
        workgroupBarrier();
    }

    each 4: tiles[(thread.z * 4u + $u) * 64u + index] = sum_$;
    workgroupBarrier();
    // Each slice finishes one of the four rows of each thread.
    let row = first_row + thread.y * 4u + thread.z;
    if (vector < OUTPUT_VECTORS && row < sizes[0]) {
        var sum = biases[vector];
        each 4: sum += tiles[($u * 4u + thread.z) * 64u + index];
        store(row, vector, sum);
    }
}
