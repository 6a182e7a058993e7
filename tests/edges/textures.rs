//! Seeded noise: textures of generated scenes, and errors of simulated maps.

/// Returns noise in three octaves, from 0 to 1. `scale` is the number of pixels between independent values.
pub fn texture(x: usize, y: usize, scale: f64, seed: u64) -> f64 {
    let octave = |octave: i32| {
        let scale = scale / 2.0_f64.powi(octave);
        smooth(x as f64 / scale, y as f64 / scale, seed * 7 + octave as u64) / 2.0_f64.powi(octave)
    };
    (0..3).map(octave).sum::<f64>() / 1.75
}

/// Interpolates random values at integer positions.
fn smooth(x: f64, y: f64, seed: u64) -> f64 {
    let (left, top) = (x.floor(), y.floor());
    let (across, down) = (x - left, y - top);
    let at = |dx: f64, dy: f64| random((left + dx) as u64, (top + dy) as u64, seed);
    let row = |dy: f64| at(0.0, dy) * (1.0 - across) + at(1.0, dy) * across;
    row(0.0) * (1.0 - down) + row(1.0) * down
}

/// Returns a random value from 0 to 1: SplitMix64 of a position.
pub fn random(x: u64, y: u64, seed: u64) -> f64 {
    let mut state = x.wrapping_mul(0x9e37_79b9_7f4a_7c15)
        ^ y.wrapping_mul(0xc2b2_ae3d_27d4_eb4f)
        ^ (seed + 1).wrapping_mul(0x1656_67b1_9e37_79f9);
    state = (state ^ (state >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    state = (state ^ (state >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    (state ^ (state >> 31)) as f64 / u64::MAX as f64
}

/// Returns a random value with mean 0 and deviation 1: a sum of uniform values.
pub fn normal(x: u64, y: u64, seed: u64) -> f64 {
    (0..12).map(|draw| random(x, y, seed * 12 + draw)).sum::<f64>() - 6.0
}
