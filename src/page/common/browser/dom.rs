//! Browser functions without a wrapper in Leptos: canvases, files, downloads.

use js_sys::{Array, Uint8Array, Uint8ClampedArray};
use leptos::prelude::{document, window};
use leptos::web_sys::{
    Blob, BlobPropertyBag, CanvasRenderingContext2d, FileList, HtmlAnchorElement, HtmlCanvasElement, ImageData,
    Response, Url,
};
use wasm_bindgen::{Clamped, JsCast as _, JsValue};
use wasm_bindgen_futures::JsFuture;

use crate::geometry::Size;
use crate::page::common::content_policy;

/// Why bytes could not be read or fetched.
#[derive(Debug, thiserror::Error)]
pub enum ReadError {
    #[error("{name} could not be read: it may have been moved or changed since it was chosen. Choose it again.")]
    File { name: String },
    #[error("{name} could not be fetched: check the connection, then try again.")]
    Fetch { name: String },
    #[error(
        "{name} could not be fetched from {host}: this page fetches from its own server and the hosts that it was \
         built to allow, and those must let other pages read their files. Download the picture, and open it here."
    )]
    Foreign { name: String, host: String },
    #[error("{name} is not on the server (it answered {status}).")]
    Missing { name: String, status: u16 },
}

/// Reads the bytes of a file that the user chose, dropped or pasted.
pub async fn bytes_of(name: &str, blob: &Blob) -> Result<Uint8Array, ReadError> {
    let buffer = JsFuture::from(blob.array_buffer()).await;
    buffer.map(|buffer| Uint8Array::new(&buffer)).map_err(|_refused| ReadError::File { name: name.to_owned() })
}

/// Fetches a file of the page's own server, or of a host that the page may fetch from.
pub async fn fetch(name: &str, url: &str) -> Result<Blob, ReadError> {
    let failed = |_err: JsValue| match foreign_host(url) {
        Some(host) => ReadError::Foreign { name: name.to_owned(), host },
        None => ReadError::Fetch { name: name.to_owned() },
    };
    let response: Response = JsFuture::from(window().fetch_with_str(url)).await.map_err(failed)?.unchecked_into();
    if !response.ok() {
        return Err(ReadError::Missing { name: name.to_owned(), status: response.status() });
    }
    let blob = JsFuture::from(response.blob().map_err(failed)?).await.map_err(failed)?;
    Ok(blob.unchecked_into())
}

/// Returns a sentence that says why the page may not fetch from `url`, or `None` if the page may.
pub fn refusal(url: &str) -> Option<String> {
    let url = Url::new_with_base(url, &base()).ok()?;
    let meta = document().query_selector("meta[http-equiv='Content-Security-Policy']").ok().flatten();
    let policy = meta.and_then(|meta| meta.get_attribute("content"))?;
    let own = window().location().origin().unwrap_or_default();
    let sentence = || {
        format!(
            "This page may fetch only from its own server and {}, not from {}. The operator of this page can allow \
             that host by building the page with --allow-host {}. Or download the files, and open them from your disk.",
            content_policy::hosts(&policy).join(", "),
            url.host(),
            url.origin()
        )
    };
    (!content_policy::may_fetch(Some(&policy), &own, &url.origin())).then(sentence)
}

/// Returns the host of an address that is not the page's own.
fn foreign_host(url: &str) -> Option<String> {
    let url = Url::new_with_base(url, &base()).ok()?;
    (window().location().origin().ok() != Some(url.origin())).then(|| url.host())
}

/// Makes a picture from RGBA bytes; `None` if their number does not match the size.
pub fn image_of_buffer(rgba: &Uint8Array, size: Size) -> Option<ImageData> {
    let pixels =
        Uint8ClampedArray::new_with_byte_offset_and_length(&rgba.buffer(), rgba.byte_offset(), rgba.byte_length());
    ImageData::new_with_js_u8_clamped_array_and_sh(&pixels, size.width as u32, size.height as u32).ok()
}

/// Makes a picture from RGBA bytes in the memory of the wasm module.
pub fn image_of_slice(rgba: &[u8], size: Size) -> Option<ImageData> {
    ImageData::new_with_u8_clamped_array_and_sh(Clamped(rgba), size.width as u32, size.height as u32).ok()
}

/// Gives the canvas a size in pixels, clears it, and draws a picture with its pixel (left, top) in the corner.
pub fn paint(canvas: &HtmlCanvasElement, size: Size, image: Option<&ImageData>, (left, top): (f64, f64)) {
    canvas.set_width(size.width as u32);
    canvas.set_height(size.height as u32);
    let context = canvas.get_context("2d").ok().flatten();
    let context = context.and_then(|context| context.dyn_into::<CanvasRenderingContext2d>().ok());
    if let Some((context, image)) = context.zip(image) {
        // This fails only for pictures whose buffer was transferred, and these are not.
        let _painted = context.put_image_data(image, -left, -top);
    }
}

/// Returns the files of a list, in its order.
pub fn files_of(list: Option<FileList>) -> Vec<leptos::web_sys::File> {
    let list = list.as_ref();
    list.map(|list| (0..list.length()).filter_map(|index| list.get(index)).collect()).unwrap_or_default()
}

/// Saves bytes as a file on the user's machine.
pub fn download(name: &str, kind: &str, bytes: &Uint8Array) {
    if let Some(blob) = blob_of(kind, bytes) {
        save(name, &blob);
    }
}

/// Returns a canvas as a PNG file; `None` if the canvas is too large for the browser.
pub fn png_of(canvas: &HtmlCanvasElement) -> Option<Blob> {
    let url = canvas.to_data_url_with_type("image/png").ok()?;
    let base64 = url.strip_prefix("data:image/png;base64,")?;
    let binary = window().atob(base64).ok()?;
    // Each character is one byte.
    let bytes: Vec<u8> = binary.chars().map(|byte| byte as u8).collect();
    blob_of("image/png", &Uint8Array::from(&bytes[..]))
}

/// Makes a file from bytes and a media type.
pub fn blob_of(kind: &str, bytes: &Uint8Array) -> Option<Blob> {
    let options = BlobPropertyBag::new();
    options.set_type(kind);
    // This fails only for lists that contain anything other than bytes.
    Blob::new_with_u8_array_sequence_and_options(&Array::of1(bytes), &options).ok()
}

/// The address of a file in the page's memory. Dropping the value revokes the address.
#[derive(Debug)]
pub struct ObjectUrl(String);

impl ObjectUrl {
    /// Makes an address; `None` if the browser gives no more addresses.
    pub fn of(blob: &Blob) -> Option<Self> {
        Url::create_object_url_with_blob(blob).ok().map(Self)
    }

    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl Drop for ObjectUrl {
    fn drop(&mut self) {
        let _revoked = Url::revoke_object_url(&self.0);
    }
}

/// Saves a file on the user's machine.
pub fn save(name: &str, blob: &Blob) {
    let Some(url) = ObjectUrl::of(blob) else { return };
    if let Ok(link) = document().create_element("a") {
        let link: HtmlAnchorElement = link.unchecked_into();
        link.set_href(url.as_str());
        link.set_download(name);
        link.click();
    }
}

/// Scrolls to the first element that a CSS selector matches.
pub fn scroll_to(selector: &str) {
    if let Some(found) = document().query_selector(selector).ok().flatten() {
        found.scroll_into_view_with_bool(true);
    }
}

/// Returns the query of the page's address.
pub fn query() -> String {
    window().location().search().unwrap_or_default()
}

/// Returns the page's address without query and fragment.
pub fn base() -> String {
    let href = window().location().href().unwrap_or_default();
    href.split(['?', '#']).next().unwrap_or_default().to_owned()
}
