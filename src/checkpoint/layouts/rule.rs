//! The kinds of lines in the tables.

/// How one of the project's tensors is found in a checkpoint. The first name is the project's, the others are the
/// checkpoint's.
#[derive(Clone, Copy, Debug)]
pub(super) enum Rule {
    /// A tensor that the checkpoint stores in the same way.
    Tensor(&'static str, &'static str),
    /// A matrix that the checkpoint stores as `[in, out]`.
    Transposed(&'static str, &'static str),
    /// A linear layer with `.weight` and `.bias`.
    Linear(&'static str, &'static str),
    /// A linear layer, and LayerScale's lambda that scales its outputs.
    ScaledLinear(&'static str, &'static str, &'static str),
    /// Three linear layers `.query`, `.key` and `.value` in one. Each is a third of the rows of `weight` and `bias`.
    /// These two words are appended to the checkpoint's name without a dot.
    FusedQkv(&'static str, &'static str),
    /// A LayerNorm. `.gamma` is the checkpoint's `.weight`, `.beta` is its `.bias`.
    Norm(&'static str, &'static str),
    /// A table, and another table whose first row is added to every row.
    PlusFirstRow(&'static str, &'static str, &'static str),
    /// A table that the checkpoint stores without its first row. That row is zero.
    BehindZeroRow(&'static str, &'static str),
    /// The exponential of a scalar.
    Exp(&'static str, &'static str),
    /// A bias that the checkpoint does not have.
    Zero(&'static str),
}
