//! Texts for people: numbers with their units, and names in natural order.

pub mod natural_order;
pub mod units;
