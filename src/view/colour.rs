//! Colours of maps that lie over a photo. Straight (not premultiplied) RGBA.
//!
//! Orange and blue are told apart with every kind of colour vision. The stylesheet's `--positive`,
//! `--negative`, `--attention` and `--mask` are these same hues.

/// RGBA, as a canvas holds it.
pub type Rgba = [u8; 4];

/// Speaks for the phrase.
pub const POSITIVE: [u8; 3] = [245, 124, 16];
/// Speaks against it.
pub const NEGATIVE: [u8; 3] = [36, 112, 232];
/// Is looked at.
pub const ATTENTION: [u8; 3] = [188, 92, 255];
/// Is segmented.
pub const MASK: [u8; 3] = [0, 196, 170];

/// Objects, heads and phrases that are told apart by colour alone: Okabe and Ito's palette (2008), which every
/// kind of colour vision tells apart, brightened for dark frames.
pub const SERIES: [[u8; 3]; 8] = [
    [230, 159, 0],
    [86, 180, 233],
    [0, 178, 128],
    [240, 228, 66],
    [64, 132, 224],
    [232, 108, 32],
    [222, 128, 182],
    [150, 150, 150],
];

/// The colour of the object, head or phrase of a number; numbers past the palette's end start over.
pub fn series(index: usize) -> [u8; 3] {
    SERIES[index % SERIES.len()]
}

/// Whether a number's colour is another's before it, so that something else has to tell the two apart.
pub fn starts_over(index: usize) -> bool {
    index >= SERIES.len()
}

/// A colour as a stylesheet takes it.
pub fn css([red, green, blue]: [u8; 3]) -> String {
    format!("rgb({red} {green} {blue})")
}

/// The strongest colour still lets the photo through.
const STRONGEST: f32 = 0.86;

/// The colour of a signed value in [-1, 1]; zero is clear.
pub fn diverging(value: f32) -> Rgba {
    tint(if value < 0.0 { NEGATIVE } else { POSITIVE }, value.abs())
}

/// The colour of an unsigned value in [0, 1]; zero is clear.
pub fn sequential(value: f32) -> Rgba {
    tint(ATTENTION, value)
}

fn tint([red, green, blue]: [u8; 3], strength: f32) -> Rgba {
    // NaN becomes 0 here, and stays clear.
    let alpha = (strength.clamp(0.0, 1.0) * STRONGEST * 255.0).round() as u8;
    [red, green, blue, alpha]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn strength_is_opacity_and_sign_is_hue() {
        assert_eq!(diverging(0.0)[3], 0);
        assert_eq!(diverging(0.5)[3], diverging(-0.5)[3]);
        assert!(diverging(0.5)[3] < diverging(1.0)[3]);
        assert_eq!(diverging(1.0)[..3], POSITIVE);
        assert_eq!(diverging(-1.0)[..3], NEGATIVE);
    }

    #[test]
    fn values_out_of_range_are_held_and_nan_is_clear() {
        assert_eq!(sequential(7.0), sequential(1.0));
        assert_eq!(sequential(-1.0)[3], 0);
        assert_eq!(diverging(f32::NAN)[3], 0);
    }
}
