//! The guided filter with a colour guide (docs/PAPERS.md, 1.16): smooths a map, but not across the edges of a picture.
//!
//! The filter is fast because it has two resolutions, as in the fast guided filter. The coefficients are computed on a
//! coarse grid and interpolated; they are applied to the pixels of a picture of any size.

use crate::geometry::Size;

/// The guide on a coarse grid: its colours, and their mean and covariance in the window around each point.
#[derive(Clone, Debug)]
pub struct GuideWindows {
    size: Size,
    radius: usize,
    /// The colours in `[0, 1]`, `[point]`.
    colours: Vec<[f32; 3]>,
    /// The mean colours of the windows, `[point]`.
    means: Vec<[f32; 3]>,
    /// The inverse of each window's covariance plus epsilon on the diagonal, `[point]`. A symmetric matrix: the upper
    /// triangle, row by row.
    inverses: Vec<[f32; 6]>,
}

/// The coefficients of the filter for one map: the output is `a · colour + b`. One entry per point of the coarse grid:
/// the three values of `a`, then `b`.
#[derive(Clone, Debug, PartialEq)]
pub struct Coefficients {
    pub size: Size,
    pub values: Vec<[f32; 4]>,
}

impl GuideWindows {
    /// Prepares a guide of RGB bytes, `[row][column]`. A window has `2 radius + 1` points on each side; windows at the
    /// border are cut off. `epsilon` is a variance of colours in `[0, 1]`: where the colours vary less, the filter
    /// smooths.
    pub fn new(rgb: &[u8], size: Size, radius: usize, epsilon: f32) -> Self {
        let (pixels, _) = rgb.as_chunks::<3>();
        let colours: Vec<[f32; 3]> =
            pixels.iter().map(|pixel| pixel.map(|byte| f32::from(byte) / 255.0)).collect();
        let means = window_means(&colours, size, radius);
        let products: Vec<[f32; 6]> = colours.iter().map(products).collect();
        let products = window_means(&products, size, radius);
        let inverse = |(mean, product): (&[f32; 3], &[f32; 6])| {
            let of_mean = self::products(mean);
            let mut covariance: [f64; 6] =
                std::array::from_fn(|entry| f64::from(product[entry]) - f64::from(of_mean[entry]));
            for entry in DIAGONAL {
                // Rounding must not make a variance negative.
                covariance[entry] = covariance[entry].max(0.0) + f64::from(epsilon);
            }
            inverted(covariance)
        };
        let inverses = means.iter().zip(&products).map(inverse).collect();
        Self { size, radius, colours, means, inverses }
    }

    /// Computes the coefficients for a map, `[row][column]` on the grid of the guide. The coefficients are linear in the
    /// map.
    pub fn coefficients(&self, map: &[f32]) -> Coefficients {
        let with_map = |(value, [x, y, z]): (&f32, &[f32; 3])| [x * value, y * value, z * value, *value];
        let products: Vec<[f32; 4]> = map.iter().zip(&self.colours).map(with_map).collect();
        let products = window_means(&products, self.size, self.radius);
        let fit = |((product, colour), inverse): ((&[f32; 4], &[f32; 3]), &[f32; 6])| {
            let mean = product[3];
            let [x, y, z]: [f32; 3] = std::array::from_fn(|channel| product[channel] - colour[channel] * mean);
            let [xx, xy, xz, yy, yz, zz] = inverse;
            let a = [xx * x + xy * y + xz * z, xy * x + yy * y + yz * z, xz * x + yz * y + zz * z];
            [a[0], a[1], a[2], mean - dot(a, *colour)]
        };
        let fitted: Vec<[f32; 4]> = products.iter().zip(&self.means).zip(&self.inverses).map(fit).collect();
        Coefficients { size: self.size, values: window_means(&fitted, self.size, self.radius) }
    }
}

/// The places of the diagonal in the upper triangle of a 3 x 3 matrix, row by row.
const DIAGONAL: [usize; 3] = [0, 3, 5];

/// Returns the products of all pairs of channels: the upper triangle of a matrix, row by row.
fn products([x, y, z]: &[f32; 3]) -> [f32; 6] {
    [x * x, x * y, x * z, y * y, y * z, z * z]
}

/// The position of a row or column of pixels.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct PixelLine {
    /// The index of the picture's row or column that has the colours.
    pub source: usize,
    /// The position on the coarse grid, where point `i` covers `[i, i + 1)`.
    pub place: f64,
}

impl Coefficients {
    /// Applies the coefficients to the pixels of a picture, RGB bytes with `width` pixels per row. Calls `take` with each
    /// row of `rows` in order: the values of the pixels in `columns`, clamped to `[0, 1]`. At most one row is in memory.
    pub fn apply(
        &self,
        rgb: &[u8],
        width: usize,
        rows: &[PixelLine],
        columns: &[PixelLine],
        mut take: impl FnMut(&[f32]),
    ) {
        let (pixels, _) = rgb.as_chunks::<3>();
        let across: Vec<(usize, Between)> =
            columns.iter().map(|column| (column.source, Between::of(column.place, self.size.width))).collect();
        let mut line = vec![[0.0; 4]; self.size.width];
        let mut values = vec![0.0; columns.len()];
        for row in rows {
            let down = Between::of(row.place, self.size.height);
            let of_grid = |row: usize| &self.values[row * self.size.width..][..self.size.width];
            for (value, (upper, lower)) in
                line.iter_mut().zip(of_grid(down.first).iter().zip(of_grid(down.second)))
            {
                *value = mixed(*upper, *lower, down.share);
            }
            let colours = &pixels[row.source * width..][..width];
            for (value, (source, at)) in values.iter_mut().zip(&across) {
                let [red, green, blue, offset] = mixed(line[at.first], line[at.second], at.share);
                let colour = colours[*source].map(f32::from);
                *value = (dot([red, green, blue], colour) / 255.0 + offset).clamp(0.0, 1.0);
            }
            take(&values);
        }
    }
}

/// The two points around a position, and the weight of the second.
#[derive(Clone, Copy, Debug)]
struct Between {
    first: usize,
    second: usize,
    share: f32,
}

impl Between {
    /// Point `i` has its centre at `i + 0.5`. The values at the border continue outwards.
    fn of(place: f64, length: usize) -> Self {
        let place = (place - 0.5).clamp(0.0, (length - 1) as f64);
        let first = place as usize;
        Self { first, second: (first + 1).min(length - 1), share: (place - first as f64) as f32 }
    }
}

fn mixed(one: [f32; 4], other: [f32; 4], share: f32) -> [f32; 4] {
    std::array::from_fn(|entry| one[entry] + (other[entry] - one[entry]) * share)
}

fn dot(a: [f32; 3], b: [f32; 3]) -> f32 {
    a[0] * b[0] + a[1] * b[1] + a[2] * b[2]
}

/// Inverts a symmetric 3 x 3 matrix, given and returned as its upper triangle. The matrix is positive definite.
fn inverted([xx, xy, xz, yy, yz, zz]: [f64; 6]) -> [f32; 6] {
    let minors = [
        yy * zz - yz * yz,
        xz * yz - xy * zz,
        xy * yz - xz * yy,
        xx * zz - xz * xz,
        xy * xz - xx * yz,
        xx * yy - xy * xy,
    ];
    let determinant = xx * minors[0] + xy * minors[1] + xz * minors[2];
    minors.map(|minor| (minor / determinant) as f32)
}

/// Returns the mean of the window around each point, `[row][column]`. The running sums make the cost independent of the
/// radius.
fn window_means<const N: usize>(values: &[[f32; N]], size: Size, radius: usize) -> Vec<[f32; N]> {
    let Size { width, height } = size;
    let shares = window_shares(width, radius);
    let mut across = Vec::with_capacity(values.len());
    for row in values.chunks_exact(width.max(1)) {
        let mut sum = [0.0; N];
        row.iter().take(radius).for_each(|value| add(&mut sum, value, 1.0));
        for (x, share) in shares.iter().enumerate() {
            if let Some(entering) = row.get(x + radius) {
                add(&mut sum, entering, 1.0);
            }
            if let Some(leaving) = x.checked_sub(radius + 1) {
                add(&mut sum, &row[leaving], -1.0);
            }
            across.push(sum.map(|sum| (sum * share) as f32));
        }
    }
    let mut sums = vec![[0.0; N]; width];
    let add_row = |sums: &mut [[f64; N]], y: usize, sign: f64| {
        sums.iter_mut().zip(&across[y * width..]).for_each(|(sum, value)| add(sum, value, sign));
    };
    (0..radius.min(height)).for_each(|y| add_row(&mut sums, y, 1.0));
    let mut means = Vec::with_capacity(values.len());
    for (y, share) in window_shares(height, radius).into_iter().enumerate() {
        if y + radius < height {
            add_row(&mut sums, y + radius, 1.0);
        }
        if let Some(leaving) = y.checked_sub(radius + 1) {
            add_row(&mut sums, leaving, -1.0);
        }
        means.extend(sums.iter().map(|sum| sum.map(|sum| (sum * share) as f32)));
    }
    means
}

fn add<const N: usize>(sum: &mut [f64; N], value: &[f32; N], sign: f64) {
    sum.iter_mut().zip(value).for_each(|(sum, value)| *sum += sign * f64::from(*value));
}

/// Returns 1 / (number of points of the window) along one side, for each position. The border cuts windows off.
fn window_shares(length: usize, radius: usize) -> Vec<f64> {
    let points = |at: usize| (at + radius + 1).min(length) - at.saturating_sub(radius);
    (0..length).map(|at| 1.0 / points(at) as f64).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn window_means_are_cut_off_at_the_border() {
        let size = Size { width: 3, height: 2 };
        let values = [1.0, 2.0, 3.0, 4.0, 5.0, 6.0].map(|value| [value, -value]);
        let means =
            |radius| window_means(&values, size, radius).into_iter().map(|[mean, _]| mean).collect::<Vec<_>>();
        assert_eq!(means(1), [3.0, 3.5, 4.0, 3.0, 3.5, 4.0]);
        assert_eq!(means(0), [1.0, 2.0, 3.0, 4.0, 5.0, 6.0]);
        assert_eq!(means(9), [3.5; 6]);
        assert!(window_means(&values, size, 1).iter().all(|[one, other]| one == &-other));
    }

    #[test]
    fn a_matrix_times_its_inverse_is_the_identity() {
        let matrix = [0.5, 0.1, -0.2, 0.4, 0.05, 0.3];
        let inverse = inverted(matrix).map(f64::from);
        let full = |[xx, xy, xz, yy, yz, zz]: [f64; 6]| [[xx, xy, xz], [xy, yy, yz], [xz, yz, zz]];
        let (matrix, inverse) = (full(matrix), full(inverse));
        for (row, values) in matrix.iter().enumerate() {
            for column in 0..3 {
                let entry: f64 = values.iter().zip(&inverse).map(|(value, inverse)| value * inverse[column]).sum();
                assert!((entry - f64::from(u8::from(row == column))).abs() < 1e-6, "{row}, {column}: {entry}");
            }
        }
    }
}
