//! Connected regions of patches or pixels. Neighbours share an edge.

use crate::geometry::Grid;

/// Returns the region of `mask` that contains `start`. Empty when `start` is not in the mask.
pub fn connected(mask: &[bool], grid: Grid, start: usize) -> Vec<bool> {
    let mut region = vec![false; mask.len()];
    if mask.get(start) != Some(&true) {
        return region;
    }
    let mut open = vec![start];
    region[start] = true;
    while let Some(place) = open.pop() {
        for next in neighbours(place, grid) {
            if mask[next] && !region[next] {
                region[next] = true;
                open.push(next);
            }
        }
    }
    region
}

/// Returns the largest region of `mask`, the first among equals. Empty when the mask is empty.
pub fn largest(mask: &[bool], grid: Grid) -> Vec<bool> {
    let mut left = mask.to_vec();
    let mut best = (0, vec![false; mask.len()]);
    while let Some(start) = left.iter().position(|is_left| *is_left) {
        let region = connected(&left, grid, start);
        left.iter_mut().zip(&region).for_each(|(left, taken)| *left &= !taken);
        let size = region.iter().filter(|is_in| **is_in).count();
        if size > best.0 {
            best = (size, region);
        }
    }
    best.1
}

/// Returns the patches that share an edge with `place`.
fn neighbours(place: usize, grid: Grid) -> impl Iterator<Item = usize> {
    let (row, column) = (place / grid.columns, place % grid.columns);
    [
        (row > 0).then(|| place - grid.columns),
        (row + 1 < grid.rows).then(|| place + grid.columns),
        (column > 0).then(|| place - 1),
        (column + 1 < grid.columns).then(|| place + 1),
    ]
    .into_iter()
    .flatten()
}

#[cfg(test)]
mod tests {
    use super::*;

    const GRID: Grid = Grid { rows: 3, columns: 4 };

    fn mask(rows: [&str; 3]) -> Vec<bool> {
        rows.concat().bytes().map(|byte| byte == b'#').collect()
    }

    #[test]
    fn regions_do_not_cross_corners_or_grid_edges() {
        let all = mask(["#..#", "##.#", "..#."]);
        assert_eq!(connected(&all, GRID, 0), mask(["#...", "##..", "...."]));
        assert_eq!(connected(&all, GRID, 7), mask(["...#", "...#", "...."]));
        assert_eq!(connected(&all, GRID, 1), vec![false; 12]);
        assert_eq!(largest(&all, GRID), mask(["#...", "##..", "...."]));
        assert_eq!(largest(&[false; 12], GRID), vec![false; 12]);
    }
}
