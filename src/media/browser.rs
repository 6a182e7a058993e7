//! Decodes pictures in the browser's worker, with the browser's own decoders.

use imagesize::ImageType;
use js_sys::{Array, Object, Reflect, Uint8Array};
use wasm_bindgen::{Clamped, JsCast as _, JsValue};
use wasm_bindgen_futures::JsFuture;
use web_sys::{
    Blob, ImageBitmap, ImageBitmapOptions, ImageData, ImageEncodeOptions, ImageOrientation, OffscreenCanvas,
    OffscreenCanvasRenderingContext2d, ResizeQuality, WorkerGlobalScope,
};

use super::error::MediaError;
use super::photo::Photo;
use super::picture_header::{self, PictureHeader};
use super::resample::preview;
use crate::geometry::Size;

/// The most pixels of a photo in memory. Larger photos are decoded at reduced size. Safari's canvases hold 4096 x
/// 4096.
const MAX_HELD: f64 = 16_000_000.0;

/// The longest side of a photo in memory, in pixels. It is also a limit of Safari's canvases.
const MAX_SIDE: f64 = 16_384.0;

/// The number of pixels that are read back from the canvas at a time. The worker's memory never shrinks, so it must
/// never hold the whole photo in RGBA in addition to RGB.
const STRIP: usize = 1_000_000;

/// Decodes a picture file. The result is upright, with transparent pixels over white. An animation gives its first
/// frame. `name` is the file's name in error messages.
///
/// # Errors
/// [`MediaError`] if the file is empty, is not a picture, has a format that this browser does not read, is cut off or
/// damaged, has no pixels, or has more than [`super::MAX_PIXELS`]; and if the browser is out of memory.
pub async fn decode(name: &str, bytes: &[u8]) -> Result<Photo, MediaError> {
    let header = picture_header::read_header(name, bytes)?;
    let bitmap = decoded(&header, bytes).await.map_err(|_refusal| refused(name, &header))?;
    let held = bitmap.size();
    let size = if reduced(header.upright).is_some() { upright_like(header.upright, held) } else { held };
    let rgb = rgb_of(&bitmap, held).map_err(|_refusal| MediaError::NoRoom { name: name.to_owned() })?;
    Ok(Photo { size, held, rgb })
}

/// Returns the photo as a small JPEG file whose longer side has at most `side` pixels.
///
/// # Errors
/// [`MediaError::NoRoom`] if the browser is out of memory.
pub async fn thumbnail(photo: &Photo, side: usize) -> Result<Vec<u8>, MediaError> {
    let small = preview(photo, side)?;
    let (size, rgba) = (small.held, small.rgba());
    let no_room = |_refusal: JsValue| MediaError::NoRoom { name: "the thumbnail".to_owned() };
    jpeg_of(&rgba, size).await.map_err(no_room)
}

/// Encodes RGBA pixels as JPEG.
async fn jpeg_of(rgba: &[u8], size: Size) -> Result<Vec<u8>, JsValue> {
    let (width, height) = (size.width as u32, size.height as u32);
    let canvas = OffscreenCanvas::new(width, height)?;
    let context = canvas.get_context("2d")?.ok_or(JsValue::NULL)?;
    let context: OffscreenCanvasRenderingContext2d = context.unchecked_into();
    let image = ImageData::new_with_u8_clamped_array_and_sh(Clamped(rgba), width, height)?;
    context.put_image_data(&image, 0.0, 0.0)?;
    let options = ImageEncodeOptions::new();
    options.set_type("image/jpeg");
    options.set_quality(0.8);
    let blob: Blob = JsFuture::from(canvas.convert_to_blob_with_options(&options)?).await?.unchecked_into();
    Ok(Uint8Array::new(&JsFuture::from(blob.array_buffer()).await?).to_vec())
}

/// Returns the reason why the browser did not decode a file. The browser itself gives no reason. Every browser reads
/// the first five formats, so a whole file that is small enough must be damaged.
fn refused(name: &str, header: &PictureHeader) -> MediaError {
    let name = name.to_owned();
    match header.kind {
        ImageType::Bmp | ImageType::Gif | ImageType::Jpeg | ImageType::Png | ImageType::Webp => {
            if reduced(header.upright).is_some() {
                MediaError::NoRoom { name }
            } else {
                MediaError::Damaged { name }
            }
        }
        kind => MediaError::Unsupported { name, format: picture_header::name_of(kind), reader: "this browser" },
    }
}

/// A bitmap that is closed when it is dropped. It may hold hundreds of megabytes that the garbage collector does not
/// count.
struct Bitmap(ImageBitmap);

impl Bitmap {
    fn size(&self) -> Size {
        Size { width: self.0.width() as usize, height: self.0.height() as usize }
    }
}

impl Drop for Bitmap {
    fn drop(&mut self) {
        self.0.close();
    }
}

/// Decodes the file to an upright bitmap. A huge picture is reduced.
async fn decoded(header: &PictureHeader, bytes: &[u8]) -> Result<Bitmap, JsValue> {
    let blob = Blob::new_with_u8_array_sequence(&Array::of1(&Uint8Array::from(bytes)))?;
    let Some(reduced) = reduced(header.upright) else {
        return bitmap(&blob, None).await;
    };
    // The request names only the width. So the height shows whether the photo has the orientation of the header: only
    // the browser knows an orientation that is not in a JPEG's EXIF.
    let first = bitmap(&blob, Some(reduced.width)).await;
    if let Ok(bitmap) = first
        && bitmap.size().height.abs_diff(reduced.height) <= 1
    {
        return Ok(bitmap);
    }
    let turned = Size { width: reduced.height, height: reduced.width };
    bitmap(&blob, Some(turned.width)).await
}

/// Returns the reduced size for a photo; `None` if the photo keeps its own size.
fn reduced(size: Size) -> Option<Size> {
    reduced_to(size, MAX_HELD)
}

/// Returns the reduced size for a picture so that it has at most `most` pixels; `None` if it keeps its own size.
pub(super) fn reduced_to(size: Size, most: f64) -> Option<Size> {
    let (width, height) = (size.width as f64, size.height as f64);
    let scale = (most / (width * height)).sqrt().min(MAX_SIDE / width.max(height));
    let side = |pixels: f64| ((pixels * scale) as usize).max(1);
    (scale < 1.0).then(|| Size { width: side(width), height: side(height) })
}

/// Returns `size`, with width and height swapped if that is closer to the bitmap's proportions.
fn upright_like(size: Size, bitmap: Size) -> Size {
    let turned = Size { width: size.height, height: size.width };
    let product = |a: usize, b: usize| a as u64 * b as u64;
    let difference = |size: Size| product(size.width, bitmap.height).abs_diff(product(size.height, bitmap.width));
    if difference(turned) < difference(size) { turned } else { size }
}

/// Decodes a blob to an upright bitmap, at this width or at the picture's own.
async fn bitmap(blob: &Blob, width: Option<usize>) -> Result<Bitmap, JsValue> {
    let options = ImageBitmapOptions::new();
    options.set_image_orientation(ImageOrientation::FromImage);
    if let Some(width) = width {
        options.set_resize_width(width as u32);
        options.set_resize_quality(ResizeQuality::High);
    }
    let scope: WorkerGlobalScope = js_sys::global().unchecked_into();
    let promise = scope.create_image_bitmap_with_blob_and_image_bitmap_options(blob, &options)?;
    Ok(Bitmap(JsFuture::from(promise).await?.unchecked_into()))
}

/// Returns the context of a canvas that is drawn on and read back.
pub(super) fn canvas(size: Size) -> Result<OffscreenCanvasRenderingContext2d, JsValue> {
    let canvas = OffscreenCanvas::new(size.width as u32, size.height as u32)?;
    // This keeps the canvas in main memory: reading back from the GPU is slow.
    let settings = Object::new();
    Reflect::set(&settings, &"willReadFrequently".into(), &true.into())?;
    let context = canvas.get_context_with_context_options("2d", &settings)?.ok_or(JsValue::NULL)?;
    Ok(context.unchecked_into())
}

/// Returns the bitmap's RGB bytes, over white.
fn rgb_of(bitmap: &Bitmap, size: Size) -> Result<Vec<u8>, JsValue> {
    let context = canvas(size)?;
    context.set_fill_style_str("#fff");
    context.fill_rect(0.0, 0.0, size.width as f64, size.height as f64);
    context.draw_image_with_image_bitmap(&bitmap.0, 0.0, 0.0)?;
    rgb_on(&context, size)
}

/// Returns the RGB bytes of a whole opaque canvas.
pub(super) fn rgb_on(context: &OffscreenCanvasRenderingContext2d, size: Size) -> Result<Vec<u8>, JsValue> {
    let rows = (STRIP / size.width).clamp(1, size.height);
    let mut rgb = Vec::with_capacity(size.width * size.height * 3);
    for top in (0..size.height).step_by(rows) {
        let height = rows.min(size.height - top);
        let strip = context.get_image_data(0.0, top as f64, size.width as f64, height as f64)?;
        let rgba = strip.data().0;
        for &[red, green, blue, _opaque] in rgba.as_chunks::<4>().0 {
            rgb.extend([red, green, blue]);
        }
    }
    Ok(rgb)
}
