//! Lists the tensors of a model file and their places in the file, without reading the tensors.
//!
//! The list comes from the header of a safetensors file, or from the directory and the pickle of a PyTorch file.
//! Nothing here opens files. An [`IndexReader`] says which bytes it needs, and the caller brings them. So the
//! bytes may come from a disk, a server or a browser's `File`.

mod file_segment;
mod index_reader;
mod safetensors_header;
mod tensor_index;
mod torch;

pub use file_segment::FileSegment;
pub use index_reader::{IndexReader, IndexStep};
pub use tensor_index::{TensorIndex, TensorLocation};
