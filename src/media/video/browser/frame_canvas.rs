//! Converts a decoded frame to pixels.

use wasm_bindgen::JsValue;
use web_sys::OffscreenCanvasRenderingContext2d;

use super::webcodecs::{self, DecodedFrame};
use crate::geometry::Size;
use crate::media::browser;
use crate::media::photo::Photo;
use crate::media::video::sample::{FrameShape, Turn};

/// The most pixels of a frame in memory: Full HD. No model sees more pixels, and reading back more pixels takes long.
const MAX_HELD: f64 = 1920.0 * 1080.0;

/// A canvas of the size of the frames in memory. Frames are drawn on it and read back.
pub(super) struct FrameCanvas {
    context: OffscreenCanvasRenderingContext2d,
    shape: FrameShape,
    held: Size,
}

impl FrameCanvas {
    /// Creates a canvas for frames of this shape.
    ///
    /// # Errors
    /// If the browser has no memory for it.
    pub fn new(shape: FrameShape) -> Result<Self, JsValue> {
        let size = shape.upright();
        let held = browser::reduced_to(size, MAX_HELD).unwrap_or(size);
        let context = browser::canvas(held)?;
        Ok(Self { context, shape, held })
    }

    /// Returns the upright frame.
    ///
    /// # Errors
    /// If the browser has no memory for it.
    pub fn photo(&self, frame: &DecodedFrame) -> Result<Photo, JsValue> {
        let (width, height) = (self.held.width as f64, self.held.height as f64);
        // The transform from the frame's own axes to the canvas.
        let (a, b, c, d, x, y) = match self.shape.turn {
            Turn::None => (1.0, 0.0, 0.0, 1.0, 0.0, 0.0),
            Turn::Quarter => (0.0, 1.0, -1.0, 0.0, width, 0.0),
            Turn::Half => (-1.0, 0.0, 0.0, -1.0, width, height),
            Turn::ThreeQuarters => (0.0, -1.0, 1.0, 0.0, 0.0, height),
        };
        self.context.set_transform(a, b, c, d, x, y)?;
        let (across, down) = if self.shape.turn.swaps_sides() { (height, width) } else { (width, height) };
        webcodecs::draw(self.context.as_ref(), frame, across, down)?;
        let rgb = browser::rgb_on(&self.context, self.held)?;
        Ok(Photo { size: self.shape.upright(), held: self.held, rgb })
    }
}
