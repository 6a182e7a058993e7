//! The names of a pack's files, and the number of the pack format.

/// The format that this program writes and reads.
pub const FORMAT: u32 = 1;
/// The manifest.
pub const MANIFEST: &str = "pack.json";
/// The model's tensors.
pub const WEIGHTS: &str = "weights.safetensors";
/// The text tower's vocabulary.
pub const TOKENIZER: &str = "tokenizer.json";
/// TextSpan's texts: in each line a text, or a text, a TAB and the text's property.
pub const POOL: &str = "pool.txt";
/// The texts' embeddings, `[texts, embedding]`.
pub const POOL_EMBEDDINGS: &str = "pool.safetensors";
/// The statistics of every head over a gallery.
pub const STATISTICS: &str = "statistics.safetensors";
