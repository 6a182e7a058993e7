//! Line charts, in a box of [`WIDTH`] by [`HEIGHT`] units.

/// The size of the box in SVG units; the page stretches it.
pub const WIDTH: f64 = 1000.0;
pub const HEIGHT: f64 = 100.0;

/// Lines that share a scale.
#[derive(Clone, Debug, PartialEq)]
pub struct Chart {
    /// Values at the bottom and at the top.
    pub low: f32,
    pub high: f32,
    /// The points of one SVG polyline per line.
    pub lines: Vec<String>,
}

impl Chart {
    /// Makes lines of values. The first value of a line is at the first of `times`, and so on; a line may have fewer
    /// values than there are times. The box is `duration` seconds wide.
    pub fn new(times: &[f64], duration: f64, lines: &[Vec<f32>]) -> Self {
        let values = || lines.iter().flatten().copied().filter(|value| value.is_finite());
        let (low, high) = (values().fold(f32::INFINITY, f32::min), values().fold(f32::NEG_INFINITY, f32::max));
        // Without values, the scale is around zero.
        let (low, high) = if low <= high { (low, high) } else { (0.0, 0.0) };
        let margin = ((high - low) * 0.06).max(1e-3);
        let (low, high) = (low - margin, high + margin);
        let point = |time: f64, value: f32| {
            let y = HEIGHT * f64::from((high - value) / (high - low));
            format!("{:.1},{y:.2}", x_at(time, duration))
        };
        let line = |line: &Vec<f32>| {
            let points = times.iter().zip(line).filter(|(_, value)| value.is_finite());
            points.map(|(time, value)| point(*time, *value)).collect::<Vec<_>>().join(" ")
        };
        Self { low, high, lines: lines.iter().map(line).collect() }
    }

    /// Returns the position of zero, from the top; `None` if zero is outside the box.
    pub fn zero(&self) -> Option<f64> {
        (self.low < 0.0 && self.high > 0.0).then(|| HEIGHT * f64::from(self.high / (self.high - self.low)))
    }
}

/// Returns a moment's position in the box, from the left.
pub fn x_at(time: f64, duration: f64) -> f64 {
    WIDTH * (time / duration.max(1e-9)).clamp(0.0, 1.0)
}

/// Returns the heads whose contribution to a phrase's score changes most over the frames, the largest change first:
/// (layer, head). `parts` is `[layer][head][frame]`.
pub fn liveliest(parts: &[f32], heads: usize, frames: usize, count: usize) -> Vec<(usize, usize)> {
    if frames == 0 || heads == 0 {
        return Vec::new();
    }
    let spread = |line: &[f32]| {
        let mean = line.iter().sum::<f32>() / line.len() as f32;
        line.iter().map(|value| (value - mean).powi(2)).sum::<f32>()
    };
    let mut order: Vec<(usize, f32)> = parts.chunks_exact(frames).map(spread).enumerate().collect();
    order.sort_by(|a, b| b.1.total_cmp(&a.1));
    order.into_iter().take(count).map(|(index, _)| (index / heads, index % heads)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_fill_the_box_and_stay_inside_it() {
        let chart = Chart::new(&[0.0, 1.0, 2.0], 4.0, &[vec![0.0, 1.0, 0.5], vec![-1.0, 0.0]]);
        let points: Vec<Vec<(f64, f64)>> = chart.lines.iter().map(|line| numbers(line)).collect();
        assert_eq!(points.iter().map(Vec::len).collect::<Vec<_>>(), [3, 2]);
        assert_eq!(points[0].iter().map(|point| point.0).collect::<Vec<_>>(), [0.0, 250.0, 500.0]);
        assert!(points[0][1].1 < points[0][2].1, "higher values are nearer the top");
        assert!(points.iter().flatten().all(|point| (0.0..=HEIGHT).contains(&point.1)));
        let zero = chart.zero().unwrap();
        assert!((points[0][0].1 - zero).abs() < 0.01, "a value of zero lies on the zero line");
    }

    #[test]
    fn no_values_and_equal_values_give_finite_points() {
        let empty = Chart::new(&[], 0.0, &[Vec::new()]);
        assert!(empty.low < empty.high && empty.lines == [""]);
        let flat = Chart::new(&[0.0, 1.0], 1.0, &[vec![0.2, 0.2], vec![f32::NAN, 0.2]]);
        assert!(numbers(&flat.lines[0]).iter().all(|point| (point.1 - HEIGHT / 2.0).abs() < 1.0));
        assert_eq!(numbers(&flat.lines[1]).len(), 1, "what is no number is left out");
        assert_eq!(flat.zero(), None);
    }

    #[test]
    fn the_liveliest_heads_come_first() {
        // Two layers of two heads over three frames.
        let parts = [0.5, 0.5, 0.5, 0.0, 0.1, 0.0, 0.0, 1.0, 0.0, -0.2, 0.2, 0.0];
        assert_eq!(liveliest(&parts, 2, 3, 3), [(1, 0), (1, 1), (0, 1)]);
        assert!(liveliest(&[], 2, 0, 3).is_empty());
    }

    fn numbers(line: &str) -> Vec<(f64, f64)> {
        let pair = |pair: &str| pair.split_once(',').map(|(x, y)| (x.parse().unwrap(), y.parse().unwrap()));
        line.split(' ').filter_map(pair).collect()
    }
}
