//! The names of heads compared with exact fractions (`tests/reference/naming.py`), and properties of any heads and pools.
#![cfg(not(target_arch = "wasm32"))]

use headlamp::checkpoint::random_model::RandomWeights;
use headlamp::naming::{HeadProperties, LEVEL, ModelNames, NAMING_TEXTS, PoolMix, WeightedText, name_heads};
use test_support::reference::{Fixture, largest_difference};

/// The largest difference of a p-value from the exact one, relative to it.
const RELATIVE: f64 = 1e-9;

/// What the reference says about the same heads.
struct Reference {
    mix: PoolMix,
    heads: Vec<Vec<WeightedText>>,
    fixture: Fixture,
}

impl Reference {
    fn open(name: &str) -> Self {
        let fixture = Fixture::open(&format!("naming/{name}"));
        let counts = fixture.counts("counts");
        let texts = pool(&counts, fixture.counts("size")[0]);
        let (properties, weights) = (fixture.values("properties"), fixture.values("weights"));
        let heads =
            properties.chunks(NAMING_TEXTS).zip(weights.chunks(NAMING_TEXTS)).map(|(properties, weights)| {
                let texts = properties.iter().zip(weights).filter(|(property, _)| **property >= -1.0);
                texts
                    .map(|(property, weight)| WeightedText { property: index(*property), weight: *weight })
                    .collect()
            });
        Self { mix: PoolMix::new(counts.len(), &texts), heads: heads.collect(), fixture }
    }

    fn heads(&self) -> Vec<HeadProperties> {
        self.heads.iter().map(|texts| HeadProperties::new(texts, &self.mix)).collect()
    }
}

/// Returns the property of each text of a pool: `counts` texts of each property, and the rest without one.
fn pool(counts: &[usize], size: usize) -> Vec<Option<usize>> {
    let of_property = |(property, count): (usize, &usize)| vec![Some(property); *count];
    let mut texts: Vec<Option<usize>> = counts.iter().enumerate().flat_map(of_property).collect();
    texts.resize(size, None);
    texts
}

/// Reads an index, where -1 means none.
fn index(value: f64) -> Option<usize> {
    (value >= 0.0).then_some(value as usize)
}

fn indices(values: &[f64]) -> Vec<Option<usize>> {
    values.iter().map(|value| index(*value)).collect()
}

fn each_reference(test: impl Fn(&str, &Reference)) {
    ["small", "large"].into_iter().for_each(|name| test(name, &Reference::open(name)));
}

/// Returns heads whose texts are drawn from the pool at random without replacement, with random weights that fall.
fn random_heads(seed: u64, count: usize, texts: &[Option<usize>]) -> Vec<Vec<WeightedText>> {
    let mut random = RandomWeights::new(seed);
    // Uniform in [0, 1).
    let mut next = move || (f64::from(random.draw()) + 1.0) / 2.0;
    let mut head = || {
        let mut left = texts.to_vec();
        let mut weight = 1.0;
        let mut draw = |_| {
            let property = left.swap_remove(((next() * left.len() as f64) as usize).min(left.len() - 1));
            weight *= 0.5 + 0.5 * next();
            WeightedText { property, weight }
        };
        (0..NAMING_TEXTS).map(&mut draw).collect()
    };
    (0..count).map(|_| head()).collect()
}

/// A pool with properties of very different sizes, and texts without one.
fn uneven_pool() -> Vec<Option<usize>> {
    pool(&[2, 5, 20, 40, 80, 160, 400], 800)
}

fn named(heads: &[Vec<WeightedText>], mix: &PoolMix) -> (Vec<HeadProperties>, ModelNames) {
    let heads: Vec<HeadProperties> = heads.iter().map(|texts| HeadProperties::new(texts, mix)).collect();
    let names = name_heads(&heads);
    (heads, names)
}

// --- against the reference ---------------------------------------------------------------------------------

#[test]
fn shares_and_consistency_match_the_reference() {
    each_reference(|name, reference| {
        let heads = reference.heads();
        let shares: Vec<f64> = heads.iter().flat_map(|head| head.shares.clone()).collect();
        assert!(largest_difference(&shares, &reference.fixture.values("shares")) < 1e-9, "{name}");
        let consistency: Vec<f64> = heads.iter().map(|head| head.consistency).collect();
        assert!(largest_difference(&consistency, &reference.fixture.values("consistency")) < 1e-9, "{name}");
        let leading: Vec<Option<usize>> = heads.iter().map(|head| head.leading).collect();
        assert_eq!(leading, indices(&reference.fixture.values("leading")), "{name}");
    });
}

#[test]
fn p_values_match_exact_fractions() {
    each_reference(|name, reference| {
        let mut worst = 0.0_f64;
        for (head, expected) in reference.heads().iter().zip(reference.fixture.values("p")) {
            worst = worst.max((head.p_value / expected - 1.0).abs());
        }
        assert!(worst < RELATIVE, "{name}: {worst}");
        println!("{name}: largest relative difference {worst:.1e}");
    });
}

#[test]
fn names_match_the_reference() {
    each_reference(|name, reference| {
        let ModelNames { names, consistency, entanglement } = name_heads(&reference.heads());
        assert_eq!(names, indices(&reference.fixture.values("names")), "{name}");
        let off = largest_difference(&[consistency, entanglement], &reference.fixture.values("model"));
        assert!(off < 1e-9, "{name}: {off}");
    });
}

// --- synthetic heads with known properties -------------------------------------------------------------------

#[test]
fn pure_heads_are_named_and_mixed_and_empty_heads_are_not() {
    let texts = uneven_pool();
    let mix = PoolMix::new(7, &texts);
    let head = |properties: [Option<usize>; NAMING_TEXTS]| -> Vec<WeightedText> {
        let weight = |place: usize| 0.8_f64.powi(place as i32);
        let text = |(place, property): (usize, Option<usize>)| WeightedText { property, weight: weight(place) };
        properties.into_iter().enumerate().map(text).collect()
    };
    let mut mixed = random_heads(3, 6, &texts);
    let pure = [Some(2); NAMING_TEXTS];
    let mostly = [3, 3, 6, 3, 3, 6, 5, 3, 6, 4].map(Some);
    let mut heads = vec![head(pure), head(mostly), head([None; NAMING_TEXTS]), Vec::new()];
    heads.append(&mut mixed);
    let (heads, model) = named(&heads, &mix);
    assert_eq!(model.names[..4], [Some(2), Some(3), None, None]);
    assert_eq!(model.names[4..], [None; 6]);
    assert!((heads[0].share() - 1.0).abs() < 1e-12 && heads[0].consistency == 1.0);
    assert_eq!((heads[1].consistency, model.consistency), (0.8, 0.9));
    assert_eq!((heads[3].share(), heads[3].p_value), (0.0, 1.0));
}

#[test]
fn a_large_property_needs_a_larger_share() {
    let mix = PoolMix::new(7, &uneven_pool());
    let p_value = |property: usize| {
        let others = [Some(0), Some(1), Some(2), Some(4), Some(5), None];
        let of_place = |place: usize| if place < 4 { Some(property) } else { others[place - 4] };
        let text = |place: usize| WeightedText { property: of_place(place), weight: 1.0 };
        HeadProperties::new(&(0..NAMING_TEXTS).map(text).collect::<Vec<_>>(), &mix).p_value
    };
    // Half of the pool belongs to property 6: a share of 0.4 is less than its mean.
    assert!(p_value(3) < 0.01 && p_value(6) > 0.5, "{} {}", p_value(3), p_value(6));
}

#[test]
fn entanglement_is_one_for_equal_and_zero_for_apart_heads() {
    let mix = PoolMix::new(7, &uneven_pool());
    let pure = |property| vec![WeightedText { property: Some(property), weight: 1.0 }; NAMING_TEXTS];
    let entanglement = |heads: &[Vec<WeightedText>]| named(heads, &mix).1.entanglement;
    assert!((entanglement(&[pure(1), pure(1), pure(1)]) - 1.0).abs() < 1e-12);
    assert_eq!(entanglement(&[pure(1), pure(2), pure(3)]), 0.0);
    assert!((entanglement(&[pure(1), pure(1), pure(3)]) - 1.0 / 3.0).abs() < 1e-12);
    assert_eq!(entanglement(&[pure(1)]), 0.0);
}

// --- properties of any heads and pools ------------------------------------------------------------------------

#[test]
fn random_texts_stand_out_in_at_most_five_per_cent() {
    for (texts, properties) in [(uneven_pool(), 7), (pool(&[30; 20], 600), 20), (pool(&[3, 500], 503), 2)] {
        let mix = PoolMix::new(properties, &texts);
        let count = 4000;
        let heads = random_heads(11, count, &texts);
        let (heads, model) = named(&heads, &mix);
        for level in [0.2, LEVEL, 0.01] {
            let below = heads.iter().filter(|head| head.p_value <= level).count() as f64 / count as f64;
            // Four standard deviations above the level.
            let most = level + 4.0 * (level * (1.0 - level) / count as f64).sqrt();
            assert!(below <= most, "{properties} properties: {below} of the heads at level {level}");
        }
        let names = model.names.iter().flatten().count();
        assert!(names as f64 <= LEVEL * count as f64 / 10.0, "{properties} properties: {names} names");
    }
}

#[test]
fn the_test_is_not_too_careful() {
    let texts = pool(&[30; 20], 600);
    let heads = random_heads(5, 4000, &texts);
    let (heads, _) = named(&heads, &PoolMix::new(20, &texts));
    let below = heads.iter().filter(|head| head.p_value <= LEVEL).count();
    assert!(below > 40, "only {below} of 4000 random heads are below the level of {LEVEL}");
}

#[test]
fn the_order_of_heads_does_not_change_the_names() {
    let texts = uneven_pool();
    let mix = PoolMix::new(7, &texts);
    let mut heads = random_heads(8, 30, &texts);
    let pure = |property| vec![WeightedText { property: Some(property), weight: 0.5 }; NAMING_TEXTS];
    heads.extend((0..6).map(pure));
    let (_, model) = named(&heads, &mix);
    assert!(model.names.iter().flatten().count() >= 6);
    heads.reverse();
    let (_, mut reversed) = named(&heads, &mix);
    reversed.names.reverse();
    assert_eq!(reversed.names, model.names);
    assert!((reversed.entanglement - model.entanglement).abs() < 1e-12);
}

#[test]
fn the_numbering_of_properties_does_not_change_the_names() {
    let texts = uneven_pool();
    let heads = random_heads(9, 200, &texts);
    // Property g becomes 6 - g.
    let renamed = |property: Option<usize>| property.map(|property| 6 - property);
    let other: Vec<Option<usize>> = texts.iter().rev().map(|property| renamed(*property)).collect();
    let rename = |text: &WeightedText| WeightedText { property: renamed(text.property), ..*text };
    let others: Vec<Vec<WeightedText>> = heads.iter().map(|texts| texts.iter().map(rename).collect()).collect();
    let (heads, _) = named(&heads, &PoolMix::new(7, &texts));
    let (others, _) = named(&others, &PoolMix::new(7, &other));
    for (head, other) in heads.iter().zip(&others) {
        assert_eq!(renamed(other.leading), head.leading);
        assert!((head.p_value - other.p_value).abs() < 1e-12 && head.consistency == other.consistency);
    }
}

#[test]
fn the_scale_of_the_variance_does_not_matter() {
    let texts = uneven_pool();
    let mix = PoolMix::new(7, &texts);
    for head in random_heads(10, 50, &texts) {
        let scaled = |text: &WeightedText| WeightedText { weight: text.weight / 1024.0, ..*text };
        let scaled: Vec<WeightedText> = head.iter().map(scaled).collect();
        assert_eq!(HeadProperties::new(&head, &mix), HeadProperties::new(&scaled, &mix));
    }
}

#[test]
fn only_the_first_ten_texts_count() {
    let texts = uneven_pool();
    let mix = PoolMix::new(7, &texts);
    for head in random_heads(12, 20, &texts) {
        let longer = [head.clone(), vec![WeightedText { property: Some(0), weight: 1.0 }; 5]].concat();
        assert_eq!(HeadProperties::new(&head, &mix), HeadProperties::new(&longer, &mix));
    }
}
