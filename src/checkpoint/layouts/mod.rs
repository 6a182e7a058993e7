//! Maps the project's tensor names to the names in each kind of checkpoint.
//!
//! The tables in `tables.rs` read like the checkpoints' own listings. They give a [`Recipe`] for each of the
//! project's tensors: the checkpoint's tensors that it is made of, and how they are combined.

mod layout;
mod recipe;
mod rule;
mod tables;
mod tensor_names;

pub use layout::{FirstOf, Layout};
pub use recipe::{Ingredient, Recipe};
pub use tensor_names::TensorNames;
