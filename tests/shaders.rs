//! Each shader compared with its definition in f64, on shapes that do not fill a tile.
#![cfg(not(target_arch = "wasm32"))]

use headlamp::model::Backend;
use headlamp::protocol::DevicePreference;
use headlamp::session::device;
use headlamp::shaders::{Activation, Gpu, GpuTensor, Matrix, Norm, attention, gather, pool, read_back};

/// The largest allowed error, relative to the root mean square of the expected values.
const TOLERANCE: f64 = 2e-6;

/// Returns numbers between -1 and 1 that depend on the seed.
fn numbers(count: usize, seed: u32) -> Vec<f32> {
    let mut state = seed.wrapping_mul(2_654_435_761).wrapping_add(12_345);
    let mut next = || {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        (state >> 8) as f32 / (1 << 23) as f32 - 1.0
    };
    (0..count).map(|_number| next()).collect()
}

fn tensor<const D: usize>(values: &[f32], shape: [usize; D], gpu: &Gpu) -> GpuTensor<D> {
    GpuTensor::new(values.to_vec(), shape, gpu)
}

fn read<const D: usize>(tensor: GpuTensor<D>) -> Vec<f32> {
    let bytes = pollster::block_on(read_back(&[tensor.flatten()])).unwrap();
    bytes[0].as_chunks::<4>().0.iter().map(|number| f32::from_ne_bytes(*number)).collect()
}

#[track_caller]
fn assert_close<const D: usize>(what: &str, found: GpuTensor<D>, expected: &[f64]) {
    let found = read(found);
    assert_eq!(found.len(), expected.len(), "{what}");
    let size = (expected.iter().map(|value| value * value).sum::<f64>() / expected.len() as f64).sqrt();
    let error =
        found.iter().zip(expected).map(|(a, b)| (f64::from(*a) - b).abs()).max_by(f64::total_cmp).unwrap_or(0.0)
            / size;
    // NaN also fails the comparison.
    assert!(error < TOLERANCE, "{what}: off by {error:.1e}");
}

fn gpu() -> Option<Gpu> {
    match test_support::gpu::gpu()? {
        Backend::Shaders(gpu) => Some(gpu),
        other => panic!("{other:?} is no GPU"),
    }
}

#[test]
fn a_gpu_serves_one_model_after_another() {
    if gpu().is_some() {
        let again = pollster::block_on(device::choose(DevicePreference::Gpu));
        assert!(matches!(again, Ok(chosen) if chosen.summary.kind == "GPU"));
    }
}

#[test]
fn a_norm_centres_and_scales_each_token() {
    let Some(gpu) = gpu() else { return };
    for width in [4, 96, 260, 768] {
        let (sequences, tokens) = (2, 5);
        let values: Vec<f32> = numbers(sequences * tokens * width, 1).iter().map(|value| 30.0 + value).collect();
        let (gamma, beta) = (numbers(width, 2), numbers(width, 3));
        let expected: Vec<f64> =
            values.chunks(width).flat_map(|row| normalised(row, &gamma, &beta, 1e-5)).collect();
        let norm = Norm::new(gamma, beta, 1e-5, &gpu).unwrap();
        let found = read(norm.apply(&tensor(&values, [sequences, tokens, width], &gpu)));
        // Inputs far from zero lose the digits that their mean uses.
        let error = found
            .iter()
            .zip(&expected)
            .map(|(a, b)| (f64::from(*a) - b).abs())
            .max_by(f64::total_cmp)
            .unwrap_or(0.0);
        assert!(error < 3e-5, "{width} wide: off by {error:.1e}");
    }
}

fn normalised(row: &[f32], gamma: &[f32], beta: &[f32], eps: f64) -> Vec<f64> {
    let size = row.len() as f64;
    let mean = row.iter().map(|value| f64::from(*value)).sum::<f64>() / size;
    let variance = row.iter().map(|value| (f64::from(*value) - mean).powi(2)).sum::<f64>() / size;
    let norm = |value: f32| (f64::from(value) - mean) / (variance + eps).sqrt();
    row.iter().zip(gamma).zip(beta).map(|((value, g), b)| norm(*value) * f64::from(*g) + f64::from(*b)).collect()
}

/// A linear layer of arbitrary weights, and its expected output in f64.
struct Layer {
    weights: Vec<f32>,
    biases: Vec<f32>,
}

impl Layer {
    fn new(inputs: usize, outputs: usize) -> Self {
        Self { weights: numbers(inputs * outputs, 5), biases: numbers(outputs, 6) }
    }

    fn matrix(&self, gpu: &Gpu) -> Matrix {
        Matrix::new(&self.weights, self.biases.clone(), gpu).unwrap()
    }

    fn expected(&self, rows: &[f32]) -> Vec<f64> {
        let inputs = self.weights.len() / self.biases.len();
        let product = |row: &[f32], weights: &[f32]| -> f64 {
            row.iter().zip(weights).map(|(a, b)| f64::from(*a) * f64::from(*b)).sum()
        };
        let of_row = |row| {
            let of_output = move |(weights, bias): (&[f32], &f32)| product(row, weights) + f64::from(*bias);
            self.weights.chunks(inputs).zip(&self.biases).map(of_output)
        };
        rows.chunks(inputs).flat_map(of_row).collect()
    }
}

/// With one row and with many, and with inputs that fill the slices of one turn and inputs that do not.
#[test]
fn a_matrix_multiplies_every_token() {
    let Some(gpu) = gpu() else { return };
    for (inputs, outputs, sequences, tokens) in [(4, 4, 1, 1), (64, 32, 1, 32), (60, 72, 3, 26), (588, 36, 1, 70)]
    {
        let layer = Layer::new(inputs, outputs);
        let rows = numbers(sequences * tokens * inputs, 7);
        let rows_on_gpu = tensor(&rows, [sequences, tokens, inputs], &gpu);
        let found = layer.matrix(&gpu).apply(&rows_on_gpu, Activation::None);
        assert_eq!(found.dims(), [sequences, tokens, outputs]);
        assert_close(&format!("{inputs} to {outputs}"), found, &layer.expected(&rows));
    }
}

#[test]
fn activations_match_their_exact_definitions() {
    let Some(gpu) = gpu() else { return };
    let layer = Layer::new(96, 44);
    let rows = numbers(35 * 96, 8);
    // erf by its power series, which is exact for small |x|. Beyond, erf is 1.
    let erf = |x: f64| -> f64 {
        let term = |n: i32| (1..=n).fold(x, |term, k| -term * x * x / f64::from(k)) / f64::from(2 * n + 1);
        let series: f64 = (0..120).map(term).sum();
        if x.abs() > 4.0 { x.signum() } else { series * 2.0 / std::f64::consts::PI.sqrt() }
    };
    let gelu = move |x: f64| x * (1.0 + erf(x / std::f64::consts::SQRT_2)) / 2.0;
    let quick = |x: f64| x / (1.0 + (-1.702 * x).exp());
    let cases: [(Activation, &dyn Fn(f64) -> f64); 2] =
        [(Activation::Gelu, &gelu), (Activation::QuickGelu, &quick)];
    for (activation, exact) in cases {
        let found = layer.matrix(&gpu).apply(&tensor(&rows, [1, 35, 96], &gpu), activation);
        let expected: Vec<f64> = layer.expected(&rows).into_iter().map(exact).collect();
        assert_close(&format!("{activation:?}"), found, &expected);
    }
}

#[test]
fn a_matrix_splits_queries_keys_and_values() {
    let Some(gpu) = gpu() else { return };
    let (sequences, tokens, heads, head_width) = (2, 19, 3, 24);
    let width = heads * head_width;
    let layer = Layer::new(width, 3 * width);
    let rows = numbers(sequences * tokens * width, 9);
    let parts = layer.matrix(&gpu).heads(&tensor(&rows, [sequences, tokens, width], &gpu), heads);
    let side_by_side = layer.expected(&rows);
    for (part, found) in parts.into_iter().enumerate() {
        let mut expected = Vec::new();
        for (sequence, head) in (0..sequences).flat_map(|s| (0..heads).map(move |h| (s, h))) {
            for token in 0..tokens {
                let at = (sequence * tokens + token) * 3 * width + part * width + head * head_width;
                expected.extend(&side_by_side[at..][..head_width]);
            }
        }
        assert_close(&format!("part {part}"), found, &expected);
    }
}

#[test]
fn a_matrix_adds_to_the_stream_and_keeps_the_cls_part() {
    let Some(gpu) = gpu() else { return };
    let (inputs, width) = (68, 40);
    let layer = Layer::new(inputs, width);
    for (sequences, tokens, leading) in [(3, 11, 0), (1, 38, 5)] {
        let rows = numbers(sequences * (tokens - leading) * inputs, 10);
        let stream = numbers(sequences * tokens * width, 11);
        let (sum, of_cls) = layer.matrix(&gpu).add_to(
            &tensor(&stream, [sequences, tokens, width], &gpu),
            &tensor(&rows, [sequences, tokens - leading, inputs], &gpu),
        );
        let products = layer.expected(&rows);
        let mut expected: Vec<f64> = stream.iter().map(|value| f64::from(*value)).collect();
        expected[leading * width..].iter_mut().zip(&products).for_each(|(sum, product)| *sum += product);
        assert_close(&format!("{leading} leading"), sum, &expected);
        if leading == 0 {
            let first = products.chunks(tokens * width).flat_map(|sequence| &sequence[..width]);
            assert_close("of CLS", of_cls, &first.copied().collect::<Vec<_>>());
        }
    }
}

/// Pools one token of a sequence, the last token, some tokens, and all tokens.
#[test]
fn tokens_are_pooled() {
    let Some(gpu) = gpu() else { return };
    let (sequences, tokens, width) = (3, 7, 300);
    let values = numbers(sequences * tokens * width, 15);
    for (first, count) in [(0, 1), (6, 1), (2, 3), (0, 7)] {
        let found = pool(&tensor(&values, [sequences, tokens, width], &gpu), first, count);
        assert_eq!(found.dims(), [sequences, 1, width]);
        let mean = |sequence: &[f32], number: usize| -> f64 {
            let counted = sequence.chunks(width).skip(first).take(count);
            counted.map(|token| f64::from(token[number])).sum::<f64>() / count as f64
        };
        let places = (0..sequences).flat_map(|sequence| (0..width).map(move |number| (sequence, number)));
        let sequence = |number: usize| &values[number * tokens * width..][..tokens * width];
        let expected: Vec<f64> = places.map(|(at, number)| mean(sequence(at), number)).collect();
        assert_close(&format!("{count} tokens from {first} on"), found, &expected);
    }
}

/// With one query and with many, with one block of keys and with several, for every head width that has a shader.
#[test]
fn attention_is_the_softmax_of_scaled_products() {
    let Some(gpu) = gpu() else { return };
    for (tokens, asking, head_width, causal) in [
        (1, 1, 8, false),
        (7, 7, 32, true),
        (33, 33, 48, false),
        (77, 77, 64, true),
        (70, 1, 64, false),
        (40, 40, 80, false),
        (50, 1, 104, false),
        (35, 35, 128, true),
    ] {
        let (sequences, heads) = (2, 3);
        let shape = [sequences, heads, tokens, head_width];
        // Logits of about 10, so that the softmax is not a mean.
        let parts = [4.0, 4.0, 1.0].map(|size| {
            let values = numbers(shape.iter().product(), 12 + size as u32);
            values.into_iter().map(|value| value * size).collect::<Vec<f32>>()
        });
        let on_gpu = parts.each_ref().map(|values| tensor(values, shape, &gpu));
        let (gathered, cls) = attention(on_gpu.each_ref(), asking, causal);
        assert_eq!(gathered.dims(), [sequences, asking, heads * head_width]);
        assert_eq!(cls.dims(), [sequences, heads, 1, tokens]);
        let (expected, of_cls) = attended(&parts, shape, asking, causal);
        let what = format!("{asking} of {tokens} tokens, {head_width} wide, causal {causal}");
        assert_close(&what, gathered, &expected);
        assert_close(&format!("CLS, {what}"), cls, &of_cls);
    }
}

/// Returns the output of each querying token, with the heads concatenated, and the weights of the first token.
fn attended(
    [queries, keys, values]: &[Vec<f32>; 3],
    [sequences, heads, tokens, width]: [usize; 4],
    asking: usize,
    causal: bool,
) -> (Vec<f64>, Vec<f64>) {
    let mut gathered = vec![0.0; sequences * asking * heads * width];
    let mut of_cls = Vec::new();
    for (sequence, head) in (0..sequences).flat_map(|s| (0..heads).map(move |h| (s, h))) {
        let row = |of: &[f32], token: usize| -> Vec<f64> {
            let at = ((sequence * heads + head) * tokens + token) * width;
            of[at..][..width].iter().map(|value| f64::from(*value)).collect()
        };
        for asked in 0..asking {
            let query = row(queries, asked);
            let logit = |key: usize| -> f64 {
                let product: f64 = row(keys, key).iter().zip(&query).map(|(a, b)| a * b).sum();
                if causal && key > asked { f64::NEG_INFINITY } else { product / (width as f64).sqrt() }
            };
            let logits: Vec<f64> = (0..tokens).map(logit).collect();
            let most = logits.iter().copied().fold(f64::NEG_INFINITY, f64::max);
            let total: f64 = logits.iter().map(|logit| (logit - most).exp()).sum();
            let weights: Vec<f64> = logits.iter().map(|logit| (logit - most).exp() / total).collect();
            let into = &mut gathered[((sequence * asking + asked) * heads + head) * width..][..width];
            for (token, weight) in weights.iter().enumerate() {
                into.iter_mut().zip(row(values, token)).for_each(|(sum, value)| *sum += weight * value);
            }
            if asked == 0 {
                of_cls.extend(weights);
            }
        }
    }
    (gathered, of_cls)
}

/// With more tensors than one launch takes, longer and shorter than a workgroup.
#[test]
fn gather_concatenates_tensors() {
    let Some(gpu) = gpu() else { return };
    for lengths in [&[7][..], &[5, 300, 1, 64, 7, 256], &[1024, 3, 255, 1, 1, 2000, 257, 512]] {
        let parts: Vec<Vec<f32>> = lengths.iter().zip(40..).map(|(length, seed)| numbers(*length, seed)).collect();
        let tensors: Vec<_> = parts.iter().map(|part| tensor(part, [part.len()], &gpu)).collect();
        let found = read(gather(&tensors).unwrap());
        assert!(found == parts.concat(), "{lengths:?}");
    }
}
