//! Names for heads, from the properties of the texts that TextSpan finds (docs/PAPERS.md, 1.15).
//!
//! A *property* is a group of texts of the pool, for example the colours. A head whose texts stand out for one property
//! has this property as its *name*. Any other head is *mixed*.

mod chance;
mod head;
mod model;

pub use chance::PoolMix;
pub use head::{CONSISTENCY_TEXTS, HeadProperties, NAMING_TEXTS, WeightedText};
pub use model::{LEVEL, ModelNames, name_heads};
