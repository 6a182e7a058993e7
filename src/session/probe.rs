//! A small transformer with made-up weights, to try a device with.

use crate::geometry::{Grid, LongSide, Size};
use crate::model::{
    Activation, Backend, Crop, ModelError, PositionResize, TensorError, TensorSource, VisionConfig,
    VisionTransformer,
};

const EMBEDDING: usize = 48;

/// What the small transformer makes of two made-up crops: their embeddings, CLS's attention and what the MLPs add to
/// CLS. A GPU runs the second as it recorded it.
///
/// # Errors
/// Where the device fails.
pub async fn probe(backend: &Backend) -> Result<Vec<f32>, ModelError> {
    let config = config();
    let size = Size { width: 7 * config.patch, height: 6 * config.patch };
    let tower = VisionTransformer::load(&config, EMBEDDING, &mut Waves, backend)?;
    let mut made = Vec::new();
    for pitch in [0.53, 0.37] {
        let trace = tower.trace(&Crop { size, values: wave(3 * size.width * size.height, pitch) }).await?;
        let of_layers = trace.layers.into_iter().flat_map(|layer| [layer.attention, layer.values, layer.mlp]);
        made.extend(of_layers.chain([trace.embedding]).flatten());
    }
    Ok(made)
}

/// Wider and longer than a tile of any kernel, and a multiple of none.
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

/// Weights that are sines, each tensor its own, of a size that leaves activations near 1.
struct Waves;

impl TensorSource for Waves {
    fn tensor(&mut self, name: &str, shape: &[usize]) -> Result<Vec<f32>, TensorError> {
        let pitch = 0.1 + name.bytes().fold(0.0, |sum, byte| (sum * 1.7 + f32::from(byte) * 0.013) % 2.0);
        let inputs = if let [_, inputs] = shape { *inputs } else { 1 };
        let mut values = wave(shape.iter().product(), pitch);
        values.iter_mut().for_each(|value| *value /= (inputs as f32).sqrt());
        Ok(values)
    }
}

fn wave(count: usize, pitch: f32) -> Vec<f32> {
    // Far apart, so that rows of a matrix are no copies of one another.
    (0..count).map(|index| (index as f32 * pitch + (index / 31) as f32).sin()).collect()
}
