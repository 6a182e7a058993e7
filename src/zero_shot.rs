//! The zero-shot classifier: unit vectors of phrases, and probabilities from cosines (docs/PAPERS.md, 1.6).

/// Templates for a class name; a small general-purpose set.
pub const TEMPLATES: [&str; 7] = [
    "a photo of {}",
    "a picture of {}",
    "a close-up photo of {}",
    "a photo of the {}",
    "a good photo of {}",
    "a drawing of {}",
    "{}",
];

/// Puts the phrase into every template.
pub fn templated(phrase: &str) -> Vec<String> {
    TEMPLATES.iter().map(|template| template.replace("{}", phrase)).collect()
}

/// Returns the unit vector along `vector`. The zero vector stays zero.
pub fn normalised(vector: &[f32]) -> Vec<f32> {
    let norm = dot(vector, vector).sqrt();
    let scale = if norm > 0.0 { 1.0 / norm } else { 0.0 };
    vector.iter().map(|value| (f64::from(*value) * scale) as f32).collect()
}

/// Returns the normalised mean of unit vectors: one class from its templates.
pub fn ensemble(units: &[Vec<f32>]) -> Vec<f32> {
    let mut mean = vec![0.0_f32; units.first().map_or(0, Vec::len)];
    for unit in units {
        for (mean, value) in mean.iter_mut().zip(unit) {
            *mean += value / units.len() as f32;
        }
    }
    normalised(&mean)
}

/// Returns the difference `a - b`. Its score is the score of `a` minus the score of `b`.
pub fn difference(a: &[f32], b: &[f32]) -> Vec<f32> {
    a.iter().zip(b).map(|(a, b)| a - b).collect()
}

/// Computes softmax(logit_scale * cosine) without overflow.
pub fn probabilities(cosines: &[f32], logit_scale: f32) -> Vec<f32> {
    let logits: Vec<f64> = cosines.iter().map(|cosine| f64::from(logit_scale) * f64::from(*cosine)).collect();
    let highest = logits.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    let weights: Vec<f64> = logits.iter().map(|logit| (logit - highest).exp()).collect();
    let total: f64 = weights.iter().sum();
    weights.into_iter().map(|weight| (weight / total) as f32).collect()
}

/// Returns the inner product, summed in f64.
pub fn dot(a: &[f32], b: &[f32]) -> f64 {
    a.iter().zip(b).map(|(a, b)| f64::from(*a) * f64::from(*b)).sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn probabilities_sum_to_one_and_keep_the_order() {
        for scale in [0.0, 1.0, 100.0, 1e6] {
            let probabilities = probabilities(&[0.3, -0.2, 0.1], scale);
            assert!((probabilities.iter().sum::<f32>() - 1.0).abs() < 1e-6);
            assert!(probabilities[0] >= probabilities[2] && probabilities[2] >= probabilities[1]);
        }
    }

    #[test]
    fn the_ensemble_of_one_unit_vector_is_itself() {
        let unit = normalised(&[3.0, -4.0]);
        assert_eq!(unit, [0.6, -0.8]);
        assert_eq!(ensemble(std::slice::from_ref(&unit)), unit);
    }
}
