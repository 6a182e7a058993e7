//! Linear layers in 16-bit integers.

use super::lanes::{F32x4, I16x8, I32x4};
use super::pointwise::{largest, squares};

/// Rows and columns of the product that are computed together. Their sums fill half of the registers.
const ROWS: usize = 4;
const COLUMNS: usize = 8;

/// Rows that are rounded to integers together: few enough to stay in a core's own cache, and enough that the
/// matrix is read rarely.
const BLOCK: usize = 32 * ROWS;

/// The largest integer of an output's weights.
const LARGEST_WEIGHT: f32 = 4095.0;

/// The largest norm of an output's integers: half of the bits of a sum for each side of the product.
const LARGEST_NORM: f32 = 46_341.0;

/// The largest integer of an input row.
const LARGEST_INPUT: f32 = 32_767.0;

/// The limit of sums, a little below 2^31.
const LARGEST_SUM: f32 = 2.1e9;

/// The weights of two neighbouring inputs, for each column of a panel.
type Pairs = [[i16; 8]; COLUMNS / 4];

/// A matrix and a bias, `y = W x + b`, with W in integers.
///
/// Each output and each input row has its own scale. The scale is as fine as possible while no sum of products
/// exceeds 32 bits, which the norms of both sides guarantee (Cauchy and Schwarz). For the inputs of real models,
/// an input row keeps 13 bits or more of its largest value.
#[derive(Clone, Debug)]
pub struct IntegerMatrix {
    inputs: usize,
    outputs: usize,
    /// `[panel of outputs][pair of inputs]`
    panels: Vec<Pairs>,
    /// The value of one integer step, `[outputs]`, filled up to whole panels.
    scales: Vec<f32>,
    /// `[outputs]`, filled up to whole panels.
    bias: Vec<f32>,
    /// The largest norm of any output's integers.
    norm: f32,
}

/// Input rows, rounded to integers.
#[derive(Default)]
struct Rows {
    /// `[four rows][pair of inputs]`, a pair of 16-bit integers in each number.
    panels: Vec<[i32; ROWS]>,
    /// The value of one integer step, `[row]`.
    scales: Vec<f32>,
}

impl IntegerMatrix {
    /// Rounds `weights`, `[outputs, inputs]`, and keeps `bias`, `[outputs]`.
    pub fn new(weights: &[f32], bias: &[f32]) -> Self {
        let outputs = bias.len();
        let inputs = weights.len() / outputs.max(1);
        let pairs = inputs.div_ceil(2);
        let filled = outputs.next_multiple_of(COLUMNS);
        let mut matrix = Self {
            inputs,
            outputs,
            panels: vec![[[0; 8]; COLUMNS / 4]; filled / COLUMNS * pairs],
            scales: vec![0.0; filled],
            bias: bias.to_vec(),
            norm: 1.0,
        };
        matrix.bias.resize(filled, 0.0);
        for (output, weights) in weights.chunks_exact(inputs.max(1)).enumerate() {
            let scale = scale_of(largest(weights), LARGEST_WEIGHT).max(squares(weights).sqrt() / LARGEST_NORM);
            matrix.scales[output] = scale;
            let (panel, column) = (output / COLUMNS * pairs, output % COLUMNS);
            let mut norm = 0.0;
            for (input, weight) in weights.iter().enumerate() {
                let integer = (weight / scale).round();
                norm += integer * integer;
                let place = 2 * (column % 4) + input % 2;
                matrix.panels[panel + input / 2][column / 4][place] = integer as i16;
            }
            matrix.norm = matrix.norm.max(norm.sqrt());
        }
        matrix
    }

    /// Returns the number of outputs.
    pub fn outputs(&self) -> usize {
        self.outputs
    }

    /// Returns the products with `rows` rows, `[row][output]`. `fill` writes the inputs of a row.
    pub fn apply(&self, rows: usize, mut fill: impl FnMut(usize, &mut [f32])) -> Vec<f32> {
        let mut products = vec![0.0; rows * self.outputs];
        let mut block = Rows::default();
        for (index, products) in products.chunks_mut(BLOCK * self.outputs.max(1)).enumerate() {
            let first = index * BLOCK;
            block.fill(self, BLOCK.min(rows - first), |row, into| fill(first + row, into));
            self.multiply(&block, products);
        }
        products
    }

    fn multiply(&self, rows: &Rows, products: &mut [f32]) {
        let pairs = self.inputs.div_ceil(2).max(1);
        for (panel, matrix) in self.panels.chunks_exact(pairs).enumerate() {
            let first = panel * COLUMNS;
            let finish = Finish {
                scales: halves(&self.scales[first..]),
                bias: halves(&self.bias[first..]),
                columns: first..self.outputs.min(first + COLUMNS),
            };
            for ((rows, scales), products) in rows
                .panels
                .chunks_exact(pairs)
                .zip(rows.scales.chunks(ROWS))
                .zip(products.chunks_mut(ROWS * self.outputs))
            {
                let sums = tile(rows, matrix);
                for ((sums, scale), product) in sums.iter().zip(scales).zip(products.chunks_mut(self.outputs)) {
                    finish.write(sums, *scale, product);
                }
            }
        }
    }
}

/// How the integer sums of a panel are converted back to floats.
struct Finish {
    scales: [F32x4; 2],
    bias: [F32x4; 2],
    columns: std::ops::Range<usize>,
}

impl Finish {
    #[inline(always)]
    fn write(&self, sums: &[I32x4; 2], scale: f32, product: &mut [f32]) {
        let scale = F32x4::splat(scale);
        let finished = |half: usize| sums[half].to_f32() * (scale * self.scales[half]) + self.bias[half];
        let (first, second) = (finished(0).to_array(), finished(1).to_array());
        let target = &mut product[self.columns.clone()];
        match target.as_chunks_mut::<4>() {
            ([left, right], []) => (*left, *right) = (first, second),
            _ => target.iter_mut().zip(first.into_iter().chain(second)).for_each(|(to, value)| *to = value),
        }
    }
}

fn halves(values: &[f32]) -> [F32x4; 2] {
    let half = |half: usize| std::array::from_fn(|lane| values[4 * half + lane]);
    [F32x4::load(&half(0)), F32x4::load(&half(1))]
}

/// Returns the sums of products of four rows with the eight columns of a panel.
#[inline(always)]
fn tile(rows: &[[i32; ROWS]], columns: &[Pairs]) -> [[I32x4; 2]; ROWS] {
    let mut sums = [[I32x4::zero(); 2]; ROWS];
    for (rows, columns) in rows.iter().zip(columns) {
        let columns = [I16x8::load(&columns[0]), I16x8::load(&columns[1])];
        for (sums, row) in sums.iter_mut().zip(rows) {
            let row = I16x8::splat(*row);
            *sums = [sums[0].add(row.dot(columns[0])), sums[1].add(row.dot(columns[1]))];
        }
    }
    sums
}

impl Rows {
    /// Rounds `rows` rows to integers, so that their products with `matrix` fit into 32 bits.
    fn fill(&mut self, matrix: &IntegerMatrix, rows: usize, mut fill: impl FnMut(usize, &mut [f32])) {
        let pairs = matrix.inputs.div_ceil(2);
        self.panels.clear();
        self.panels.resize(rows.div_ceil(ROWS) * pairs, [0; ROWS]);
        self.scales.clear();
        // Zero beyond the inputs, up to a multiple of eight.
        let mut values = vec![0.0; (2 * pairs).next_multiple_of(8)];
        for (row, panel) in (0..rows).zip((0..rows).map(|row| row / ROWS * pairs)) {
            fill(row, &mut values[..matrix.inputs]);
            let most = largest(&values);
            let norm = if most > 0.0 { squares(&values).sqrt() / most } else { 1.0 };
            let scale = scale_of(most, (LARGEST_SUM / (matrix.norm * norm)).min(LARGEST_INPUT));
            self.scales.push(scale);
            let panel = &mut self.panels[panel..panel + pairs];
            scatter(&values, 1.0 / scale, row % ROWS, panel);
        }
    }
}

/// Rounds `values`, a multiple of eight, into a row of a panel.
#[inline(always)]
fn scatter(values: &[f32], scale: f32, row: usize, panel: &mut [[i32; ROWS]]) {
    let scale = F32x4::splat(scale);
    for (values, panel) in values.as_chunks::<8>().0.iter().zip(panel.chunks_mut(4)) {
        let ([left, right], _) = values.as_chunks::<4>() else { unreachable!("eight are twice four") };
        let pairs = (F32x4::load(left) * scale).round_to_pairs(F32x4::load(right) * scale);
        panel.iter_mut().zip(pairs).for_each(|(rows, pair)| rows[row] = pair);
    }
}

/// Returns the value of one integer step when the largest value becomes `integer`.
fn scale_of(largest: f32, integer: f32) -> f32 {
    if largest > 0.0 { largest / integer } else { 1.0 }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn wave(length: usize, pitch: f32) -> Vec<f32> {
        (0..length).map(|index| (index as f32 * pitch).sin() * (1.0 + (index as f32 * 0.013).cos())).collect()
    }

    fn exact(weights: &[f32], bias: &[f32], input: &[f32]) -> Vec<f64> {
        let product =
            |weights: &[f32]| weights.iter().zip(input).map(|(w, x)| f64::from(*w) * f64::from(*x)).sum::<f64>();
        weights.chunks(input.len()).zip(bias).map(|(weights, bias)| f64::from(*bias) + product(weights)).collect()
    }

    /// For any shape, with whole panels or not, the error stays within the rounding of both sides.
    #[test]
    fn products_are_close_to_those_of_floats() {
        for (rows, inputs, outputs) in [(1, 8, 8), (5, 37, 13), (130, 96, 24), (4, 1, 1), (3, 1536, 9)] {
            let (weights, bias) = (wave(inputs * outputs, 0.71), wave(outputs, 0.3));
            let input = wave(rows * inputs, 0.37);
            let matrix = IntegerMatrix::new(&weights, &bias);
            let row = |row: usize| &input[row * inputs..][..inputs];
            let products = matrix.apply(rows, |index, into| into.copy_from_slice(row(index)));
            assert_eq!(products.len(), rows * outputs);
            for (index, products) in products.chunks(outputs).enumerate() {
                let size = f64::from(squares(row(index)).sqrt()) * (inputs as f64).sqrt();
                for (product, exact) in products.iter().zip(exact(&weights, &bias, row(index))) {
                    let error = (f64::from(*product) - exact).abs();
                    assert!(error <= 2e-4 * size, "{rows} x {inputs} x {outputs}: {product} is not {exact}");
                }
            }
        }
    }

    /// One input channel is a hundred times as large as the others. The others must keep their precision.
    #[test]
    fn an_outlier_channel_keeps_the_others_precise() {
        let (inputs, outputs) = (384, 16);
        let mut weights = wave(inputs * outputs, 0.71);
        // The weights of the outlier are zero, so that only the other channels give the result.
        weights.iter_mut().skip(7).step_by(inputs).for_each(|weight| *weight = 0.0);
        let bias = vec![0.0; outputs];
        let mut input = wave(inputs, 0.37);
        input[7] = 100.0;
        let products = IntegerMatrix::new(&weights, &bias).apply(1, |_row, into| into.copy_from_slice(&input));
        let exact = exact(&weights, &bias, &input);
        let size = exact.iter().map(|value| value * value).sum::<f64>().sqrt();
        let error = products.iter().zip(&exact).map(|(a, b)| (f64::from(*a) - b).powi(2)).sum::<f64>().sqrt();
        assert!(error / size < 0.01, "{}", error / size);
    }

    /// All inputs and all weights have their largest values, so the sums come closest to the limit.
    #[test]
    fn sums_stay_in_32_bits() {
        for inputs in [2, 384, 5120, 40_000] {
            let matrix = IntegerMatrix::new(&vec![1.0; inputs], &[0.0]);
            let product = matrix.apply(1, |_row, into| into.fill(1.0))[0];
            assert!((product / inputs as f32 - 1.0).abs() < 3e-3, "{inputs}: {product}");
        }
    }

    #[test]
    fn zero_inputs_give_the_bias() {
        let matrix = IntegerMatrix::new(&[0.0, 0.0, 1.0, 2.0], &[0.5, -0.5]);
        assert_eq!(matrix.apply(1, |_row, into| into.fill(0.0)), [0.5, -0.5]);
    }
}
