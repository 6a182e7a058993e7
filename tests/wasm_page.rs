//! The page decodes frames with the browser's player, in a real browser.
//!
//! `cargo xtask test wasm` runs these tests in headless Chromium. `tests/reference/video.py` made the clips. Each
//! frame shows its own number.
#![cfg(all(target_arch = "wasm32", feature = "page"))]

use headlamp::geometry::Size;
use headlamp::page::common::playback_error::PlaybackError;
use headlamp::page::video::browser::hidden_player::HiddenPlayer;
use js_sys::{Array, Uint8Array};
use wasm_bindgen::JsCast as _;
use wasm_bindgen_test::{wasm_bindgen_test, wasm_bindgen_test_configure};
use web_sys::{Blob, CanvasRenderingContext2d, HtmlCanvasElement, ImageBitmap};

wasm_bindgen_test_configure!(run_in_browser);

const VP9: &[u8] = include_bytes!("reference/fixtures/video/vp9.mp4");
const H264: &[u8] = include_bytes!("reference/fixtures/video/h264.mkv");
const MPEG4: &[u8] = include_bytes!("reference/fixtures/video/mpeg4.mp4");

fn blob(bytes: &[u8]) -> Blob {
    Blob::new_with_u8_array_sequence(&Array::of1(&Uint8Array::from(bytes))).unwrap()
}

/// Returns the red values of the picture, in row-major order.
fn reds(bitmap: &ImageBitmap) -> Vec<u8> {
    let document = web_sys::window().unwrap().document().unwrap();
    let canvas: HtmlCanvasElement = document.create_element("canvas").unwrap().unchecked_into();
    canvas.set_width(bitmap.width());
    canvas.set_height(bitmap.height());
    let context: CanvasRenderingContext2d = canvas.get_context("2d").unwrap().unwrap().unchecked_into();
    context.draw_image_with_image_bitmap(bitmap, 0.0, 0.0).unwrap();
    let (width, height) = (f64::from(bitmap.width()), f64::from(bitmap.height()));
    let pixels = context.get_image_data(0.0, 0.0, width, height).unwrap().data().0;
    pixels.chunks(4).map(|pixel| pixel[0]).collect()
}

/// Returns the number that a frame of 128 x 64 shows as eight bars in its upper half.
fn number_in(bitmap: &ImageBitmap) -> usize {
    let reds = reds(bitmap);
    (0..8).fold(0, |number, bar| number << 1 | usize::from(reds[16 * 128 + 16 * bar + 8] > 127))
}

#[wasm_bindgen_test]
async fn the_player_returns_the_visible_frame() {
    for bytes in [VP9, H264] {
        let video = HiddenPlayer::open("clip", &blob(bytes)).await.unwrap();
        assert_eq!(video.size(), Size { width: 128, height: 64 });
        assert!((video.duration().unwrap() - 1.6).abs() < 0.05, "{:?}", video.duration());
        for frame in (0..40).chain([3, 38, 17, 17, 0]) {
            let bitmap = video.frame_at((frame as f64 + 0.5) / 25.0).await.unwrap();
            assert_eq!(number_in(&bitmap), frame);
        }
    }
}

#[wasm_bindgen_test]
async fn an_unplayable_file_gives_an_error_message() {
    for bytes in [MPEG4, b"no video", &VP9[..VP9.len() / 2]] {
        let error = HiddenPlayer::open("clip.mp4", &blob(bytes)).await.err().unwrap();
        assert!(matches!(error, PlaybackError::Unsupported { .. } | PlaybackError::Damaged { .. }), "{error}");
    }
}
