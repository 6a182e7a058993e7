//! Fetching a pack's files, verified as they come.

use std::collections::BTreeMap;
use std::ops::Range;

use js_sys::{Function, Promise, Reflect, Uint8Array};
use wasm_bindgen::{JsCast as _, JsValue};
use wasm_bindgen_futures::JsFuture;
use web_sys::{ReadableStreamDefaultReader, Request, RequestCache, RequestInit, Response, WorkerGlobalScope};

use super::shelf::{self, Shelf};
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
    #[error(
        "{file} ({bytes} bytes) does not fit into this browser's memory; close other tabs, or use a smaller pack"
    )]
    Memory { file: String, bytes: u64 },
    #[error("the server of {url} sends whole files only: download the file, and open it from your disk")]
    NoRanges { url: String },
    #[error("this model is not kept whole on this machine: remove it, and open its weights again")]
    NotKept,
    #[error(transparent)]
    Pack(#[from] CheckpointError),
}

/// Fetches the pack in the folder `url`, and keeps it on the [`Shelf`]: what is there already is not fetched
/// again, and without a network the kept pack opens. `progress` hears the bytes done and the bytes in all.
pub(super) async fn pack(url: &str, mut progress: impl FnMut(u64, u64)) -> Result<Pack, FetchError> {
    let folder = folder(url);
    let shelf = Shelf::open().await;
    let (manifest, newer) = manifest(&folder, &shelf).await?;
    let (came, some_were_kept) = files(&folder, &manifest, &shelf, Trust::Size, &mut progress).await?;
    let made = match Pack::new(manifest.clone(), came) {
        // What was kept is of another pack than the manifest's, or damaged.
        Err(_mismatch) if some_were_kept => {
            let (came, _) = files(&folder, &manifest, &shelf, Trust::Hash, &mut progress).await?;
            Pack::new(manifest, came)?
        }
        made => made?,
    };
    if let Some(newer) = newer {
        shelf.keep_bytes(&format!("{folder}{}", pack::MANIFEST), &newer).await;
    }
    Ok(made)
}

/// By what a kept file is known for the manifest's. Hashes of all are looked at in the end; before, it takes long.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Trust {
    Size,
    Hash,
}

/// A pack's folder as files' names are put after it.
pub(super) fn folder(url: &str) -> String {
    format!("{}/", url.trim_end_matches('/'))
}

/// A file of a pack's folder as the shelf has it; none where that is another one, or there is none.
pub(super) async fn kept(folder: &str, file: &PackFile) -> Option<Vec<u8>> {
    let kept = Shelf::open().await.find(&format!("{folder}{}", file.path)).await?;
    let bytes = kept.bytes(Some(file.bytes), file.bytes, |_bytes| {}).await.ok()?;
    file.verify(&bytes).is_ok().then_some(bytes)
}

/// The manifest as the server has it now; as it was kept, where the server cannot be reached, or has none that this
/// program reads. The bytes of one that is to take a kept one's place are given back, for when all that it lists has
/// come: what does not open is not to take the place of what does.
async fn manifest(folder: &str, shelf: &Shelf) -> Result<(Manifest, Option<Vec<u8>>), FetchError> {
    let url = format!("{folder}{}", pack::MANIFEST);
    let kept = shelf.find(&url).await;
    let came = match Download::start(folder, pack::MANIFEST).await {
        Ok(download) => download.manifest().await,
        Err(err) => Err(err),
    };
    match (came, kept) {
        (Ok((manifest, bytes)), Some(_kept)) => Ok((manifest, Some(bytes))),
        (Ok((manifest, bytes)), None) => {
            shelf.keep_bytes(&url, &bytes).await;
            Ok((manifest, None))
        }
        (Err(FetchError::Unreachable { .. } | FetchError::NotKept | FetchError::Pack(_)), Some(kept)) => {
            Ok((kept.manifest().await?.0, None))
        }
        (Err(err), _) => Err(err),
    }
}

/// The bytes of all of a pack's files, from the shelf where it has them, and whether it had any.
async fn files(
    folder: &str,
    manifest: &Manifest,
    shelf: &Shelf,
    trust: Trust,
    progress: &mut impl FnMut(u64, u64),
) -> Result<(BTreeMap<String, Vec<u8>>, bool), FetchError> {
    let total = manifest.bytes();
    let (mut files, mut some_were_kept) = (BTreeMap::new(), false);
    let mut before = 0;
    for file in &manifest.files {
        let PackFile { path, bytes, .. } = file;
        let url = format!("{folder}{path}");
        let mut read = |done| progress(before + done, total);
        let kept = match shelf.find(&url).await {
            // One that is larger than the manifest's is of an older pack.
            Some(kept) => kept.bytes(Some(*bytes), *bytes, &mut read).await.ok(),
            None => None,
        };
        let kept = kept.filter(|body| trust == Trust::Size || file.verify(body).is_ok());
        some_were_kept |= kept.is_some();
        let body = match kept {
            Some(body) => body,
            None => {
                let download = Download::start(folder, path).await?;
                let keeping = shelf.keep(&url, &download.response);
                let (mut body, cut_off) = download.bytes_to_the_cut(*bytes, &mut read).await?;
                keeping.end().await;
                if let Some(err) = cut_off {
                    // A server that gives parts gives the rest; the shelf has got no file, or half of one.
                    let rest = part(&url, body.len() as u64..*bytes).await.map_err(|_gone| err)?;
                    body.extend(rest);
                    shelf.keep_bytes(&url, &body).await;
                }
                body
            }
        };
        before += bytes;
        files.insert(path.clone(), body);
    }
    Ok((files, some_were_kept))
}

/// How often a part that stops coming is asked for again.
const TRIES: usize = 4;

/// A small file: a config, or a list.
pub(super) async fn small(url: &str) -> Result<Vec<u8>, FetchError> {
    Download::ask(url, None).await?.bytes(None, LARGEST_MANIFEST, |_bytes| {}).await
}

/// How many bytes a file has.
pub(super) async fn length(url: &str) -> Result<u64, FetchError> {
    let Download { response, .. } = Download::ask(url, Some(0..8)).await?;
    let header = |response: &Response, name: &str| response.headers().get(name).ok().flatten();
    // "bytes 0-7/605156676"
    let told = header(&response, "content-range");
    let total = told.as_deref().and_then(|told| told.rsplit('/').next()?.parse().ok());
    match total {
        Some(total) => Ok(total),
        // A server of another origin may keep that to itself, but not a file's length.
        None => {
            let options = RequestInit::new();
            options.set_method("HEAD");
            let head = ask(url, &options).await?;
            let told = header(&head, "content-length").and_then(|length| length.parse().ok());
            told.ok_or_else(|| FetchError::NoRanges { url: url.to_owned() })
        }
    }
}

/// The bytes of a part of a file. A part that breaks off is taken up where it did.
pub(super) async fn part(url: &str, range: Range<u64>) -> Result<Vec<u8>, FetchError> {
    let mut bytes: Vec<u8> = Vec::new();
    for attempt in 1.. {
        let rest = range.start + bytes.len() as u64..range.end;
        let most = rest.end - rest.start;
        let came = match Download::ask(url, Some(rest)).await {
            Ok(download) if download.response.status() != 206 => {
                return Err(FetchError::NoRanges { url: url.to_owned() });
            }
            Ok(download) => download.append(&mut bytes, most, |_bytes| {}).await,
            Err(err) => Err(err),
        };
        match came {
            Ok(()) if bytes.len() as u64 == range.end - range.start => break,
            Err(err @ (FetchError::Missing { .. } | FetchError::Memory { .. } | FetchError::Pack(_))) => {
                return Err(err);
            }
            Err(err) if attempt == TRIES => return Err(err),
            Ok(()) if attempt == TRIES => {
                return Err(FetchError::CutOff { file: url.to_owned(), done: range.start + bytes.len() as u64 });
            }
            Ok(()) | Err(_) => {}
        }
    }
    Ok(bytes)
}

/// What the loader asked for while this worker was being compiled (`www/worker_loader.js`); none, where it did not ask
/// for `url`.
async fn take_early(url: &str) -> Option<Result<Response, FetchError>> {
    let take: Function = Reflect::get(&js_sys::global(), &"takeEarly".into()).ok()?.dyn_into().ok()?;
    let absolute = Request::new_with_str(url).ok()?.url();
    let taken: Promise = take.call1(&JsValue::UNDEFINED, &absolute.into()).ok()?.dyn_into().ok()?;
    match JsFuture::from(taken).await {
        Ok(response) => response.dyn_into().ok().map(Ok),
        Err(_unreachable) => Some(Err(FetchError::Unreachable { url: url.to_owned() })),
    }
}

async fn ask(url: &str, options: &RequestInit) -> Result<Response, FetchError> {
    let unreachable = |_err: JsValue| FetchError::Unreachable { url: url.to_owned() };
    let request = Request::new_with_str_and_init(url, options).map_err(unreachable)?;
    let scope: WorkerGlobalScope = js_sys::global().unchecked_into();
    let response = JsFuture::from(scope.fetch_with_request(&request)).await.map_err(unreachable)?;
    Ok(response.unchecked_into())
}

/// A file whose bytes are coming.
pub(super) struct Download {
    pub(super) file: String,
    pub(super) response: Response,
}

impl Download {
    async fn start(folder: &str, file: &str) -> Result<Self, FetchError> {
        if shelf::is_converted(folder) {
            return Err(FetchError::NotKept);
        }
        let url = format!("{folder}{file}");
        let response = match take_early(&url).await {
            Some(response) => response?,
            None => {
                let options = RequestInit::new();
                // The server says whether the copy at hand is still good: a new pack must not meet old weights.
                options.set_cache(RequestCache::NoCache);
                ask(&url, &options).await?
            }
        };
        Self::of(response, folder, file)
    }

    /// Asks for a file, or for part of it.
    async fn ask(url: &str, range: Option<Range<u64>>) -> Result<Self, FetchError> {
        let options = RequestInit::new();
        if let Some(range) = range {
            // A range of this form needs no permission of another origin's server.
            let headers = js_sys::Object::new();
            let bytes = format!("bytes={}-{}", range.start, range.end.saturating_sub(1));
            let _set = Reflect::set(&headers, &"Range".into(), &bytes.into());
            options.set_headers(&headers);
        }
        Self::of(ask(url, &options).await?, url, url)
    }

    fn of(response: Response, place: &str, file: &str) -> Result<Self, FetchError> {
        match response.status() {
            200..=299 => Ok(Self { file: file.to_owned(), response }),
            404 | 410 => Err(FetchError::Missing { url: place.to_owned(), file: file.to_owned() }),
            status => Err(FetchError::Refused { url: place.to_owned(), status }),
        }
    }

    /// The body as a manifest, and its bytes.
    pub(super) async fn manifest(self) -> Result<(Manifest, Vec<u8>), FetchError> {
        let bytes = self.bytes(None, LARGEST_MANIFEST, |_bytes| {}).await?;
        Ok((Manifest::parse(&bytes)?, bytes))
    }

    /// The body: `expected` bytes where that is known, `most` at most.
    async fn bytes(
        self,
        expected: Option<u64>,
        most: u64,
        progress: impl FnMut(u64),
    ) -> Result<Vec<u8>, FetchError> {
        let mut body = Vec::new();
        let no_room = |bytes| FetchError::Memory { file: self.file.clone(), bytes };
        let expected_len = usize::try_from(expected.unwrap_or(0)).map_err(|_large| no_room(most))?;
        body.try_reserve_exact(expected_len).map_err(|_full| no_room(most))?;
        self.append(&mut body, most, progress).await?;
        Ok(body)
    }

    /// The body of a file of `expected` bytes; where it breaks off half-way, what has come, and why there is no more.
    async fn bytes_to_the_cut(
        self,
        expected: u64,
        progress: impl FnMut(u64),
    ) -> Result<(Vec<u8>, Option<FetchError>), FetchError> {
        let file = self.file.clone();
        let no_room = || FetchError::Memory { file: file.clone(), bytes: expected };
        let mut body = Vec::new();
        let room = usize::try_from(expected).map_err(|_large| no_room())?;
        body.try_reserve_exact(room).map_err(|_full| no_room())?;
        match self.append(&mut body, expected, progress).await {
            Err(err @ FetchError::CutOff { .. }) => Ok((body, Some(err))),
            Ok(()) if (body.len() as u64) < expected => {
                let done = body.len() as u64;
                Ok((body, Some(FetchError::CutOff { file, done })))
            }
            came => came.map(|()| (body, None)),
        }
    }

    /// Adds what comes to `body`; what has come stays there when it breaks off.
    async fn append(self, body: &mut Vec<u8>, most: u64, mut progress: impl FnMut(u64)) -> Result<(), FetchError> {
        let Self { file, response } = self;
        let before = body.len() as u64;
        let no_room = |bytes| FetchError::Memory { file: file.clone(), bytes };
        let Some(stream) = response.body() else { return Ok(()) };
        let reader: ReadableStreamDefaultReader = stream.get_reader().unchecked_into();
        loop {
            let done = body.len() as u64 - before;
            let cut_off = |_err: JsValue| FetchError::CutOff { file: file.clone(), done };
            let part = JsFuture::from(reader.read()).await.map_err(cut_off)?;
            let field = |name: &str| Reflect::get(&part, &name.into()).map_err(cut_off);
            if field("done")?.is_truthy() {
                return Ok(());
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
