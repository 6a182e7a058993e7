//! TextSpan on moments compared with the plain algorithm on the images themselves (`tests/reference/textspan.py`),
//! and properties of any head and any texts.
#![cfg(not(target_arch = "wasm32"))]

use std::collections::BTreeSet;

use headlamp::checkpoint::random_model::RandomWeights;
use headlamp::decompose::HeadBasis;
use headlamp::statistics::Moments;
use headlamp::textspan::{Pick, Reconstruction, textspan};
use test_support::reference::{Fixture, largest_difference};

/// The input of TextSpan for one head.
#[derive(Clone)]
struct Case {
    basis: HeadBasis,
    codes: Vec<Vec<f64>>,
    /// `[T, embedding]`
    texts: Vec<f32>,
    rank: usize,
    count: usize,
}

impl Case {
    fn of(fixture: &Fixture) -> Self {
        let (rank, count) = (fixture.counts("rank")[0], fixture.counts("count")[0]);
        let code = rank + 3;
        let values = fixture.values("basis");
        let embedding = values.len() / code;
        Self {
            basis: HeadBasis { values, embedding, code },
            codes: fixture.values("codes").chunks(code).map(<[f64]>::to_vec).collect(),
            texts: fixture.values("texts").iter().map(|value| *value as f32).collect(),
            rank,
            count,
        }
    }

    /// A head of random weights over `images` images, with `texts` texts.
    fn random(seed: u64, images: usize, texts: usize) -> Self {
        let (embedding, rank) = (24, 8);
        let code = rank + 3;
        let mut random = RandomWeights::new(seed);
        let mut next = || f64::from(random.draw());
        let values = (0..embedding * code).map(|_index| next()).collect();
        let centre: Vec<f64> = (0..code).map(|_index| 2.0 + next()).collect();
        let codes =
            (0..images).map(|_image| centre.iter().map(|centre| centre + 0.6 * next()).collect()).collect();
        let texts = (0..texts * embedding).map(|_index| next() as f32).collect();
        Self { basis: HeadBasis { values, embedding, code }, codes, texts, rank, count: rank }
    }

    fn moments(&self) -> Moments {
        let mut moments = Moments::new(self.basis.code);
        self.codes.iter().for_each(|code| moments.push(code));
        moments
    }

    fn picks(&self) -> Vec<Pick> {
        textspan(&self.basis, &self.moments(), &self.texts, self.rank, self.count)
    }

    fn reconstruction(&self) -> Reconstruction {
        Reconstruction::new(&self.basis, &self.moments(), &self.texts, self.rank, self.count)
    }

    fn pool(&self) -> usize {
        self.texts.len() / self.basis.embedding
    }
}

fn texts_of(picks: &[Pick]) -> Vec<usize> {
    picks.iter().map(|pick| pick.text).collect()
}

fn explained_by(picks: &[Pick]) -> Vec<f64> {
    picks.iter().map(|pick| pick.explained).collect()
}

/// Calls `test` for each fixture. `many`: many images. `few`: fewer images than the rank. `spent`: the variance is
/// explained before the count is reached. `poor`: the texts cannot explain the variance.
fn each_fixture(mut test: impl FnMut(&str, &Fixture, &Case)) {
    for name in ["many", "few", "spent", "poor"] {
        let fixture = Fixture::open(&format!("textspan/{name}"));
        test(name, &fixture, &Case::of(&fixture));
    }
}

/// Heads of random weights. The number of images is above the length of the code, below it, or very small. There
/// are many texts or few.
fn each_random_case(mut test: impl FnMut(&str, &Case)) {
    for seed in 1..=10 {
        for (images, texts) in [(100, 60), (9, 60), (3, 60), (100, 5), (100, 1)] {
            let name = format!("{images} images, {texts} texts, seed {seed}");
            test(&name, &Case::random(seed, images, texts));
        }
    }
}

// --- against the reference ---------------------------------------------------------------------------------

#[test]
fn picks_match_the_plain_algorithm() {
    each_fixture(|name, fixture, case| {
        assert_eq!(texts_of(&case.picks()), fixture.counts("picks"), "{name}");
    });
}

#[test]
fn explained_variance_matches_the_plain_algorithm() {
    each_fixture(|name, fixture, case| {
        let off = largest_difference(&explained_by(&case.picks()), &fixture.values("explained"));
        assert!(off < 1e-6, "{name}: {off}");
        println!("{name}: largest difference {off:.1e}");
    });
}

#[test]
fn reconstructions_match_the_plain_algorithm() {
    each_fixture(|name, fixture, case| {
        let reconstruction = case.reconstruction();
        assert_eq!(texts_of(&reconstruction.picks), fixture.counts("picks"), "{name}");
        let of_image = |image: usize| reconstruction.contribution(&case.codes[image], case.count);
        let found: Vec<f64> = fixture.counts("images").into_iter().flat_map(of_image).collect();
        let expected = fixture.values("reconstruction");
        let off = largest_difference(&found, &expected)
            / expected.iter().fold(0.0_f64, |most, value| most.max(value.abs()));
        assert!(off < 1e-6, "{name}: {off}");
        println!("{name}: largest difference against the largest value {off:.1e}");
    });
}

// --- properties of any head and any texts -------------------------------------------------------------------

#[test]
fn explained_variance_grows_up_to_one_at_most() {
    let check = |name: &str, case: &Case| {
        let explained = explained_by(&case.picks());
        assert!(!explained.is_empty(), "{name}");
        assert!(explained[0] > 0.0, "{name}: {explained:?}");
        assert!(explained.is_sorted(), "{name}: {explained:?}");
        assert!(explained.iter().all(|share| *share <= 1.0), "{name}: {explained:?}");
    };
    each_random_case(check);
    each_fixture(|name, _fixture, case| check(name, case));
}

#[test]
fn no_text_is_picked_twice() {
    each_random_case(|name, case| {
        let case = Case { count: 50, ..case.clone() };
        let picks = texts_of(&case.picks());
        let different: BTreeSet<_> = picks.iter().collect();
        assert_eq!(different.len(), picks.len(), "{name}: {picks:?}");
        let most = case.rank.min(case.codes.len()).min(case.pool());
        assert!(picks.len() <= most, "{name}: {} picks, {most} directions", picks.len());
    });
}

#[test]
fn of_equal_texts_the_first_is_picked() {
    each_random_case(|name, case| {
        let doubled = Case { texts: [&case.texts[..], &case.texts].concat(), ..case.clone() };
        assert_eq!(texts_of(&doubled.picks()), texts_of(&case.picks()), "{name}");
    });
}

#[test]
fn the_scale_of_the_contributions_does_not_matter() {
    each_random_case(|name, case| {
        let picks = case.picks();
        for scale in [1e-6, 0.3, 1e5] {
            let mut louder = case.clone();
            louder.basis.values.iter_mut().for_each(|value| *value *= scale);
            let louder = louder.picks();
            assert_eq!(texts_of(&louder), texts_of(&picks), "{name}, times {scale}");
            let off = largest_difference(&explained_by(&louder), &explained_by(&picks));
            assert!(off < 1e-9, "{name}, times {scale}: {off}");
        }
    });
}

#[test]
fn the_order_of_the_texts_does_not_matter() {
    each_random_case(|name, case| {
        let mut rows: Vec<&[f32]> = case.texts.chunks(case.basis.embedding).collect();
        rows.reverse();
        let reversed = Case { texts: rows.concat(), ..case.clone() };
        let picks: Vec<usize> = texts_of(&reversed.picks()).iter().map(|text| case.pool() - 1 - text).collect();
        assert_eq!(picks, texts_of(&case.picks()), "{name}");
    });
}

#[test]
fn zero_or_one_image_has_no_variance() {
    for images in [0, 1] {
        assert_eq!(Case::random(4, images, 30).picks(), []);
    }
}

#[test]
fn without_texts_nothing_is_picked() {
    assert_eq!(Case::random(5, 30, 0).picks(), []);
}

/// The remaining variance of the images is the share that the picks do not explain.
#[test]
fn reconstruction_error_is_the_unexplained_variance() {
    each_random_case(|name, case| {
        let reconstruction = case.reconstruction();
        let whole: Vec<Vec<f64>> = case.codes.iter().map(|code| case.basis.contribution(code)).collect();
        let left = |count: usize| -> f64 {
            let of_image = |(code, whole): (&Vec<f64>, &Vec<f64>)| {
                let found = reconstruction.contribution(code, count);
                found.iter().zip(whole).map(|(found, whole)| (found - whole).powi(2)).sum::<f64>()
            };
            case.codes.iter().zip(&whole).map(of_image).sum()
        };
        // With no text, the reconstruction is the mean.
        let total = left(0);
        for (count, pick) in (1..).zip(&reconstruction.picks) {
            let share = left(count) / total;
            assert!((share - (1.0 - pick.explained)).abs() < 1e-6, "{name}, {count} texts: {share} {pick:?}");
        }
        assert_eq!(reconstruction.picks, case.picks(), "{name}");
    });
}
