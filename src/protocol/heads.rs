//! The texts that describe a head, and the statistics that they come from.

use serde::{Deserialize, Serialize};

/// Where head statistics come from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum StatisticsSource {
    /// The pack's own.
    Pack,
    /// A file that headlamp wrote.
    File,
    /// The gallery.
    Gallery,
}

/// One of a head's texts.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct HeadLabel {
    pub text: String,
    /// Share of the head's variance over the gallery explained by this text and those before it.
    pub variance_explained: f32,
}
