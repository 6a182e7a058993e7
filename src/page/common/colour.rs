//! Colours of the maps over a photo, as straight (not premultiplied) RGBA.
//!
//! Signed values are orange and blue, which every kind of colour vision distinguishes. Values with one sign use
//! viridis (van der Walt and Smith, 2015), whose lightness rises evenly: they are readable without
//! any colour vision. The stylesheet's `--positive`, `--negative` and `--mask` are the same hues.

/// RGBA, as a canvas stores it.
pub type Rgba = [u8; 4];

/// The colour of values that add to a score.
pub const POSITIVE: [u8; 3] = [245, 124, 16];
/// The colour of values that reduce a score.
pub const NEGATIVE: [u8; 3] = [36, 112, 232];
/// The colour of the foreground of a segmentation.
pub const MASK: [u8; 3] = [0, 196, 170];

/// Colours for objects, heads and phrases: the palette of Okabe and Ito (2008), which every
/// kind of colour vision distinguishes, brightened for dark frames.
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

/// Returns the colour of a number; after the last colour of the palette, the colours start again.
pub fn series(index: usize) -> [u8; 3] {
    SERIES[index % SERIES.len()]
}

/// Returns whether an earlier number has the same colour, so that the line also needs another pattern.
pub fn starts_over(index: usize) -> bool {
    index >= SERIES.len()
}

/// Colours for the properties of heads. The distance between any two is large for every kind of colour vision
/// (the unit test states how large), and each stands out from a light and from a dark page.
pub const PROPERTIES: [[u8; 3]; 8] = [
    [250, 150, 0],
    [0, 75, 200],
    [0, 200, 200],
    [175, 0, 0],
    [125, 50, 100],
    [25, 150, 225],
    [175, 150, 100],
    [50, 0, 250],
];

/// Returns a colour in CSS.
pub fn css([red, green, blue]: [u8; 3]) -> String {
    format!("rgb({red} {green} {blue})")
}

/// The alpha of the strongest colour: the photo shows through.
const STRONGEST: f32 = 0.86;

/// Returns the colour of a signed value in [-1, 1]; zero is transparent.
pub fn diverging(value: f32) -> Rgba {
    tint(if value < 0.0 { NEGATIVE } else { POSITIVE }, value.abs())
}

/// Returns the colour of an unsigned value in [0, 1]: viridis, and transparent at zero.
pub fn sequential(value: f32) -> Rgba {
    // NaN becomes 0 here. The root makes weak values visible; hue and lightness still show how weak they are.
    let value = value.clamp(0.0, 1.0).max(0.0);
    tint(viridis(value), value.sqrt())
}

/// Viridis at every eighth of its length, from dark to light.
const VIRIDIS: [[u8; 3]; 9] = [
    [68, 1, 84],
    [71, 44, 122],
    [59, 81, 139],
    [44, 113, 142],
    [33, 144, 141],
    [39, 173, 129],
    [92, 200, 99],
    [170, 220, 50],
    [253, 231, 37],
];

/// Returns viridis at a position in [0, 1].
pub fn viridis(place: f32) -> [u8; 3] {
    let place = place.clamp(0.0, 1.0) * (VIRIDIS.len() - 1) as f32;
    let first = (place as usize).min(VIRIDIS.len() - 2);
    let across = place - first as f32;
    let mix = |channel: usize| {
        let (from, to) = (f32::from(VIRIDIS[first][channel]), f32::from(VIRIDIS[first + 1][channel]));
        (from + (to - from) * across).round() as u8
    };
    [mix(0), mix(1), mix(2)]
}

/// A colour scale, for legends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ramp {
    /// From the most negative to the most positive value.
    Diverging,
    /// From zero to the largest value.
    Sequential,
}

impl Ramp {
    /// Returns the colour at a position in [0, 1] of the scale, over the grey photo.
    pub fn at(self, place: f32) -> [u8; 3] {
        const GREY: f32 = 128.0;
        let [red, green, blue, alpha] = match self {
            Self::Diverging => diverging(2.0 * place - 1.0),
            Self::Sequential => sequential(place),
        };
        let share = f32::from(alpha) / 255.0;
        [red, green, blue].map(|channel| (f32::from(channel) * share + GREY * (1.0 - share)).round() as u8)
    }

    /// Returns the scale as a CSS background, left to right.
    pub fn css(self) -> String {
        let stops: Vec<String> = (0..=8).map(|stop| css(self.at(stop as f32 / 8.0))).collect();
        format!("linear-gradient(to right, {})", stops.join(", "))
    }
}

fn tint([red, green, blue]: [u8; 3], strength: f32) -> Rgba {
    // NaN becomes 0 here, and is transparent.
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

    /// Linear RGB as a dichromat sees it: Viénot, Brettel and Mollon (1999), protanopia and deuteranopia.
    fn seen_by_dichromats(colour: [u8; 3]) -> [[f64; 3]; 2] {
        const PROTAN: [[f64; 3]; 3] = [[0.11238, 0.88762, 0.0], [0.11238, 0.88762, 0.0], [0.00401, -0.00401, 1.0]];
        const DEUTAN: [[f64; 3]; 3] = [[0.29275, 0.70725, 0.0], [0.29275, 0.70725, 0.0], [-0.02234, 0.02234, 1.0]];
        let linear = linear(colour);
        [PROTAN, DEUTAN].map(|matrix| matrix.map(|row| row.iter().zip(&linear).map(|(a, b)| a * b).sum()))
    }

    #[test]
    fn dichromats_tell_the_signs_apart() {
        for [positive, negative] in
            [0, 1].map(|kind| [POSITIVE, NEGATIVE].map(|hue| seen_by_dichromats(hue)[kind]))
        {
            // Dichromats still see the axis from yellow to blue. The two colours are on different sides of grey on
            // this axis.
            let yellow_less_blue = |[red, _, blue]: [f64; 3]| red - blue;
            assert!(yellow_less_blue(positive) > 0.2 && yellow_less_blue(negative) < -0.2);
        }
    }

    /// Returns a linear RGB colour in CIELAB (D65).
    fn lab(linear: [f64; 3]) -> [f64; 3] {
        const XYZ: [[f64; 3]; 3] = [[0.4124, 0.3576, 0.1805], [0.2126, 0.7152, 0.0722], [0.0193, 0.1192, 0.9505]];
        const WHITE: [f64; 3] = [0.9505, 1.0, 1.089];
        let root = |value: f64| if value > 0.008_856 { value.cbrt() } else { 7.787 * value + 16.0 / 116.0 };
        let row = |at: usize| XYZ[at].iter().zip(&linear).map(|(a, b)| a * b).sum::<f64>() / WHITE[at];
        let [x, y, z] = [0, 1, 2].map(|at| root(row(at)));
        [116.0 * y - 16.0, 500.0 * (x - y), 200.0 * (y - z)]
    }

    fn distance(a: [f64; 3], b: [f64; 3]) -> f64 {
        lab(a).iter().zip(lab(b)).map(|(a, b)| (a - b).powi(2)).sum::<f64>().sqrt()
    }

    fn linear(colour: [u8; 3]) -> [f64; 3] {
        colour.map(|channel| (f64::from(channel) / 255.0).powf(2.2))
    }

    /// A distance of 2 in CIELAB is just visible.
    #[test]
    fn every_eye_tells_the_properties_colours_apart() {
        for (index, a) in PROPERTIES.iter().enumerate() {
            for b in &PROPERTIES[..index] {
                let seen = seen_by_dichromats(*a).into_iter().zip(seen_by_dichromats(*b));
                let pairs = [(linear(*a), linear(*b))].into_iter().chain(seen);
                for (a_seen, b_seen) in pairs {
                    let apart = distance(a_seen, b_seen);
                    assert!(apart > 30.0, "{a:?} and {b:?}: {apart}");
                }
            }
        }
    }

    /// The surfaces of the light and of the dark theme in www/style.css.
    #[test]
    fn properties_stand_out_from_both_themes() {
        let luminance =
            |colour| 0.05 + linear(colour).iter().zip([0.2126, 0.7152, 0.0722]).map(|(a, b)| a * b).sum::<f64>();
        for surface in [[255, 255, 255], [26, 28, 31]].map(luminance) {
            for colour in PROPERTIES {
                let (a, b) = (surface.max(luminance(colour)), surface.min(luminance(colour)));
                assert!(a / b > 1.9, "{colour:?}: contrast {}", a / b);
            }
        }
    }

    #[test]
    fn one_sided_values_grow_lighter_for_every_eye() {
        let lightness = |[red, green, blue]: [f64; 3]| 0.2126 * red + 0.7152 * green + 0.0722 * blue;
        let colours: Vec<_> = (0..=100).map(|place| viridis(place as f32 / 100.0)).collect();
        for pair in colours.windows(2) {
            for kind in [0, 1] {
                let [before, after] = [pair[0], pair[1]].map(|colour| lightness(seen_by_dichromats(colour)[kind]));
                assert!(after > before, "{pair:?}");
            }
        }
        assert_eq!((viridis(0.0), viridis(1.0)), (VIRIDIS[0], VIRIDIS[8]));
    }

    #[test]
    fn a_legends_middle_is_the_bare_grey_for_signed_values() {
        assert_eq!(Ramp::Diverging.at(0.5), [128, 128, 128]);
        assert_eq!(Ramp::Sequential.at(0.0), [128, 128, 128]);
        assert!(Ramp::Diverging.css().starts_with("linear-gradient(to right, rgb("));
    }

    #[test]
    fn values_out_of_range_are_clamped_and_nan_is_clear() {
        assert_eq!(sequential(7.0), sequential(1.0));
        assert_eq!(sequential(-1.0)[3], 0);
        assert_eq!(diverging(f32::NAN)[3], 0);
    }
}
