//! The weights of `tests/reference/clip_b32.py`, generated again from the same seeds.

use std::fs::File;
use std::io::{BufWriter, Write as _};
use std::path::Path;

use headlamp::checkpoint::random_model::RandomWeights;
use serde_json::{Map, json};

/// Returns values of mean 0 and standard deviation 1. The seed is computed from the name.
pub fn drawn(name: &str, count: usize) -> Vec<f32> {
    let fnv = |hash: u64, byte: u8| (hash ^ u64::from(byte)).wrapping_mul(0x100_0000_01B3);
    let mut random = RandomWeights::new(name.bytes().fold(0xCBF2_9CE4_8422_2325, fnv));
    (0..count).map(|_value| random.draw() + random.draw() + random.draw()).collect()
}

fn values(name: &str, shape: &[usize]) -> Vec<f32> {
    let count = shape.iter().product();
    if name == "logit_scale" {
        return vec![4.6; count];
    }
    let fan_in = shape.iter().skip(1).product::<usize>().max(1) as f64;
    let embedding = ["token_embedding", "class_embedding", "position_embedding"];
    let (centre, spread) = match name {
        name if name.contains("norm") || name.contains("layrnorm") => {
            if name.ends_with("weight") {
                (1.0, 0.2)
            } else {
                (0.0, 0.1)
            }
        }
        name if name.ends_with("bias") => (0.0, 0.05),
        name if embedding.iter().any(|part| name.contains(part)) => (0.0, 0.02),
        name if name.contains("q_proj") || name.contains("k_proj") => (0.0, 1.4 / fan_in.sqrt()),
        _ => (0.0, 0.8 / fan_in.sqrt()),
    };
    drawn(name, count).into_iter().map(|value| centre + spread as f32 * value).collect()
}

/// Returns Hugging Face's names and shapes of CLIP ViT-B/32.
fn listing() -> Vec<(String, Vec<usize>)> {
    let mut listing = vec![("logit_scale".to_owned(), vec![])];
    let mut add = |name: String, shape: &[usize]| listing.push((name, shape.to_vec()));
    for (tower, width) in [("vision_model", 768), ("text_model", 512)] {
        for layer in 0..12 {
            let block = format!("{tower}.encoder.layers.{layer}");
            for part in ["q_proj", "k_proj", "v_proj", "out_proj"] {
                add(format!("{block}.self_attn.{part}.weight"), &[width, width]);
                add(format!("{block}.self_attn.{part}.bias"), &[width]);
            }
            for (part, outputs, inputs) in [("fc1", 4 * width, width), ("fc2", width, 4 * width)] {
                add(format!("{block}.mlp.{part}.weight"), &[outputs, inputs]);
                add(format!("{block}.mlp.{part}.bias"), &[outputs]);
            }
            for norm in ["layer_norm1", "layer_norm2"] {
                add(format!("{block}.{norm}.weight"), &[width]);
                add(format!("{block}.{norm}.bias"), &[width]);
            }
        }
    }
    for (norm, width) in [
        ("vision_model.pre_layrnorm", 768),
        ("vision_model.post_layernorm", 768),
        ("text_model.final_layer_norm", 512),
    ] {
        add(format!("{norm}.weight"), &[width]);
        add(format!("{norm}.bias"), &[width]);
    }
    add("vision_model.embeddings.class_embedding".into(), &[768]);
    add("vision_model.embeddings.patch_embedding.weight".into(), &[768, 3, 32, 32]);
    add("vision_model.embeddings.position_embedding.weight".into(), &[50, 768]);
    add("text_model.embeddings.token_embedding.weight".into(), &[49_408, 512]);
    add("text_model.embeddings.position_embedding.weight".into(), &[77, 512]);
    add("visual_projection.weight".into(), &[512, 768]);
    add("text_projection.weight".into(), &[512, 512]);
    listing.sort();
    listing
}

/// Writes the checkpoint, tensor by tensor.
pub fn write(path: &Path) {
    let mut header = Map::new();
    let mut end = 0;
    let listing = listing();
    for (name, shape) in &listing {
        let start = end;
        end += 4 * shape.iter().product::<usize>();
        header.insert(name.clone(), json!({"dtype": "F32", "shape": shape, "data_offsets": [start, end]}));
    }
    let mut header = serde_json::to_vec(&header).unwrap();
    header.resize(header.len().next_multiple_of(8), b' ');
    let mut file = BufWriter::with_capacity(1 << 20, File::create(path).unwrap());
    file.write_all(&(header.len() as u64).to_le_bytes()).unwrap();
    file.write_all(&header).unwrap();
    for (name, shape) in &listing {
        for value in values(name, shape) {
            file.write_all(&value.to_le_bytes()).unwrap();
        }
    }
    file.flush().unwrap();
}
