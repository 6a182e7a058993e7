//! Measures retrieval: captions are searched for by their images, and images by their captions.

use nalgebra::{DMatrix, RowDVector};
use serde::Serialize;

use super::pairs::Pairs;

/// The ranks at which recall is measured.
pub const AT: [usize; 3] = [1, 5, 10];

/// The recall of one direction of retrieval.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Recall {
    pub queries: usize,
    pub candidates: usize,
    /// The share of queries with a correct answer among the first 1, 5 and 10 results ([`AT`]).
    pub at: [f64; 3],
    /// The median over queries of the rank, from 1, of the first correct answer.
    pub median_rank: f64,
}

/// The recall of both directions.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Retrieval {
    pub image_to_text: Recall,
    pub text_to_image: Recall,
}

/// Measures retrieval among all images (unit vectors `[image, embedding]`) and captions of `pairs`.
pub fn retrieval(embedded: &DMatrix<f64>, pairs: &Pairs) -> Retrieval {
    let (images, captions) = ranks(embedded, pairs);
    let (image_count, caption_count) = (pairs.images.nrows(), pairs.captions.nrows());
    Retrieval {
        image_to_text: Recall::of_ranks(&images, caption_count),
        text_to_image: Recall::of_ranks(&captions, image_count),
    }
}

/// Returns the expected recall of guessing on the same pairs.
pub fn chance(pairs: &Pairs) -> Retrieval {
    let (image_count, caption_count) = (pairs.images.nrows(), pairs.captions.nrows());
    let (mut of_image, mut of_caption) = (vec![0_usize; image_count], vec![0_usize; caption_count]);
    for (image, caption) in &pairs.pairs {
        of_image[*image] += 1;
        of_caption[*caption] += 1;
    }
    Retrieval {
        image_to_text: Recall::of_guessing(&of_image, caption_count),
        text_to_image: Recall::of_guessing(&of_caption, image_count),
    }
}

/// Returns the mean of 1 / rank, over all images and all captions as queries.
pub fn mean_reciprocal_rank(embedded: &DMatrix<f64>, pairs: &Pairs) -> f64 {
    let (images, captions) = ranks(embedded, pairs);
    let mean =
        |ranks: &[usize]| ranks.iter().map(|rank| 1.0 / *rank as f64).sum::<f64>() / ranks.len().max(1) as f64;
    0.5 * (mean(&images) + mean(&captions))
}

/// Returns the rank of the best correct caption of each image, and of the best correct image of each caption. A
/// wrong candidate with the same score counts as ranked higher.
fn ranks(embedded: &DMatrix<f64>, pairs: &Pairs) -> (Vec<usize>, Vec<usize>) {
    let (mut captions_of, mut images_of) =
        (vec![Vec::new(); pairs.images.nrows()], vec![Vec::new(); pairs.captions.nrows()]);
    for (image, caption) in &pairs.pairs {
        captions_of[*image].push(*caption);
        images_of[*caption].push(*image);
    }
    let of = |queries: &DMatrix<f64>, candidates: &DMatrix<f64>, answers: &[Vec<usize>]| -> Vec<usize> {
        // One query at a time, because the scores of many pictures together would not fit into memory.
        let transposed = candidates.transpose();
        let with_answers = queries.row_iter().zip(answers).filter(|(_, answers)| !answers.is_empty());
        with_answers.map(|(query, answers)| rank(&(query * &transposed), answers)).collect()
    };
    (of(embedded, &pairs.captions, &captions_of), of(&pairs.captions, embedded, &images_of))
}

fn rank(scores: &RowDVector<f64>, answers: &[usize]) -> usize {
    let best = answers.iter().map(|answer| scores[*answer]).fold(f64::NEG_INFINITY, f64::max);
    let ahead = scores.iter().enumerate().filter(|(place, score)| **score >= best && !answers.contains(place));
    1 + ahead.count()
}

impl Recall {
    fn of_ranks(ranks: &[usize], candidates: usize) -> Self {
        let queries = ranks.len();
        let share = |at: usize| ranks.iter().filter(|rank| **rank <= at).count() as f64 / queries.max(1) as f64;
        let mut sorted = ranks.to_vec();
        sorted.sort_unstable();
        let middle = |place: usize| sorted.get(place).copied().unwrap_or(0) as f64;
        let median_rank = 0.5 * (middle(queries.saturating_sub(1) / 2) + middle(queries / 2));
        Self { queries, candidates, at: AT.map(share), median_rank }
    }

    /// Computes the expected recall among candidates in random order. `answers` is the number of correct answers
    /// of each query.
    fn of_guessing(answers: &[usize], candidates: usize) -> Self {
        let answers: Vec<usize> = answers.iter().copied().filter(|count| *count > 0).collect();
        let queries = answers.len();
        let found = |within: usize| {
            answers.iter().map(|count| chance_within(*count, candidates, within)).sum::<f64>()
                / queries.max(1) as f64
        };
        let median = (1..=candidates).find(|rank| found(*rank) >= 0.5 - 1e-12).unwrap_or(candidates);
        Self { queries, candidates, at: AT.map(found), median_rank: median as f64 }
    }
}

/// Returns the probability that one of `answers` correct candidates is among the first `within` of `candidates`.
fn chance_within(answers: usize, candidates: usize, within: usize) -> f64 {
    let wrong = candidates.saturating_sub(answers);
    // The probability that each place holds a wrong candidate, given that all earlier places do.
    let all_wrong: f64 = (0..within.min(candidates))
        .map(|place| wrong.saturating_sub(place) as f64 / (candidates - place) as f64)
        .product();
    1.0 - all_wrong
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pairs(count: usize) -> Pairs {
        let units = DMatrix::identity(count, count);
        Pairs { images: units.clone(), captions: units, pairs: (0..count).map(|index| (index, index)).collect() }
    }

    #[test]
    fn ranks_of_perfect_inverted_and_tied_scores() {
        let pairs = pairs(12);
        let found = retrieval(&pairs.images, &pairs);
        assert_eq!((found.image_to_text.at, found.image_to_text.median_rank), ([1.0; 3], 1.0));
        let found = retrieval(&-&pairs.images, &pairs);
        assert_eq!((found.text_to_image.at, found.text_to_image.median_rank), ([0.0; 3], 12.0));
        // All scores are equal, and ties count as ranked higher.
        let found = retrieval(&DMatrix::zeros(12, 12), &pairs);
        assert_eq!(found.image_to_text.median_rank, 12.0);
    }

    #[test]
    fn any_of_several_captions_counts() {
        let mut pairs = pairs(6);
        pairs.pairs = vec![(0, 0), (0, 1), (1, 1), (2, 2)];
        let mut swapped = pairs.images.clone();
        swapped.swap_rows(0, 1);
        // Image 0 has the vector of caption 1, which is also its own. Image 1 has the vector of caption 0, which
        // is not its own.
        let found = retrieval(&swapped, &pairs);
        assert_eq!((found.image_to_text.queries, found.text_to_image.queries), (3, 3));
        assert!((found.image_to_text.at[0] - 2.0 / 3.0).abs() < 1e-12, "{found:?}");
    }

    #[test]
    fn chance_equals_the_expectation_of_guessing() {
        let guessed = chance(&pairs(20)).image_to_text;
        assert!((guessed.at[0] - 0.05).abs() < 1e-12 && (guessed.at[1] - 0.25).abs() < 1e-12, "{guessed:?}");
        assert_eq!(guessed.median_rank, 10.0);
        // Two correct answers among four: 1 - (2/4)(1/3).
        assert!((chance_within(2, 4, 2) - 5.0 / 6.0).abs() < 1e-12);
        assert_eq!(chance_within(3, 3, 1), 1.0);
    }
}
