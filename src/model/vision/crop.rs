//! A crop as the model takes it, and its patches.

use crate::geometry::{Grid, Size};
use crate::model::error::ModelError;

/// A crop as the model takes it: normalised values, channels first, `[3, height, width]`.
#[derive(Clone, Debug, PartialEq)]
pub struct Crop {
    pub size: Size,
    pub values: Vec<f32>,
}

impl Crop {
    /// Cuts the crop into patches of `patch` x `patch` pixels, `[patches][3 * patch * patch]`. A patch lists its
    /// values channel by channel.
    ///
    /// # Errors
    /// [`ModelError::Input`] when the crop is smaller than one patch, or `values` does not match `size`.
    pub(super) fn patches(&self, patch: usize) -> Result<(Vec<f32>, Grid), ModelError> {
        let Size { width, height } = self.size;
        let grid = Grid { rows: height / patch, columns: width / patch };
        if grid.is_empty() || self.values.len() != 3 * width * height {
            return Err(ModelError::Input(format!(
                "a crop of {width} x {height} pixels with {} values cannot be cut into {patch}-pixel patches",
                self.values.len()
            )));
        }
        let mut patches = Vec::with_capacity(grid.len() * 3 * patch * patch);
        for row in 0..grid.rows {
            for column in 0..grid.columns {
                for channel in 0..3 {
                    for y in 0..patch {
                        let start = (channel * height + row * patch + y) * width + column * patch;
                        patches.extend_from_slice(&self.values[start..start + patch]);
                    }
                }
            }
        }
        Ok((patches, grid))
    }
}
