//! The affinity between the patches of a frame and of earlier frames (docs/PAPERS.md, 2.4): for each patch, the
//! most similar patches within a neighbourhood, over all context frames. Only the best matches of each patch are
//! kept, never all affinities of a frame.

use super::propagate_options::PropagateOptions;
use super::vectors::dots;
use crate::geometry::Grid;

/// Patches of a row that are compared together, so that each context token is loaded once for all of them.
const TILE: usize = 4;

/// A patch of a context frame, and its cosine to the patch that is matched.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct PatchMatch {
    pub cosine: f32,
    pub context: usize,
    pub patch: usize,
}

/// Returns the best matches of each patch, best first. A patch has fewer than `options.top` matches only when the
/// neighbourhoods contain fewer patches.
///
/// `target` and each of `contexts` are unit tokens, `[patch][width]`, on the same grid.
pub fn best_matches(
    target: &[f32],
    contexts: &[&[f32]],
    grid: Grid,
    options: &PropagateOptions,
) -> Vec<Vec<PatchMatch>> {
    let width = target.len() / grid.len();
    let mut best = vec![Vec::with_capacity(options.top + 1); grid.len()];
    // Blocks of TILE x TILE patches visit the contexts together, because their neighbourhoods overlap.
    for top in (0..grid.rows).step_by(TILE) {
        for left in (0..grid.columns).step_by(TILE) {
            let block = Block { top, left, rows: TILE.min(grid.rows - top) };
            for (index, context) in contexts.iter().enumerate() {
                block.compare(target, (index, context), grid, width, options, &mut best);
            }
        }
    }
    best
}

/// A block of target patches, TILE columns wide.
struct Block {
    top: usize,
    left: usize,
    rows: usize,
}

impl Block {
    fn compare(
        &self,
        target: &[f32],
        (context, tokens): (usize, &[f32]),
        grid: Grid,
        width: usize,
        options: &PropagateOptions,
        best: &mut [Vec<PatchMatch>],
    ) {
        let radius = options.radius;
        let within = |first: usize, last: usize, length: usize| {
            first.saturating_sub(radius)..last.saturating_add(radius).saturating_add(1).min(length)
        };
        // At the right edge the last column stands in for columns beyond the grid. Their cosines are not kept.
        let column = |tile: usize| (self.left + tile).min(grid.columns - 1);
        for row in within(self.top, self.top + self.rows - 1, grid.rows) {
            for place in within(self.left, self.left + TILE - 1, grid.columns) {
                let patch = row * grid.columns + place;
                let token = &tokens[patch * width..][..width];
                for own_row in (self.top..self.top + self.rows).filter(|own| own.abs_diff(row) <= radius) {
                    let own = |tile: usize| own_row * grid.columns + column(tile);
                    let vectors: [&[f32]; TILE] =
                        std::array::from_fn(|tile| &target[own(tile) * width..][..width]);
                    let cosines = dots(vectors, token);
                    for (tile, cosine) in cosines.into_iter().enumerate() {
                        let own_column = self.left + tile;
                        if own_column < grid.columns && own_column.abs_diff(place) <= radius {
                            keep(&mut best[own(tile)], PatchMatch { cosine, context, patch }, options.top);
                        }
                    }
                }
            }
        }
    }
}

/// Inserts a match into the list of best matches. Among equal matches, the first stays first.
fn keep(best: &mut Vec<PatchMatch>, found: PatchMatch, top: usize) {
    if best.len() == top && best.last().is_none_or(|least| found.cosine <= least.cosine) {
        return;
    }
    let place = best.partition_point(|other| other.cosine >= found.cosine);
    best.insert(place, found);
    best.truncate(top);
}
