//! Sizes that the launches share with the WGSL texts.

/// Rows and columns of a linear layer's tile.
pub const OUTPUT_TILE: usize = 32;
/// Inputs that the slices of a linear layer process in one iteration.
pub const STEP: usize = 64;
/// Queries of a workgroup, and keys that it processes in one iteration.
pub const QUERY_TILE: usize = 16;
pub const KEY_TILE: usize = 32;
/// Threads of a workgroup of [`gather`](super::gather()), and tensors in one of its launches. The tensors, the result
/// and the sizes together are as many buffers as WebGPU guarantees.
pub const GATHER_THREADS: usize = 256;
pub const GATHER_TENSORS: usize = 6;
/// The widest head for which [`attention`](super::attention()) has room.
pub const LARGEST_HEAD_WIDTH: usize = 128;
