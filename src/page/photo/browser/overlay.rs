//! The map that is drawn over the photo.

use leptos::prelude::*;

use crate::page::photo::raster::{Layer, OPACITY};

/// The layer over the photo, and its opacity.
#[derive(Clone, Copy)]
pub struct OverlayState {
    pub layer: RwSignal<Layer>,
    /// The opacity, in [0, 1].
    pub opacity: RwSignal<f64>,
}

impl Default for OverlayState {
    fn default() -> Self {
        Self { layer: RwSignal::default(), opacity: RwSignal::new(OPACITY) }
    }
}
