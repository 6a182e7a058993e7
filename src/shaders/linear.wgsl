// A linear layer: every row of the inputs times the weights, plus the biases, to `store`.
//
// A workgroup makes a tile of 32 x 32 outputs in four slices, each over every fourth sixteen of the inputs, and adds
// them up at the end: a transformer's few tokens make too few tiles to keep a GPU busy otherwise. In a slice a thread
// makes 4 rows of 4 columns. What the next sixteen need is on its way from memory while the last are multiplied.
// Nothing branches on the way: a branch would have every load waited for at its end.

@group(0) @binding(0) var<storage, read_write> inputs: array<vec4<f32>>;
// [input][output], zeros up to PADDED inputs.
@group(0) @binding(1) var<storage, read_write> weights: array<vec4<f32>>;
@group(0) @binding(2) var<storage, read_write> biases: array<vec4<f32>>;

const ROWS = 32u;
// Vectors of four outputs in a tile, and of four inputs in a slice's turn.
const ACROSS = 8u;
const DEEP = 4u;
const SLICES = 4u;
const TURN = 4u * DEEP * SLICES;
const INPUT_VECTORS = INPUTS / 4u;
const OUTPUT_VECTORS = OUTPUTS / 4u;
const PADDED = (INPUTS + TURN - 1u) / TURN * TURN;

// Of each slice: inputs [vector][row], then weights [input][vector]. At the end, sums [slice][row of 4][thread].
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

    // What this thread brings of the slice's inputs and weights.
    let brought = index % DEEP;
    each 2: let row_of_$ = clamp(first_row + index / DEEP + 16u * $u, LEADING, sizes[0] - 1u) - LEADING;
    each 2: let inputs_of_$ = row_of_$ * INPUT_VECTORS;
    let column = min(first_vector + index % ACROSS, OUTPUT_VECTORS - 1u);
    each 2: let weights_of_$ = (index / ACROSS + 8u * $u) * OUTPUT_VECTORS + column;
    each 2: var input_$ = inputs[inputs_of_$ + min(first / 4u + brought, INPUT_VECTORS - 1u)];
    each 2: var weight_$ = weights[weights_of_$ + first * OUTPUT_VECTORS];

    each 4: var sum_$ = vec4<f32>();
    for (var start = 0u; start < PADDED; start += TURN) {
        each 2: tiles[inputs_tile + brought * ROWS + index / DEEP + 16u * $u] = input_$;
        each 2: tiles[weights_tile + index + 64u * $u] = weight_$;
        workgroupBarrier();

        // After the last there is none; the last is brought again.
        let next = min(start + TURN, PADDED - TURN) + first;
        each 2: input_$ = inputs[inputs_of_$ + min(next / 4u + brought, INPUT_VECTORS - 1u)];
        each 2: weight_$ = weights[weights_of_$ + next * OUTPUT_VECTORS];

        for (var deep = 0u; deep < DEEP; deep += 1u) {
            let of_rows = inputs_tile + deep * ROWS + thread.y * 4u;
            let of_columns = weights_tile + deep * 4u * ACROSS + thread.x;
            each 4: let row_$ = tiles[of_rows + $u];
            each 4: let column_$ = tiles[of_columns + $u * ACROSS];
            each 4: sum_$ = fma(vec4(row_$.x), column_0, sum_$);
            each 4: sum_$ = fma(vec4(row_$.y), column_1, sum_$);
            each 4: sum_$ = fma(vec4(row_$.z), column_2, sum_$);
            each 4: sum_$ = fma(vec4(row_$.w), column_3, sum_$);
        }
        workgroupBarrier();
    }

    each 4: tiles[(thread.z * 4u + $u) * 64u + index] = sum_$;
    workgroupBarrier();
    // A slice finishes a row of each thread's four.
    let row = first_row + thread.y * 4u + thread.z;
    if (vector < OUTPUT_VECTORS && row < sizes[0]) {
        var sum = biases[vector];
        each 4: sum += tiles[($u * 4u + thread.z) * 64u + index];
        store(row, vector, sum);
    }
}
