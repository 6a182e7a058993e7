//! Random numbers that are the same on every machine, and random splits of the pictures.

/// The number of parts of the training pictures. Each part in turn is held out to choose settings.
pub(super) const FOLDS: usize = 5;

/// The smallest number of pictures. Parts of fewer pictures would not be meaningful.
pub(super) const FEWEST: usize = 2 * FOLDS;

/// A random number generator (SplitMix64).
pub struct Shuffle {
    state: u64,
}

impl Shuffle {
    pub fn new(seed: u64) -> Self {
        Self { state: seed }
    }

    fn next(&mut self) -> u64 {
        self.state = self.state.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.state;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^ (z >> 31)
    }

    /// Returns a normally distributed number (Box and Muller).
    pub fn normal(&mut self) -> f64 {
        // In (0, 1], because the logarithm of zero is not finite.
        let mut uniform = || ((self.next() >> 11) + 1) as f64 / (1_u64 << 53) as f64;
        (-2.0 * uniform().ln()).sqrt() * (std::f64::consts::TAU * uniform()).cos()
    }

    /// Returns the numbers from 0 up to `count` in random order (Fisher and Yates).
    pub fn order(&mut self, count: usize) -> Vec<usize> {
        let mut order: Vec<usize> = (0..count).collect();
        for last in (1..count).rev() {
            let chosen = (u128::from(self.next()) * (last as u128 + 1)) >> 64;
            order.swap(last, chosen as usize);
        }
        order
    }
}

/// Splits the numbers below `count` at random into a set to learn from and a held-out set with `share` of them.
/// Both are in ascending order.
pub fn held_out(count: usize, share: f64, seed: u64) -> (Vec<usize>, Vec<usize>) {
    let out = ((count as f64 * share).round() as usize).min(count);
    let order = Shuffle::new(seed ^ 0x5EED).order(count);
    let (held_out, rest) = order.split_at(out);
    let sorted = |list: &[usize]| {
        let mut list = list.to_vec();
        list.sort_unstable();
        list
    };
    (sorted(rest), sorted(held_out))
}

/// Splits the numbers below `count` into `folds` parts. Returns (rest, part) for each part.
pub fn folds(count: usize, folds: usize, seed: u64) -> Vec<(Vec<usize>, Vec<usize>)> {
    let order = Shuffle::new(seed).order(count);
    (0..folds)
        .map(|fold| {
            let is_in = |place: usize| place % folds == fold;
            let pick = |wanted: bool| {
                order
                    .iter()
                    .enumerate()
                    .filter(|(place, _)| is_in(*place) == wanted)
                    .map(|(_, thing)| *thing)
                    .collect()
            };
            (pick(false), pick(true))
        })
        .collect()
}
