//! The algorithms of paper 2 (`docs/PAPERS.md`) on random features, compared with `tests/reference/track.py`, and
//! properties of any features.
#![cfg(not(target_arch = "wasm32"))]

mod features;
mod invariants;
mod measures;
mod objects;
mod propagation;

use headlamp::geometry::Grid;
use headlamp::track::Features;
use test_support::reference::Fixture;

/// Results are f32, sums f64. The largest difference measured is a tenth of this value.
const TOLERANCE: f64 = 1e-5;

fn grid_of(fixture: &Fixture, name: &str) -> Grid {
    let sides = fixture.counts(&format!("{name}.grid"));
    Grid { rows: sides[0], columns: sides[1] }
}

/// Returns the features of a frame as the reference stored them.
fn features_of(fixture: &Fixture, name: &str, grid: Grid) -> Features {
    let part = |part: &str| narrow(&fixture.values(&format!("{name}.{part}")));
    let (cls_attention, queries) = (part("attention"), part("queries"));
    let (width, heads) = (queries.len() / grid.len(), cls_attention.len() / grid.len());
    Features { grid, width, heads, cls_attention, queries, keys: part("keys"), tokens: part("tokens") }
}

fn narrow(values: &[f64]) -> Vec<f32> {
    values.iter().map(|value| *value as f32).collect()
}

fn wide(values: &[f32]) -> Vec<f64> {
    values.iter().map(|value| f64::from(*value)).collect()
}
