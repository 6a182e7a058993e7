//! Properties of the guided filter and of refined maps.

use headlamp::edges::{EdgeGuide, Pixels, guide_size};
use headlamp::geometry::{CropFromPhoto, Framing, Grid, LongSide, Size};
use headlamp::guided_filter::GuideWindows;
use headlamp::media::{self, Photo};
use headlamp::segment::{SoftMap, mask_in_photo, soft_map};
use headlamp::track::SoftMasks;

use crate::textures::random;

const SIZE: Size = Size { width: 40, height: 30 };

/// Returns random bytes.
fn noise(count: usize, seed: u64) -> Vec<u8> {
    (0..count).map(|at| (random(at as u64, 0, seed) * 255.0) as u8).collect()
}

fn windows(radius: usize) -> GuideWindows {
    GuideWindows::new(&noise(SIZE.width * SIZE.height * 3, 1), SIZE, radius, 1e-3)
}

fn random_map(seed: u64) -> Vec<f32> {
    (0..SIZE.width * SIZE.height).map(|at| random(at as u64, 1, seed) as f32).collect()
}

#[test]
fn a_constant_map_stays_constant() {
    for radius in [0, 1, 5, 100] {
        for [red, green, blue, offset] in windows(radius).coefficients(&vec![0.3; SIZE.width * SIZE.height]).values
        {
            let slope = red.abs().max(green.abs()).max(blue.abs());
            assert!(slope < 1e-4 && (offset - 0.3).abs() < 1e-4, "radius {radius}: {slope}, {offset}");
        }
    }
}

#[test]
fn coefficients_are_linear_in_the_map() {
    let (one, other) = (random_map(2), random_map(3));
    let sum: Vec<f32> = one.iter().zip(&other).map(|(one, other)| 0.7 * one - 1.5 * other).collect();
    let windows = windows(4);
    let of = |map: &[f32]| windows.coefficients(map).values;
    for ((one, other), sum) in of(&one).iter().zip(of(&other)).zip(of(&sum)) {
        for entry in 0..4 {
            let expected = 0.7 * one[entry] - 1.5 * other[entry];
            assert!((sum[entry] - expected).abs() < 1e-4, "{} instead of {expected}", sum[entry]);
        }
    }
}

#[test]
fn a_guide_without_edges_only_smooths() {
    let guide = vec![90; SIZE.width * SIZE.height * 3];
    let (radius, map) = (3, random_map(4));
    let found = GuideWindows::new(&guide, SIZE, radius, 1e-3).coefficients(&map);
    let mean = |values: &dyn Fn(usize) -> f64, at: usize| {
        let (x, y) = (at % SIZE.width, at / SIZE.width);
        let rows = y.saturating_sub(radius)..(y + radius + 1).min(SIZE.height);
        let columns = x.saturating_sub(radius)..(x + radius + 1).min(SIZE.width);
        let all: Vec<f64> =
            rows.flat_map(|y| columns.clone().map(move |x| y * SIZE.width + x)).map(values).collect();
        all.iter().sum::<f64>() / all.len() as f64
    };
    let once = |at: usize| mean(&|at| f64::from(map[at]), at);
    for (at, [red, green, blue, offset]) in found.values.iter().enumerate() {
        let output = f64::from((red + green + blue) * 90.0 / 255.0 + offset);
        let expected = mean(&once, at);
        assert!((output - expected).abs() < 1e-5, "{output} instead of the mean of means {expected}");
    }
}

/// A photo of random pixels, the frame of its centre crop or of the whole, and a map of random scores.
fn example(photo: Size, framing: Framing) -> (Photo, CropFromPhoto, SoftMap) {
    let frame = CropFromPhoto::new(photo, framing, 28, 7, LongSide::Truncated);
    let scores: Vec<f64> = (0..frame.grid().len()).map(|at| random(at as u64, 2, 5) - 0.3).collect();
    let map = soft_map(&scores, frame.grid(), 7);
    (Photo { size: photo, held: photo, rgb: noise(photo.width * photo.height * 3, 6) }, frame, map)
}

const PHOTOS: [Size; 4] = [
    Size { width: 90, height: 60 },
    Size { width: 31, height: 77 },
    Size { width: 5, height: 3 },
    Size { width: 300, height: 1 },
];

#[test]
fn refined_maps_stay_between_zero_and_one() {
    for (photo, framing) in
        PHOTOS.into_iter().flat_map(|size| [(size, Framing::CentreCrop), (size, Framing::WholePhoto)])
    {
        let (photo, frame, map) = example(photo, framing);
        let refined = media::edge_guide(&photo, &frame).unwrap().refine(&map);
        let soft = refined.soft_in_photo(photo.pixels());
        assert_eq!(soft.len(), photo.size.width * photo.size.height);
        assert!(soft.iter().all(|value| (0.0..=1.0).contains(value)), "{:?}", photo.size);
        let mask = refined.mask_in_photo(photo.pixels(), map.threshold);
        let expected: Vec<u8> = soft.iter().map(|value| if *value > map.threshold { 255 } else { 0 }).collect();
        assert_eq!(mask, expected);
    }
}

#[test]
fn the_preview_equals_the_photo_where_their_pixels_agree() {
    // The preview has the photo's own pixels. So the map on screen must be the map that is saved.
    for framing in [Framing::CentreCrop, Framing::WholePhoto] {
        let (photo, frame, map) = example(PHOTOS[0], framing);
        let refined = media::edge_guide(&photo, &frame).unwrap().refine(&map);
        let (shown, saved) = (refined.in_picture(photo.pixels()), refined.soft_in_photo(photo.pixels()));
        let (left, top) = (shown.in_photo.left as usize, shown.in_photo.top as usize);
        for (at, value) in shown.values.iter().enumerate() {
            let (x, y) = (left + at % shown.size.width, top + at / shown.size.width);
            assert_eq!(*value, saved[y * photo.size.width + x], "{x}, {y}");
        }
        let inside = saved.iter().filter(|value| **value > 0.0).count();
        assert!(inside <= shown.values.len(), "values outside the crop");
        // Outside the crop there is nothing.
        let rect = frame.crop_in_photo();
        let crop = rect.width * rect.height;
        assert!((shown.values.len() as f64 - crop).abs() <= rect.width + rect.height, "{:?}", shown.size);
    }
}

#[test]
fn an_even_photo_keeps_an_even_map() {
    let (mut photo, frame, _) = example(PHOTOS[0], Framing::WholePhoto);
    photo.rgb.fill(70);
    let map = soft_map(&vec![0.2; frame.grid().len()], frame.grid(), 7);
    let guide = media::edge_guide(&photo, &frame).unwrap();
    let mask = guide.refine(&map).mask_in_photo(photo.pixels(), map.threshold);
    assert_eq!(mask, mask_in_photo(&map, &frame, map.threshold), "a map that is positive everywhere");
    let empty = soft_map(&vec![-0.2; frame.grid().len()], frame.grid(), 7);
    let mask = guide.refine(&empty).mask_in_photo(photo.pixels(), empty.threshold);
    assert!(mask.iter().all(|value| *value == 0), "a map without a positive score");
    assert!(guide.refined_track(&vec![0.1; frame.grid().len()]).iter().all(|value| *value == 0), "an even track");
}

#[test]
fn a_photo_held_at_reduced_size_keeps_its_own_size() {
    let (photo, frame, map) = example(Size { width: 90, height: 60 }, Framing::WholePhoto);
    let held = media::preview(&photo, 45).unwrap();
    let guide = media::edge_guide(&held, &frame).unwrap();
    let mask = guide.refine(&map).mask_in_photo(held.pixels(), map.threshold);
    assert_eq!(mask.len(), 90 * 60);
}

#[test]
fn an_edge_moves_to_the_photos_edge() {
    // The object ends within the fourth column of patches. The map puts its end between patches.
    let size = Size { width: 160, height: 80 };
    let end = 73;
    let colour = |at: usize| if at % size.width < end { [190, 80, 40] } else { [40, 90, 170] };
    let rgb: Vec<u8> = (0..size.width * size.height).flat_map(colour).collect();
    let photo = Photo { size, held: size, rgb };
    let frame = CropFromPhoto::new(size, Framing::WholePhoto, 28, 7, LongSide::Truncated);
    let grid = frame.grid();
    assert_eq!(grid, Grid { rows: 4, columns: 8 });
    let scores: Vec<f64> = (0..grid.len()).map(|at| if at % 8 < 3 { 1.0 } else { 0.0 }).collect();
    let map = soft_map(&scores, grid, 7);
    let guide = media::edge_guide(&photo, &frame).unwrap();
    let mask = guide.refine(&map).mask_in_photo(photo.pixels(), map.threshold);
    for (at, value) in mask.iter().enumerate() {
        assert_eq!(*value > 0, at % size.width < end, "column {}", at % size.width);
    }
    // The same for an object's track and for a propagated mask, in points of the frame.
    let track: Vec<f32> = scores.iter().map(|score| *score as f32 / 12.0).collect();
    let in_photo = guide.track_in_photo(&track);
    let background: Vec<f32> = scores.iter().map(|score| 1.0 - *score as f32).collect();
    let own: Vec<f32> = scores.iter().map(|score| *score as f32).collect();
    let masks = SoftMasks { grid, channels: 2, values: [background, own].concat() };
    let labels = masks.refined(&guide).labels_in_photo(&frame);
    for (at, (is_in, label)) in in_photo.iter().zip(labels).enumerate() {
        let column = at % size.width;
        // A point is 2.5 pixels wide.
        if column.abs_diff(end) > 2 {
            assert_eq!((*is_in, label == 1), (column < end, column < end), "column {column}");
        }
    }
}

#[test]
fn memory_besides_the_result_is_one_row_of_pixels() {
    // 40 megapixels of one colour; the picture in memory has one pixel. A second map of this size would take 160 MB.
    let photo = Size { width: 8000, height: 5000 };
    let frame = CropFromPhoto::new(photo, Framing::WholePhoto, 28, 7, LongSide::Truncated);
    let Size { width, height } = guide_size(&frame);
    let guide = EdgeGuide::new(frame, vec![60; width * height * 3]);
    let map = soft_map(&(0..frame.grid().len()).map(|at| at as f64).collect::<Vec<_>>(), frame.grid(), 7);
    let picture = Pixels { rgb: &[60, 60, 60], size: Size { width: 1, height: 1 } };
    let before = peak();
    let mask = guide.refine(&map).mask_in_photo(picture, map.threshold);
    assert_eq!(mask.len(), 8000 * 5000);
    let grown = peak() - before;
    assert!(grown < 100 << 20, "{} MB more than before", grown >> 20);
}

/// Returns the largest memory of this process so far, in bytes; 0 if the system does not tell.
fn peak() -> usize {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    line.and_then(|line| line.split_whitespace().next()?.parse::<usize>().ok())
        .map_or(0, |kilobytes| kilobytes << 10)
}
