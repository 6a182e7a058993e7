//! Fetching a pack's files, verified as they come.

use std::collections::BTreeMap;

use js_sys::{Reflect, Uint8Array};
use wasm_bindgen::{JsCast as _, JsValue};
use wasm_bindgen_futures::JsFuture;
use web_sys::{ReadableStreamDefaultReader, Request, RequestCache, RequestInit, Response, WorkerGlobalScope};

use crate::checkpoint::{CheckpointError, Manifest, Pack, PackFile, pack};

/// No manifest is larger than this.
const LARGEST_MANIFEST: u64 = 16 << 20;

/// A pack that could not be fetched.
#[derive(Debug, thiserror::Error)]
pub(super) enum FetchError {
    #[error("there is no pack at {url}: check its address (the server has no {file} there)")]
    Missing { url: String, file: String },
    #[error("{url} could not be reached: check the connection, then try again")]
    Unreachable { url: String },
    #[error("the server refused {url} (status {status}); try again later")]
    Refused { url: String, status: u16 },
    #[error("{file} stopped coming after {done} bytes: check the connection, then try again")]
    CutOff { file: String, done: u64 },
    #[error("{file} ({bytes} bytes) does not fit into this browser's memory; close other tabs, or use a smaller pack")]
    Memory { file: String, bytes: u64 },
    #[error(transparent)]
    Pack(#[from] CheckpointError),
}

/// Fetches the pack in the folder `url`; `progress` hears the bytes done and the bytes in all.
pub(super) async fn pack(url: &str, mut progress: impl FnMut(u64, u64)) -> Result<Pack, FetchError> {
    let folder = format!("{}/", url.trim_end_matches('/'));
    let manifest = Download::start(&folder, pack::MANIFEST).await?;
    let manifest = Manifest::parse(&manifest.bytes(None, LARGEST_MANIFEST, |_bytes| {}).await?)?;
    let total = manifest.bytes();
    let mut files = BTreeMap::new();
    let mut before = 0;
    for PackFile { path, bytes, .. } in &manifest.files {
        let download = Download::start(&folder, path).await?;
        let body = download.bytes(Some(*bytes), *bytes, |done| progress(before + done, total)).await?;
        before += bytes;
        files.insert(path.clone(), body);
    }
    Ok(Pack::new(manifest, files)?)
}

/// A file whose bytes are coming.
struct Download {
    file: String,
    response: Response,
}

impl Download {
    async fn start(folder: &str, file: &str) -> Result<Self, FetchError> {
        let url = format!("{folder}{file}");
        let unreachable = |_err: JsValue| FetchError::Unreachable { url: url.clone() };
        let options = RequestInit::new();
        // The server says whether the copy at hand is still good: a new pack must not meet old weights.
        options.set_cache(RequestCache::NoCache);
        let request = Request::new_with_str_and_init(&url, &options).map_err(unreachable)?;
        let scope: WorkerGlobalScope = js_sys::global().unchecked_into();
        let response = JsFuture::from(scope.fetch_with_request(&request)).await.map_err(unreachable)?;
        let response: Response = response.unchecked_into();
        match response.status() {
            200..=299 => Ok(Self { file: file.to_owned(), response }),
            404 | 410 => Err(FetchError::Missing { url: folder.to_owned(), file: file.to_owned() }),
            status => Err(FetchError::Refused { url, status }),
        }
    }

    /// The body: `expected` bytes where that is known, `most` at most.
    async fn bytes(
        self,
        expected: Option<u64>,
        most: u64,
        mut progress: impl FnMut(u64),
    ) -> Result<Vec<u8>, FetchError> {
        let Self { file, response } = self;
        let mut body = Vec::new();
        let no_room = |bytes| FetchError::Memory { file: file.clone(), bytes };
        let expected_len = usize::try_from(expected.unwrap_or(0)).map_err(|_large| no_room(most))?;
        body.try_reserve_exact(expected_len).map_err(|_full| no_room(most))?;
        let Some(stream) = response.body() else { return Ok(body) };
        let reader: ReadableStreamDefaultReader = stream.get_reader().unchecked_into();
        loop {
            let done = body.len() as u64;
            let cut_off = |_err: JsValue| FetchError::CutOff { file: file.clone(), done };
            let part = JsFuture::from(reader.read()).await.map_err(cut_off)?;
            let field = |name: &str| Reflect::get(&part, &name.into()).map_err(cut_off);
            if field("done")?.is_truthy() {
                return Ok(body);
            }
            let chunk: Uint8Array = field("value")?.unchecked_into();
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
