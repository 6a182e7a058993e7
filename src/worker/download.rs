//! Downloads: whole files and parts of files, with limits.

use std::ops::Range;

use js_sys::{Function, Promise, Reflect, Uint8Array};
use wasm_bindgen::{JsCast as _, JsValue};
use wasm_bindgen_futures::JsFuture;
use web_sys::{ReadableStreamDefaultReader, Request, RequestCache, RequestInit, Response, WorkerGlobalScope};

use crate::checkpoint::{CheckpointError, Manifest};
use crate::session::memory::NoRoomForModel;

/// The maximal size of a manifest, and of any other small file, in bytes.
pub(super) const LARGEST_SMALL_FILE: u64 = 16 << 20;

/// How often a part is requested before the download fails.
pub(super) const TRIES: usize = 4;

/// Why a file could not be downloaded.
#[derive(Debug, thiserror::Error)]
pub(super) enum DownloadError {
    #[error("there is no pack at {url}: check its address (the server has no {file} there)")]
    Missing { url: String, file: String },
    #[error("{url} could not be reached: check the connection, then try again")]
    Unreachable { url: String },
    #[error("the server refused {url} (status {status}); try again later")]
    Refused { url: String, status: u16 },
    #[error("{file} broke off after {done} bytes: check the connection, then try again")]
    CutOff { file: String, done: u64 },
    #[error(
        "{file} ({bytes} bytes) does not fit into this browser's memory; close other tabs, or use a smaller pack"
    )]
    Memory { file: String, bytes: u64 },
    #[error("the server of {url} sends whole files only: download the file, and open it from your disk")]
    NoRanges { url: String },
    #[error("this model is not stored completely on this machine: remove it, and open its weights again")]
    NotKept,
    #[error(transparent)]
    NoRoom(#[from] NoRoomForModel),
    #[error(transparent)]
    Pack(#[from] CheckpointError),
}

/// Downloads a small file: a config, or a list.
pub(super) async fn small(url: &str) -> Result<Vec<u8>, DownloadError> {
    Download::ask(url, None).await?.bytes(None, LARGEST_SMALL_FILE, |_bytes| {}).await
}

/// Returns the size of a file, in bytes.
pub(super) async fn length(url: &str) -> Result<u64, DownloadError> {
    let Download { response, .. } = Download::ask(url, Some(0..8)).await?;
    let header = |response: &Response, name: &str| response.headers().get(name).ok().flatten();
    // "bytes 0-7/605156676"
    let range = header(&response, "content-range");
    let total = range.as_deref().and_then(|range| range.rsplit('/').next()?.parse().ok());
    match total {
        Some(total) => Ok(total),
        // A server of another origin may hide "content-range", but not "content-length".
        None => {
            let options = RequestInit::new();
            options.set_method("HEAD");
            let head = ask(url, &options).await?;
            let length = header(&head, "content-length").and_then(|length| length.parse().ok());
            length.ok_or_else(|| DownloadError::NoRanges { url: url.to_owned() })
        }
    }
}

/// Downloads a part of a file. If the download breaks off, continues at the same byte.
pub(super) async fn part(url: &str, range: Range<u64>) -> Result<Vec<u8>, DownloadError> {
    let mut bytes: Vec<u8> = Vec::new();
    for attempt in 1.. {
        let rest = range.start + bytes.len() as u64..range.end;
        let most = rest.end - rest.start;
        let result = match Download::ask(url, Some(rest)).await {
            Ok(download) if download.response.status() != 206 => {
                return Err(DownloadError::NoRanges { url: url.to_owned() });
            }
            Ok(download) => download.append(&mut bytes, most, |_bytes| {}).await,
            Err(err) => Err(err),
        };
        match result {
            Ok(()) if bytes.len() as u64 == range.end - range.start => break,
            Err(err @ (DownloadError::Missing { .. } | DownloadError::Memory { .. } | DownloadError::Pack(_))) => {
                return Err(err);
            }
            Err(err) if attempt == TRIES => return Err(err),
            Ok(()) if attempt == TRIES => {
                return Err(DownloadError::CutOff {
                    file: url.to_owned(),
                    done: range.start + bytes.len() as u64,
                });
            }
            Ok(()) | Err(_) => {}
        }
    }
    Ok(bytes)
}

/// Returns the response that the loader requested while the browser compiled this worker (`www/worker_loader.js`).
/// Returns `None` if the loader did not request `url`.
async fn take_early(url: &str) -> Option<Result<Response, DownloadError>> {
    let take: Function = Reflect::get(&js_sys::global(), &"takeEarly".into()).ok()?.dyn_into().ok()?;
    let absolute = Request::new_with_str(url).ok()?.url();
    let taken: Promise = take.call1(&JsValue::UNDEFINED, &absolute.into()).ok()?.dyn_into().ok()?;
    match JsFuture::from(taken).await {
        Ok(response) => response.dyn_into().ok().map(Ok),
        Err(_unreachable) => Some(Err(DownloadError::Unreachable { url: url.to_owned() })),
    }
}

async fn ask(url: &str, options: &RequestInit) -> Result<Response, DownloadError> {
    let unreachable = |_err: JsValue| DownloadError::Unreachable { url: url.to_owned() };
    let request = Request::new_with_str_and_init(url, options).map_err(unreachable)?;
    let scope: WorkerGlobalScope = js_sys::global().unchecked_into();
    let response = JsFuture::from(scope.fetch_with_request(&request)).await.map_err(unreachable)?;
    Ok(response.unchecked_into())
}

/// A response from the network or from a `Cache`. Its body was not read yet.
pub(super) struct Download {
    pub(super) file: String,
    pub(super) response: Response,
}

impl Download {
    /// Starts the download of a file in a folder.
    pub(super) async fn start(folder: &str, file: &str) -> Result<Self, DownloadError> {
        let url = format!("{folder}{file}");
        let response = match take_early(&url).await {
            Some(response) => response?,
            None => {
                let options = RequestInit::new();
                // The browser must ask the server whether the cached copy is current: a new pack must not get old
                // weights.
                options.set_cache(RequestCache::NoCache);
                ask(&url, &options).await?
            }
        };
        Self::of(response, folder, file)
    }

    /// Requests a file, or a part of it.
    pub(super) async fn ask(url: &str, range: Option<Range<u64>>) -> Result<Self, DownloadError> {
        let options = RequestInit::new();
        if let Some(range) = range {
            // With a range of this form, the browser needs no permission (no CORS preflight) from a server of another
            // origin.
            let headers = js_sys::Object::new();
            let bytes = format!("bytes={}-{}", range.start, range.end.saturating_sub(1));
            let _set = Reflect::set(&headers, &"Range".into(), &bytes.into());
            options.set_headers(&headers);
        }
        Self::of(ask(url, &options).await?, url, url)
    }

    fn of(response: Response, place: &str, file: &str) -> Result<Self, DownloadError> {
        match response.status() {
            200..=299 => Ok(Self { file: file.to_owned(), response }),
            404 | 410 => Err(DownloadError::Missing { url: place.to_owned(), file: file.to_owned() }),
            status => Err(DownloadError::Refused { url: place.to_owned(), status }),
        }
    }

    /// Reads the body as a manifest; also returns its bytes.
    pub(super) async fn manifest(self) -> Result<(Manifest, Vec<u8>), DownloadError> {
        let bytes = self.bytes(None, LARGEST_SMALL_FILE, |_bytes| {}).await?;
        Ok((Manifest::parse(&bytes)?, bytes))
    }

    /// Reads the body: `expected` bytes if that is known, and at most `most` bytes.
    pub(super) async fn bytes(
        self,
        expected: Option<u64>,
        most: u64,
        progress: impl FnMut(u64),
    ) -> Result<Vec<u8>, DownloadError> {
        let mut body = Vec::new();
        let no_room = |bytes| DownloadError::Memory { file: self.file.clone(), bytes };
        let expected_len = usize::try_from(expected.unwrap_or(0)).map_err(|_large| no_room(most))?;
        body.try_reserve_exact(expected_len).map_err(|_full| no_room(most))?;
        self.append(&mut body, most, progress).await?;
        Ok(body)
    }

    /// Reads the body of a file of `expected` bytes. If the download breaks off, returns the bytes so far and the
    /// error.
    pub(super) async fn bytes_to_the_cut(
        self,
        expected: u64,
        progress: impl FnMut(u64),
    ) -> Result<(Vec<u8>, Option<DownloadError>), DownloadError> {
        let file = self.file.clone();
        let no_room = || DownloadError::Memory { file: file.clone(), bytes: expected };
        let mut body = Vec::new();
        let room = usize::try_from(expected).map_err(|_large| no_room())?;
        body.try_reserve_exact(room).map_err(|_full| no_room())?;
        match self.append(&mut body, expected, progress).await {
            Err(err @ DownloadError::CutOff { .. }) => Ok((body, Some(err))),
            Ok(()) if (body.len() as u64) < expected => {
                let done = body.len() as u64;
                Ok((body, Some(DownloadError::CutOff { file, done })))
            }
            result => result.map(|()| (body, None)),
        }
    }

    /// Appends the body to `body`. If the download breaks off, the bytes so far stay in `body`.
    async fn append(
        self,
        body: &mut Vec<u8>,
        most: u64,
        mut progress: impl FnMut(u64),
    ) -> Result<(), DownloadError> {
        let Self { file, response } = self;
        let before = body.len() as u64;
        let no_room = |bytes| DownloadError::Memory { file: file.clone(), bytes };
        let Some(stream) = response.body() else { return Ok(()) };
        let reader: ReadableStreamDefaultReader = stream.get_reader().unchecked_into();
        loop {
            let done = body.len() as u64 - before;
            let cut_off = |_err: JsValue| DownloadError::CutOff { file: file.clone(), done };
            let Some(chunk) = next_chunk(&reader).await.map_err(cut_off)? else { return Ok(()) };
            let after = done + u64::from(chunk.length());
            if after > most {
                let _cancelled = reader.cancel();
                let size = CheckpointError::Size { file: file.clone(), expected: most, found: after };
                return Err(size.into());
            }
            body.try_reserve(chunk.length() as usize).map_err(|_full| no_room(after))?;
            body.extend(chunk.to_vec());
            progress(after);
        }
    }
}

/// Returns the next bytes of a stream; `None` at its end.
pub(super) async fn next_chunk(reader: &ReadableStreamDefaultReader) -> Result<Option<Uint8Array>, JsValue> {
    let part = JsFuture::from(reader.read()).await?;
    if Reflect::get(&part, &"done".into())?.is_truthy() {
        return Ok(None);
    }
    Ok(Some(Reflect::get(&part, &"value".into())?.unchecked_into()))
}
