//! The contributions of a model's components, and the grid that shows them: cells, arrow keys, colour scales.

/// A cell of the grid.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Cell {
    Head { layer: usize, head: usize },
    Mlp { layer: usize },
    Embedding,
}

impl Cell {
    /// Returns the cell's name: "Layer 11, head 3".
    pub fn name(self) -> String {
        match self {
            Self::Head { layer, head } => format!("Layer {layer}, head {head}"),
            Self::Mlp { layer } => format!("Layer {layer}, MLP"),
            Self::Embedding => "Embedding (z0)".to_owned(),
        }
    }
}

/// The size of the grid. The last layer is at the top, the embedding below the first; MLPs are the last column.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Extent {
    pub layers: usize,
    pub heads: usize,
}

/// The keys that move through the grid.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
    Up,
    Down,
    Left,
    Right,
    RowStart,
    RowEnd,
}

impl Step {
    /// Returns the step for the `key` of a keyboard event.
    pub fn of_key(key: &str) -> Option<Self> {
        Some(match key {
            "ArrowUp" => Self::Up,
            "ArrowDown" => Self::Down,
            "ArrowLeft" => Self::Left,
            "ArrowRight" => Self::Right,
            "Home" => Self::RowStart,
            "End" => Self::RowEnd,
            _ => return None,
        })
    }
}

impl Extent {
    /// Returns the cell that a step leads to. At the edge of the grid, returns the same cell.
    pub fn after(self, cell: Cell, step: Step) -> Cell {
        // Columns 0..heads are heads, column `heads` is the MLP; the embedding is below the first head.
        let (layer, column) = match cell {
            Cell::Head { layer, head } => (layer, head),
            Cell::Mlp { layer } => (layer, self.heads),
            Cell::Embedding if step == Step::Up && self.layers > 0 => return self.cell(0, 0),
            Cell::Embedding => return cell,
        };
        match step {
            Step::Up => self.cell((layer + 1).min(self.layers.saturating_sub(1)), column),
            Step::Down if layer == 0 => Cell::Embedding,
            Step::Down => self.cell(layer - 1, column),
            Step::Left => self.cell(layer, column.saturating_sub(1)),
            Step::Right => self.cell(layer, (column + 1).min(self.heads)),
            Step::RowStart => self.cell(layer, 0),
            Step::RowEnd => self.cell(layer, self.heads),
        }
    }

    fn cell(self, layer: usize, column: usize) -> Cell {
        if column < self.heads { Cell::Head { layer, head: column } } else { Cell::Mlp { layer } }
    }
}

/// Every component's contribution to one phrase.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Contributions {
    /// `[layer][head]`
    pub heads: Vec<Vec<f32>>,
    /// `[layer]`
    pub mlps: Vec<f32>,
    pub embedding: f32,
}

impl Contributions {
    /// Returns the value of a cell, if the model has the cell.
    pub fn of(&self, cell: Cell) -> Option<f32> {
        match cell {
            Cell::Head { layer, head } => self.heads.get(layer)?.get(head).copied(),
            Cell::Mlp { layer } => self.mlps.get(layer).copied(),
            Cell::Embedding => Some(self.embedding),
        }
    }

    /// Returns the size of the grid of these components.
    pub fn extent(&self) -> Extent {
        Extent { layers: self.heads.len(), heads: self.heads.iter().map(Vec::len).max().unwrap_or(0) }
    }

    /// Returns the difference for each component; `None` if the two have different shapes.
    pub fn minus(&self, other: &Self) -> Option<Self> {
        let shape = |of: &Self| (of.heads.iter().map(Vec::len).collect::<Vec<_>>(), of.mlps.len());
        let each = |a: &[f32], b: &[f32]| a.iter().zip(b).map(|(a, b)| a - b).collect();
        (shape(self) == shape(other)).then(|| Self {
            heads: self.heads.iter().zip(&other.heads).map(|(a, b)| each(a, b)).collect(),
            mlps: each(&self.mlps, &other.mlps),
            embedding: self.embedding - other.embedding,
        })
    }

    /// Returns the sum of all components.
    pub fn total(&self) -> f32 {
        let parts = self.heads.iter().flatten().chain(&self.mlps).chain([&self.embedding]);
        parts.map(|part| f64::from(*part)).sum::<f64>() as f32
    }

    /// Returns the sum of some heads, (layer, head). Heads that the model does not have count as zero.
    pub fn sum_of_heads(&self, heads: &[(usize, usize)]) -> f32 {
        let part = |(layer, head): &(usize, usize)| self.of(Cell::Head { layer: *layer, head: *head });
        heads.iter().filter_map(part).sum()
    }

    /// Returns the `count` heads with the largest absolute values, largest first: (layer, head, value).
    pub fn ranking(&self, count: usize) -> Vec<(usize, usize, f32)> {
        let heads = self.heads.iter().enumerate();
        let heads =
            heads.flat_map(|(layer, row)| row.iter().enumerate().map(move |(head, value)| (layer, head, *value)));
        let mut heads: Vec<_> = heads.collect();
        heads.sort_by(|a, b| b.2.abs().total_cmp(&a.2.abs()));
        heads.truncate(count);
        heads
    }

    /// Returns the head with the largest value: (layer, head).
    pub fn strongest_head(&self) -> Option<(usize, usize)> {
        let heads = self.heads.iter().enumerate();
        let heads =
            heads.flat_map(|(layer, row)| row.iter().enumerate().map(move |(head, value)| (layer, head, value)));
        heads.max_by(|a, b| a.2.total_cmp(b.2)).map(|(layer, head, _)| (layer, head))
    }

    /// Returns the largest absolute value of a head, which gets the full colour.
    pub fn head_scale(&self) -> f32 {
        largest(self.heads.iter().flatten())
    }

    /// Returns the largest absolute value of an MLP or the embedding. These values are far larger than those of single
    /// heads, and have a scale of their own.
    pub fn other_scale(&self) -> f32 {
        largest(self.mlps.iter().chain([&self.embedding]))
    }
}

/// The values of the grid's cells: the contributions, or what the photo changes in them.
#[derive(Clone, Debug, PartialEq)]
pub struct GridValues {
    pub parts: Contributions,
    /// The sum of the mean contributions, which is the score of an average picture. Some: `parts` are the differences
    /// between the contributions and their means.
    pub average: Option<f32>,
}

impl GridValues {
    /// Returns the contributions as they are.
    pub fn raw(contributions: Contributions) -> Self {
        Self { parts: contributions, average: None }
    }

    /// Returns the contributions minus their means; `None` if the two have different shapes.
    pub fn differences(contributions: &Contributions, means: &Contributions) -> Option<Self> {
        Some(Self { parts: contributions.minus(means)?, average: Some(means.total()) })
    }

    /// Returns the score: the sum of all parts and of the average picture.
    pub fn total(&self) -> f32 {
        self.parts.total() + self.average.unwrap_or(0.0)
    }
}

fn largest<'a>(values: impl Iterator<Item = &'a f32>) -> f32 {
    values.fold(0.0, |most, value| most.max(value.abs()))
}

/// Returns the share of the full colour that a value gets, in [-1, 1].
pub fn strength(value: f32, scale: f32) -> f32 {
    if scale > 0.0 { (value / scale).clamp(-1.0, 1.0) } else { 0.0 }
}

#[cfg(test)]
mod tests {
    use super::*;

    const EXTENT: Extent = Extent { layers: 3, heads: 2 };

    #[test]
    fn arrows_move_as_the_grid_is_drawn() {
        let from = Cell::Head { layer: 1, head: 1 };
        let to = |step| EXTENT.after(from, step);
        assert_eq!(to(Step::Up), Cell::Head { layer: 2, head: 1 });
        assert_eq!(to(Step::Down), Cell::Head { layer: 0, head: 1 });
        assert_eq!(to(Step::Left), Cell::Head { layer: 1, head: 0 });
        assert_eq!(to(Step::Right), Cell::Mlp { layer: 1 });
        assert_eq!(to(Step::RowStart), Cell::Head { layer: 1, head: 0 });
        assert_eq!(to(Step::RowEnd), Cell::Mlp { layer: 1 });
    }

    #[test]
    fn the_edges_hold_and_the_embedding_is_below() {
        let top = Cell::Mlp { layer: 2 };
        assert_eq!(EXTENT.after(top, Step::Up), top);
        assert_eq!(EXTENT.after(top, Step::Right), top);
        let first = Cell::Head { layer: 0, head: 0 };
        assert_eq!(EXTENT.after(first, Step::Left), first);
        assert_eq!(EXTENT.after(first, Step::Down), Cell::Embedding);
        assert_eq!(EXTENT.after(Cell::Embedding, Step::Down), Cell::Embedding);
        assert_eq!(EXTENT.after(Cell::Embedding, Step::Up), first);
    }

    #[test]
    fn strongest_head_is_signed_and_scales_are_absolute() {
        let contributions =
            Contributions { heads: vec![vec![0.1, -0.9], vec![0.4, 0.2]], mlps: vec![1.5, -2.0], embedding: 0.1 };
        assert_eq!(contributions.strongest_head(), Some((1, 0)));
        assert_eq!((contributions.head_scale(), contributions.other_scale()), (0.9, 2.0));
        assert_eq!(contributions.of(Cell::Mlp { layer: 1 }), Some(-2.0));
        assert_eq!(contributions.of(Cell::Head { layer: 2, head: 0 }), None);
        assert_eq!(contributions.ranking(2), [(0, 1, -0.9), (1, 0, 0.4)]);
        assert!((contributions.total() - -0.6).abs() < 1e-6);
        let nothing = contributions.minus(&contributions).unwrap();
        assert_eq!((nothing.head_scale(), nothing.other_scale()), (0.0, 0.0));
        let smaller = Contributions { heads: vec![vec![0.1]], mlps: vec![0.1], embedding: 0.0 };
        assert_eq!(contributions.minus(&smaller), None);
        assert!((contributions.sum_of_heads(&[(0, 1), (1, 0), (7, 7)]) - -0.5).abs() < 1e-6);
        assert_eq!(strength(-0.45, 0.9), -0.5);
        assert_eq!(strength(0.3, 0.0), 0.0);
    }

    /// Returns contributions of a model with 12 layers of 6 heads. The values are spread over [-1, 1] and differ
    /// between seeds.
    fn spread_values(seed: u32) -> Contributions {
        let value = |index: usize| ((index as f32 + 1.0) * (12.9898 + seed as f32)).sin();
        let layer = |layer: usize| (0..6).map(|head| value(layer * 6 + head)).collect();
        Contributions {
            heads: (0..12).map(layer).collect(),
            mlps: (0..12).map(|layer| 3.0 * value(100 + layer)).collect(),
            embedding: value(200),
        }
    }

    #[test]
    fn differences_and_average_sum_to_the_score() {
        for seed in 0..50 {
            let (photo, means) = (spread_values(seed), spread_values(1000 + seed));
            let shown = GridValues::differences(&photo, &means).unwrap();
            assert_eq!(shown.average, Some(means.total()));
            // 85 differences, each rounded to f32.
            assert!(
                (shown.total() - photo.total()).abs() < 1e-5,
                "seed {seed}: {} {}",
                shown.total(),
                photo.total()
            );
            let cell = Cell::Head { layer: 7, head: 2 };
            assert_eq!(shown.parts.of(cell), Some(photo.heads[7][2] - means.heads[7][2]));
        }
        let photo = spread_values(1);
        assert_eq!(GridValues::raw(photo.clone()).total(), photo.total());
        let average = GridValues::differences(&photo, &photo).unwrap();
        assert_eq!(
            (average.parts.total(), average.total()),
            (0.0, photo.total()),
            "an average picture changes nothing"
        );
        let smaller = Contributions { heads: vec![vec![0.1]], mlps: vec![0.1], embedding: 0.0 };
        assert_eq!(GridValues::differences(&photo, &smaller), None);
    }
}
