//! A small transformer with artificial weights, for the check of a device.

use crate::geometry::{Grid, LongSide, Size};
use crate::model::{
    Activation, Backend, Crop, ModelError, PositionResize, TensorError, TensorSource, VisionConfig,
    VisionTransformer,
};

const EMBEDDING: usize = 48;

/// Runs the small transformer on two artificial crops. Returns the CLS attention, the values and the MLP outputs of every
/// layer, and the embeddings. A GPU runs the second crop from its recording.
///
/// # Errors
/// If the device fails.
pub async fn probe(backend: &Backend) -> Result<Vec<f32>, ModelError> {
    let config = config();
    let size = Size { width: 7 * config.patch, height: 6 * config.patch };
    let tower = VisionTransformer::load(&config, EMBEDDING, &mut SineWeights, backend)?;
    let mut outputs = Vec::new();
    for pitch in [0.53, 0.37] {
        let trace = tower.trace(&Crop { size, values: sine(3 * size.width * size.height, pitch) }).await?;
        let of_layers = trace.layers.into_iter().flat_map(|layer| [layer.attention, layer.values, layer.mlp]);
        outputs.extend(of_layers.chain([trace.embedding]).flatten());
    }
    Ok(outputs)
}

/// Sizes that exceed the tile of every kernel, and are no multiple of any tile.
fn config() -> VisionConfig {
    VisionConfig {
        width: 96,
        layers: 2,
        heads: 2,
        patch: 4,
        image_size: 28,
        long_side: LongSide::default(),
        mlp_width: 196,
        activation: Activation::Gelu,
        ln_pre: true,
        registers: 1,
        eps: 1e-5,
        position_grid: Grid { rows: 6, columns: 7 },
        position_resize: PositionResize::Size,
        projection: true,
        projection_bias: true,
        mean: [0.5; 3],
        std: [0.5; 3],
    }
}

/// Weights that are sine waves, a different wave for each tensor. They are scaled so that activations stay near 1.
struct SineWeights;

impl TensorSource for SineWeights {
    fn tensor(&mut self, name: &str, shape: &[usize]) -> Result<Vec<f32>, TensorError> {
        let pitch = 0.1 + name.bytes().fold(0.0, |sum, byte| (sum * 1.7 + f32::from(byte) * 0.013) % 2.0);
        let inputs = if let [_, inputs] = shape { *inputs } else { 1 };
        let mut values = sine(shape.iter().product(), pitch);
        values.iter_mut().for_each(|value| *value /= (inputs as f32).sqrt());
        Ok(values)
    }
}

fn sine(count: usize, pitch: f32) -> Vec<f32> {
    // The second term makes the rows of a matrix differ.
    (0..count).map(|index| (index as f32 * pitch + (index / 31) as f32).sin()).collect()
}
