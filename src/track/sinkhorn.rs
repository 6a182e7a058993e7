//! Sinkhorn-Knopp: assigns patches to prototypes so that all prototypes get equal shares (docs/PAPERS.md, 2.1,
//! step 2).

/// The temperature of docs/PAPERS.md, 2.1, step 2.
pub const TEMPERATURE: f64 = 0.05;
/// Rounds. Each round normalises the rows, then the columns.
pub const ITERATIONS: usize = 30;

/// Logits are clamped to this size, so that the sum of any two is far from overflow.
const LARGEST: f64 = 1e12;

/// Returns the assignment M*, `[prototype][patch]`: `exp(logits / temperature)`, whose rows are normalised to sum
/// to 1 / prototypes and columns to 1 / patches in turn, multiplied by the number of patches at the end. Columns
/// sum to exactly 1. Rows sum to patches / prototypes as closely as the rounds reach.
///
/// `logits` is `[prototype][patch]`. The computation uses logarithms, so that a logit of any size neither
/// overflows nor empties a row. A logit that is NaN counts as 0.
pub fn assign(logits: &[f64], prototypes: usize, temperature: f64, iterations: usize) -> Vec<f64> {
    let patches = logits.len().checked_div(prototypes).unwrap_or(0);
    if patches == 0 {
        return Vec::new();
    }
    let sane = |logit: &f64| if logit.is_nan() { 0.0 } else { (logit / temperature).clamp(-LARGEST, LARGEST) };
    let mut logs: Vec<f64> = logits.iter().map(sane).collect();
    let (row_target, column_target) = (-(prototypes as f64).ln(), -(patches as f64).ln());
    let mut shifts = vec![0.0; patches];
    for _round in 0..iterations {
        for row in logs.chunks_mut(patches) {
            let shift = row_target - log_sum(row.iter().copied());
            row.iter_mut().for_each(|log| *log += shift);
        }
        for (patch, shift) in shifts.iter_mut().enumerate() {
            *shift = column_target - log_sum(logs.iter().skip(patch).step_by(patches).copied());
        }
        for row in logs.chunks_mut(patches) {
            row.iter_mut().zip(&shifts).for_each(|(log, shift)| *log += shift);
        }
    }
    // Normalises the columns once more, so that they sum to 1 even when the logarithms are too large to be exact.
    for patch in 0..patches {
        let most = logs.iter().skip(patch).step_by(patches).copied().fold(f64::NEG_INFINITY, f64::max);
        let column = || (patch..prototypes * patches).step_by(patches);
        column().for_each(|place| logs[place] = (logs[place] - most).exp());
        let sum: f64 = column().map(|place| logs[place]).sum();
        column().for_each(|place| logs[place] /= sum);
    }
    logs
}

/// Returns log(sum(exp(logs))), without overflow.
fn log_sum(logs: impl Iterator<Item = f64> + Clone) -> f64 {
    let most = logs.clone().fold(f64::NEG_INFINITY, f64::max);
    most + logs.map(|log| (log - most).exp()).sum::<f64>().ln()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::track::random_numbers::RandomNumbers;

    fn logits(prototypes: usize, patches: usize, scale: f64) -> Vec<f64> {
        let mut random = RandomNumbers::new((prototypes * 1000 + patches) as u64);
        (0..prototypes * patches).map(|_| scale * f64::from(random.next())).collect()
    }

    fn sums(assignment: &[f64], prototypes: usize) -> (Vec<f64>, Vec<f64>) {
        let patches = assignment.len() / prototypes;
        let rows = assignment.chunks(patches).map(|row| row.iter().sum()).collect();
        let columns = (0..patches).map(|patch| assignment.iter().skip(patch).step_by(patches).sum()).collect();
        (rows, columns)
    }

    #[test]
    fn columns_sum_to_one_and_rows_to_equal_shares() {
        for (prototypes, patches) in [(1, 1), (1, 9), (3, 196), (6, 49), (12, 7), (3, 1560)] {
            let assignment = assign(&logits(prototypes, patches, 0.1), prototypes, TEMPERATURE, ITERATIONS);
            let (rows, columns) = sums(&assignment, prototypes);
            assert!(columns.iter().all(|sum| (sum - 1.0).abs() < 1e-12), "{prototypes} x {patches}");
            let share = patches as f64 / prototypes as f64;
            let off = rows.iter().map(|sum| (sum / share - 1.0).abs()).fold(0.0, f64::max);
            assert!(off < 1e-3, "{prototypes} x {patches}: rows off by {off}");
        }
    }

    #[test]
    fn extreme_logits_give_finite_assignments() {
        for scale in [0.0, 1e-30, 1e3, 1e6, 1e300] {
            let assignment = assign(&logits(4, 50, scale), 4, TEMPERATURE, ITERATIONS);
            let (_rows, columns) = sums(&assignment, 4);
            assert!(assignment.iter().all(|value| value.is_finite()), "scale {scale}");
            assert!(columns.iter().all(|sum| (sum - 1.0).abs() < 1e-9), "scale {scale}");
        }
        let mut broken = logits(3, 10, 1.0);
        (broken[0], broken[7], broken[23]) = (f64::NAN, f64::INFINITY, f64::NEG_INFINITY);
        // A prototype far from all patches keeps its share.
        broken[10..20].fill(-1e5);
        let (rows, columns) = sums(&assign(&broken, 3, TEMPERATURE, ITERATIONS), 3);
        assert!(columns.iter().all(|sum| (sum - 1.0).abs() < 1e-9) && rows[1] > 1.0, "{rows:?}");
        assert!(assign(&[], 3, TEMPERATURE, ITERATIONS).is_empty());
        assert!(assign(&[], 0, TEMPERATURE, ITERATIONS).is_empty());
    }
}
