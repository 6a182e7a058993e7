//! The positions of the tiles in a long grid, and the visible tiles.

use std::ops::Range;

/// The side of a tile and the gap to the next, in CSS pixels.
pub const SIDE: f64 = 104.0;
const GAP: f64 = 8.0;

/// The number of rows above and below the visible ones that are also shown.
const AHEAD: usize = 2;

/// A grid of square tiles, as many per row as fit.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Tiles {
    count: usize,
    columns: usize,
}

impl Tiles {
    /// Makes a grid of `count` tiles. `width` is the width of the frame, in CSS pixels.
    pub fn new(count: usize, width: f64) -> Self {
        let columns = ((width + GAP) / (SIDE + GAP)) as usize;
        Self { count, columns: columns.max(1) }
    }

    /// Returns the height of all rows, in CSS pixels.
    pub fn height(self) -> f64 {
        (self.count.div_ceil(self.columns) as f64 * (SIDE + GAP) - GAP).max(0.0)
    }

    /// Returns left and top of a tile.
    pub fn corner(self, place: usize) -> (f64, f64) {
        let (row, column) = (place / self.columns, place % self.columns);
        (column as f64 * (SIDE + GAP), row as f64 * (SIDE + GAP))
    }

    /// Returns the tiles in a frame of `height` pixels that is scrolled to `top`, with some rows around them.
    pub fn in_sight(self, top: f64, height: f64) -> Range<usize> {
        let first = (top / (SIDE + GAP)) as usize;
        let last = ((top + height) / (SIDE + GAP)) as usize + 1;
        let place = |row: usize| (row * self.columns).min(self.count);
        place(first.saturating_sub(AHEAD))..place(last + AHEAD)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_long_grid_shows_some_rows_only() {
        let tiles = Tiles::new(2000, 10.0 * SIDE + 9.0 * GAP);
        assert_eq!(tiles.height(), 200.0 * (SIDE + GAP) - GAP);
        assert_eq!(tiles.corner(23), (3.0 * (SIDE + GAP), 2.0 * (SIDE + GAP)));
        assert_eq!(tiles.in_sight(0.0, 400.0), 0..60);
        let middle = tiles.in_sight(100.0 * (SIDE + GAP), 400.0);
        assert_eq!(middle, 980..1060);
        assert_eq!(tiles.in_sight(tiles.height(), 400.0).end, 2000, "no tile beyond the last");
    }

    #[test]
    fn a_narrow_frame_has_one_column() {
        let tiles = Tiles::new(3, 0.0);
        assert_eq!(tiles.corner(2), (0.0, 2.0 * (SIDE + GAP)));
        assert!(Tiles::new(0, 500.0).in_sight(0.0, 300.0).is_empty());
        assert_eq!(Tiles::new(0, 500.0).height(), 0.0);
    }
}
