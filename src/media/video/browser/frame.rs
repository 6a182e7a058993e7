//! A decoded frame to pixels.

use wasm_bindgen::JsValue;
use web_sys::OffscreenCanvasRenderingContext2d;

use super::super::{Shape, Turn};
use super::decoder;
use super::webcodecs::Frame;
use crate::geometry::Size;
use crate::media::{Photo, browser};

/// The most pixels of a frame that are held: Full HD. No model sees more, and reading back more takes long.
const MAX_HELD: f64 = 1920.0 * 1080.0;

/// The canvas on which frames are turned into pixels, of the size at which they are held.
pub(super) struct Easel {
    context: OffscreenCanvasRenderingContext2d,
    shape: Shape,
    held: Size,
}

impl Easel {
    pub fn new(shape: Shape) -> Result<Self, JsValue> {
        let size = shape.upright();
        let held = browser::reduced_to(size, MAX_HELD).unwrap_or(size);
        let context = browser::canvas(held)?;
        Ok(Self { context, shape, held })
    }

    /// The frame, upright.
    pub fn photo(&self, frame: &Frame) -> Result<Photo, JsValue> {
        let (width, height) = (self.held.width as f64, self.held.height as f64);
        // Where the frame's own axes go on the canvas.
        let (a, b, c, d, x, y) = match self.shape.turn {
            Turn::None => (1.0, 0.0, 0.0, 1.0, 0.0, 0.0),
            Turn::Quarter => (0.0, 1.0, -1.0, 0.0, width, 0.0),
            Turn::Half => (-1.0, 0.0, 0.0, -1.0, width, height),
            Turn::ThreeQuarters => (0.0, -1.0, 1.0, 0.0, 0.0, height),
        };
        self.context.set_transform(a, b, c, d, x, y)?;
        let (across, down) = if self.shape.turn.lies_on_side() { (height, width) } else { (width, height) };
        decoder::draw(self.context.as_ref(), frame, across, down)?;
        let rgb = browser::rgb_on(&self.context, self.held)?;
        Ok(Photo { size: self.shape.upright(), held: self.held, rgb })
    }
}
