//! The arithmetic of a transformer block on slices, for the CPU.
//!
//! A linear layer multiplies 16-bit integers ([`IntegerMatrix`]). Its weights are rounded once, when the model is
//! loaded. Its inputs are rounded row by row when the layer runs. A register holds eight such integers but only
//! four floats, and one instruction multiplies the integers and adds neighbouring products (`i32x4.dot_i16x8_s` in
//! WebAssembly, `pmaddwd` on x86). So integers take half the time of floats. 8 bits would be too few: some channels
//! of a transformer's residual stream are a hundred times as large as the others. Sums of products are exact.
//!
//! Everything else (norms, softmax, activations, attention) is in f32. All code is written once, over [`lanes`],
//! and performs the same operations in the same order on every machine.

mod attention;
mod f64_product;
mod float_matrix;
mod integer_matrix;
mod lanes;
mod pointwise;
mod transpose;

pub use attention::{Heads, attention};
pub use f64_product::transposed_product;
pub use float_matrix::FloatMatrix;
pub use integer_matrix::IntegerMatrix;
pub use pointwise::{Norm, gelu, quick_gelu};
pub use transpose::transpose;
