//! Multi-head attention that never holds the full attention matrix.

use std::array::from_fn;

use super::float_matrix::{COLUMNS, Panels, ROWS};
use super::lanes::F32x4;
use super::pointwise::exponentials;

/// Queries, keys and values, each `[sequence][head][token][head width]`.
#[derive(Clone, Debug)]
pub struct Heads {
    pub tokens: usize,
    pub heads: usize,
    pub head_width: usize,
    pub query: Vec<f32>,
    pub key: Vec<f32>,
    pub value: Vec<f32>,
}

impl Heads {
    /// Reorders the output of the fused layer, `[sequence][token][query, key, value][head][head width]`.
    pub fn split(side_by_side: &[f32], tokens: usize, heads: usize, head_width: usize) -> Self {
        let width = heads * head_width;
        let part = |part: usize| {
            let mut sorted = Vec::with_capacity(side_by_side.len() / 3);
            for sequence in side_by_side.chunks_exact(3 * width * tokens) {
                for head in 0..heads {
                    let start = part * width + head * head_width;
                    sequence.chunks_exact(3 * width).for_each(|token| {
                        sorted.extend_from_slice(&token[start..start + head_width]);
                    });
                }
            }
            sorted
        };
        Self { tokens, heads, head_width, query: part(0), key: part(1), value: part(2) }
    }
}

/// Returns the attention outputs of the first `query_count` tokens of each sequence, `[sequence][token][head][head
/// width]`. With `causal`, a token attends only to itself and to earlier tokens.
pub fn attention(qkv: &Heads, query_count: usize, causal: bool) -> Vec<f32> {
    let (tokens, head_width, width) = (qkv.tokens, qkv.head_width, qkv.heads * qkv.head_width);
    let mut outputs = vec![0.0; qkv.query.len() / tokens.max(1) * query_count];
    let (mut keys, mut values) = (Panels::default(), Panels::default());
    let mut attentions = vec![0.0; ROWS * tokens.next_multiple_of(COLUMNS)];
    let mut queries = vec![0.0; ROWS * head_width];
    let scale = 1.0 / (head_width as f32).sqrt();
    let each = tokens * head_width;
    for (index, start) in (0..qkv.query.len()).step_by(each.max(1)).enumerate() {
        let (sequence, head) = (index / qkv.heads, index % qkv.heads);
        keys.fill_transposed(&qkv.key[start..start + each], head_width);
        values.fill(&qkv.value[start..start + each], head_width);
        let outputs = &mut outputs[sequence * query_count * width..][..query_count * width];
        for first in (0..query_count).step_by(ROWS) {
            // Rows beyond the last token repeat the last token.
            let row = |row: usize| (first + row).min(query_count - 1);
            for (index, query) in queries.chunks_exact_mut(head_width).enumerate() {
                let numbers = &qkv.query[start + row(index) * head_width..];
                query.iter_mut().zip(numbers).for_each(|(scaled, number)| *scaled = number * scale);
            }
            let four_queries = from_fn(|index| &queries[index * head_width..][..head_width]);
            let sums = attention_weights(four_queries, &keys, &mut attentions, |index| {
                if causal { row(index) + 1 } else { tokens }
            });
            let each = attentions.len() / ROWS;
            let rows = from_fn(|index| &attentions[index * each..][..tokens]);
            let targets = outputs.chunks_exact_mut(width).skip(first).take(ROWS);
            let mut targets: Vec<&mut [f32]> =
                targets.map(|token| &mut token[head * head_width..][..head_width]).collect();
            for (panel, products) in values.products(rows).enumerate() {
                for ((target, products), sum) in targets.iter_mut().zip(products).zip(sums) {
                    let columns = panel * COLUMNS..head_width.min((panel + 1) * COLUMNS);
                    let share = F32x4::splat(1.0 / sum);
                    write(&mut target[columns], products.map(|products| products * share));
                }
            }
        }
    }
    outputs
}

/// Computes the attention weights of four queries, `[query][token]`, before they are divided by their sums.
/// Returns the sum of each row. Row `i` attends to its first `seen(i)` tokens; the other weights are 0. The
/// queries are already divided by the square root of the head width.
fn attention_weights(
    queries: [&[f32]; ROWS],
    keys: &Panels,
    attentions: &mut [f32],
    seen: impl Fn(usize) -> usize,
) -> [f32; ROWS] {
    let each = attentions.len() / ROWS;
    for (panel, products) in keys.products(queries).enumerate() {
        for (row, products) in products.into_iter().enumerate() {
            write(&mut attentions[row * each + panel * COLUMNS..][..COLUMNS], products);
        }
    }
    let mut rows = attentions.chunks_exact_mut(each);
    from_fn(|index| {
        let Some(row) = rows.next() else { return 1.0 };
        let (counted, others) = row.split_at_mut(seen(index));
        others.fill(0.0);
        exponentials(counted)
    })
}

#[inline(always)]
fn write(target: &mut [f32], [left, right]: [F32x4; 2]) {
    let (left, right) = (left.to_array(), right.to_array());
    match target.as_chunks_mut::<4>() {
        ([first, second], []) => (*first, *second) = (left, right),
        _ => target.iter_mut().zip(left.into_iter().chain(right)).for_each(|(to, value)| *to = value),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Computes the textbook formula in f64, `[sequence][token][head][head width]`.
    fn textbook(qkv: &Heads, causal: bool) -> Vec<f64> {
        let Heads { tokens, heads, head_width, .. } = *qkv;
        let mut outputs = vec![0.0; qkv.query.len()];
        for (index, start) in (0..qkv.query.len()).step_by(tokens * head_width).enumerate() {
            let row = |values: &[f32], token: usize| -> Vec<f64> {
                values[start + token * head_width..][..head_width].iter().map(|value| f64::from(*value)).collect()
            };
            for token in 0..tokens {
                let seen = if causal { token + 1 } else { tokens };
                let query = row(&qkv.query, token);
                let weight = |other: usize| -> f64 {
                    let dot: f64 = query.iter().zip(row(&qkv.key, other)).map(|(q, k)| q * k).sum();
                    (dot / (head_width as f64).sqrt()).exp()
                };
                let weights: Vec<f64> = (0..seen).map(weight).collect();
                let sum: f64 = weights.iter().sum();
                let target = ((index / heads * tokens + token) * heads + index % heads) * head_width;
                for (other, weight) in weights.iter().enumerate() {
                    let values = row(&qkv.value, other);
                    let target = &mut outputs[target..target + head_width];
                    target.iter_mut().zip(values).for_each(|(to, value)| *to += value * weight / sum);
                }
            }
        }
        outputs
    }

    #[test]
    fn attention_equals_the_textbook_formula() {
        for (sequences, tokens, heads, head_width) in [(1, 1, 1, 3), (2, 7, 3, 8), (1, 33, 2, 20), (3, 4, 2, 5)] {
            let length = sequences * tokens * 3 * heads * head_width;
            let values: Vec<f32> = (0..length).map(|index| (index as f32 * 0.77).sin() * 2.0).collect();
            let qkv = Heads::split(&values, tokens, heads, head_width);
            for causal in [false, true] {
                let outputs = attention(&qkv, tokens, causal);
                for (value, exact) in outputs.iter().zip(textbook(&qkv, causal)) {
                    assert!((f64::from(*value) - exact).abs() < 2e-6, "{value} is not {exact}, {causal}");
                }
                let width = heads * head_width;
                let of_first = outputs.chunks(tokens * width).flat_map(|sequence| &sequence[..width]);
                assert!(of_first.eq(&attention(&qkv, 1, causal)), "the first token asks alone");
            }
        }
    }

    #[test]
    fn the_fused_output_is_split_by_head() {
        let values: Vec<f32> = (0..2 * 3 * 2 * 2).map(|value| value as f32).collect();
        let heads = Heads::split(&values, 2, 2, 2);
        assert_eq!(heads.query, [0.0, 1.0, 12.0, 13.0, 2.0, 3.0, 14.0, 15.0]);
        assert_eq!(heads.value, [8.0, 9.0, 20.0, 21.0, 10.0, 11.0, 22.0, 23.0]);
    }
}
