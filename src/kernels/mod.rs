//! What a transformer block is made of, as arithmetic on slices, for the CPU.
//!
//! A linear layer multiplies integers of 16 bits ([`IntegerMatrix`]): its weights are rounded once, as the model is
//! loaded, its inputs row by row as they come. A register holds eight of them, where it holds four floats, and
//! multiplies and adds neighbours in one instruction (`i32x4.dot_i16x8_s` in WebAssembly, `pmaddwd` on x86), so this
//! takes half the time of floats; and unlike 8 bits it leaves room for the few channels of a transformer's residual
//! stream that are a hundred times as large as the others. Sums of products are exact.
//!
//! All else (norms, softmax, activations, attention) is f32. Everything is written over [`lanes`] once, and does the
//! same operations in the same order on every machine.

mod attention;
mod double;
mod float;
mod integer;
mod lanes;
mod pointwise;

pub use attention::{Heads, attention};
pub use double::transposed_product;
pub use float::FloatMatrix;
pub use integer::IntegerMatrix;
pub use pointwise::{Norm, gelu, quick_gelu};
