//! The guided filter compared with a least-squares solution of each window.

use headlamp::geometry::Size;
use headlamp::guided_filter::{GuideWindows, PixelLine};
use test_support::reference::{Fixture, largest_difference};

const GUIDE: Size = Size { width: 19, height: 14 };
const PICTURE: Size = Size { width: 47, height: 33 };

/// Sums of f32 products differ from the reference's f64 by at most this much.
const TOLERANCE: f64 = 5e-5;

fn bytes(fixture: &Fixture, key: &str) -> Vec<u8> {
    fixture.values(key).into_iter().map(|value| value as u8).collect()
}

#[test]
fn coefficients_and_output_match_the_reference() {
    let fixture = Fixture::open("guided_filter");
    let parameters = fixture.values("parameters");
    let (radius, epsilon) = (parameters[0] as usize, parameters[1] as f32);
    let windows = GuideWindows::new(&bytes(&fixture, "guide"), GUIDE, radius, epsilon);
    let map: Vec<f32> = fixture.values("map").into_iter().map(|value| value as f32).collect();
    let coefficients = windows.coefficients(&map);
    let found: Vec<f64> = coefficients.values.iter().flatten().map(|value| f64::from(*value)).collect();
    let off = largest_difference(&found, &fixture.values("coefficients"));
    assert!(off < TOLERANCE, "the coefficients differ by {off}");

    let lines = |pixels: usize, points: usize| {
        let place = |pixel: usize| (pixel as f64 + 0.5) * points as f64 / pixels as f64;
        (0..pixels).map(|pixel| PixelLine { source: pixel, place: place(pixel) }).collect::<Vec<_>>()
    };
    let (rows, columns) = (lines(PICTURE.height, GUIDE.height), lines(PICTURE.width, GUIDE.width));
    let mut filtered = Vec::new();
    let picture = bytes(&fixture, "picture");
    coefficients.apply(&picture, PICTURE.width, &rows, &columns, |row| {
        filtered.extend(row.iter().map(|value| f64::from(*value)));
    });
    let off_output = largest_difference(&filtered, &fixture.values("filtered"));
    assert!(off_output < TOLERANCE, "the output differs by {off_output}");
    println!("largest difference: coefficients {off:.1e}, output {off_output:.1e}");
}
