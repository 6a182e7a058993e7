//! The pack: a folder with a model and the files that belong to the model.
//!
//! | file | contents |
//! |---|---|
//! | `pack.json` | the [`Manifest`]: config, licence, provenance, and the sizes and SHA-256 of the other files |
//! | `weights.safetensors` | the tensors under the project's names; a Q8 matrix `x` is I8 with F16 `x.scale`, a Q4 matrix is U8 with two values per byte |
//! | `tokenizer.json` | the text tower's vocabulary, in the format of the `tokenizers` crate; only with a text tower |
//! | `pool.txt`, `pool.safetensors` | TextSpan's texts, one per line, and their embeddings `[lines, embedding]` |
//! | `statistics.safetensors` | the statistics of every head over a gallery |
//!
//! An [archive](ArchiveReader) holds the same files in one file.

mod archive;
#[cfg(feature = "cli")]
mod archive_on_disk;
pub(super) mod file_names;
mod manifest;
mod pack_files;
mod pack_weights;
mod pack_writer;
mod quantisation;
pub mod quantise;
mod safetensors_layout;
mod storage_costs;
mod weights_writer;

pub use archive::{ARCHIVE_ENDING, ArchiveEntry, ArchivePiece, ArchiveReader, BLOCK, archive_pieces};
pub use file_names::{FORMAT, MANIFEST, POOL, POOL_EMBEDDINGS, STATISTICS, TOKENIZER, WEIGHTS};
pub use manifest::{Manifest, PackFile, sha256_hex};
pub use pack_files::Pack;
pub use pack_weights::PackWeights;
pub use pack_writer::PackWriter;
pub use quantisation::{Quantisation, TensorFormat};
pub use safetensors_layout::file_length;
pub use storage_costs::StorageCost;
pub use weights_writer::{StoredWeights, WeightsWriter};
