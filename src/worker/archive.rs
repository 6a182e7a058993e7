//! Opens a pack in one file, from the person's disk or from a server. The file is read once, from its beginning to its
//! end, and memory never contains a file of the pack twice.

use js_sys::Uint8Array;
use wasm_bindgen::JsCast as _;
use web_sys::{Blob, ReadableStream, ReadableStreamDefaultReader};

use super::download::{Download, DownloadError, TRIES, next_chunk};
use super::pack_store::PackStore;
use crate::checkpoint::Pack;
use crate::checkpoint::pack::{ArchiveReader, BLOCK};
use crate::session::memory;

/// Reads an archive on the person's disk. `progress` receives the bytes done and the bytes in total.
///
/// # Errors
/// [`DownloadError::NoRoom`], before any weights are read, if the model needs more memory than `room` bytes.
pub(super) async fn of_file(
    name: &str,
    file: &Blob,
    room: Option<u64>,
    mut progress: impl FnMut(u64, u64),
) -> Result<Pack, DownloadError> {
    let mut stream = ArchiveStream::new(name, file.stream(), Some(file.size() as u64), None);
    stream.read_next(&mut progress).await?;
    stream.check_memory(room)?;
    while stream.read_next(&mut progress).await? {}
    Ok(stream.archive.finish()?)
}

/// Downloads an archive, and stores its files in `folder`: the archive's address with a slash at the end. If the
/// archive's manifest is the stored one, the rest is not downloaded. Without a network, returns the stored pack.
///
/// # Errors
/// [`DownloadError::NoRoom`], as [`of_file`].
pub(super) async fn download(
    folder: &str,
    store: &PackStore,
    room: Option<u64>,
    mut progress: impl FnMut(u64, u64),
) -> Result<Pack, DownloadError> {
    let address = folder.trim_end_matches('/');
    let name_start = address.rfind('/').map_or(0, |slash| slash + 1);
    let (place, name) = address.split_at(name_start);
    let response = match Download::start(place, name).await {
        Ok(download) => download.response,
        Err(err @ DownloadError::Unreachable { .. }) => {
            let pack = store.pack(folder, None, progress).await.ok_or(err)?;
            memory::check(pack.manifest.bytes(), pack.manifest.parameters(), room)?;
            return Ok(pack);
        }
        Err(err) => return Err(err),
    };
    let length = response.headers().get("content-length").ok().flatten();
    let empty = || DownloadError::CutOff { file: name.to_owned(), done: 0 };
    let length = length.and_then(|length| length.parse().ok());
    let body = response.body().ok_or_else(empty)?;
    let mut stream = ArchiveStream::new(name, body, length, Some(address.to_owned()));
    stream.read_next(&mut progress).await?;
    stream.check_memory(room)?;
    if let Some(stored) = store.pack(folder, stream.archive.manifest(), &mut progress).await {
        stream.cancel();
        return Ok(stored);
    }
    while stream.read_next(&mut progress).await? {}
    let pack = stream.archive.finish()?;
    // If there is no room, the pack opens all the same.
    let _no_room = store.put_pack(folder, &pack).await;
    Ok(pack)
}

/// An archive that is being read.
struct ArchiveStream {
    name: String,
    archive: ArchiveReader,
    reader: ReadableStreamDefaultReader,
    /// The bytes that the browser has read and that were not taken yet.
    ahead: Uint8Array,
    /// The number of bytes that were taken.
    done: u64,
    length: Option<u64>,
    /// The address of a download, from which the rest can be requested.
    address: Option<String>,
    /// How often the rest was requested.
    resumed: usize,
}

impl ArchiveStream {
    fn new(name: &str, stream: ReadableStream, length: Option<u64>, address: Option<String>) -> Self {
        Self {
            name: name.to_owned(),
            archive: ArchiveReader::new(name),
            reader: stream.get_reader().unchecked_into(),
            ahead: Uint8Array::new_with_length(0),
            done: 0,
            length,
            address,
            resumed: 0,
        }
    }

    /// Reads the next file of the archive. Returns false at the archive's end.
    async fn read_next(&mut self, progress: &mut impl FnMut(u64, u64)) -> Result<bool, DownloadError> {
        let read = self.read_entry(progress).await;
        if !matches!(read, Ok(true)) {
            self.cancel();
        }
        read
    }

    async fn read_entry(&mut self, progress: &mut impl FnMut(u64, u64)) -> Result<bool, DownloadError> {
        let mut block = [0; BLOCK];
        block.copy_from_slice(&self.take(BLOCK as u64, progress).await?);
        let Some(entry) = self.archive.header(&block)? else { return Ok(false) };
        let padding = entry.padding() as u64;
        let bytes = self.take(entry.bytes, progress).await?;
        let _zeros = self.take(padding, progress).await?;
        self.archive.push(entry, bytes)?;
        Ok(true)
    }

    /// Takes the next `count` bytes.
    async fn take(&mut self, count: u64, progress: &mut impl FnMut(u64, u64)) -> Result<Vec<u8>, DownloadError> {
        let no_room = || DownloadError::Memory { file: self.name.clone(), bytes: count };
        let count = usize::try_from(count).map_err(|_large| no_room())?;
        let mut bytes = Vec::new();
        bytes.try_reserve_exact(count).map_err(|_full| no_room())?;
        while bytes.len() < count {
            if self.ahead.length() == 0 {
                self.ahead = match next_chunk(&self.reader).await {
                    Ok(Some(chunk)) => chunk,
                    _ended_early if self.resume().await => continue,
                    Ok(None) => return Err(self.archive.cut_off().into()),
                    Err(_broken) => {
                        return Err(DownloadError::CutOff { file: self.name.clone(), done: self.done });
                    }
                };
            }
            let (before, room) = (bytes.len(), count - bytes.len());
            let part = self.ahead.length().min(u32::try_from(room).unwrap_or(u32::MAX));
            bytes.resize(before + part as usize, 0);
            self.ahead.subarray(0, part).copy_to(&mut bytes[before..]);
            self.ahead = self.ahead.subarray(part, self.ahead.length());
            self.done += u64::from(part);
            progress(self.done, self.length.unwrap_or(self.done).max(self.done));
        }
        Ok(bytes)
    }

    /// Checks that the model fits into `room` bytes of memory, as soon as the manifest has been read. If the model does
    /// not fit, ends the download of the rest.
    fn check_memory(&self, room: Option<u64>) -> Result<(), DownloadError> {
        let Some(manifest) = self.archive.manifest() else { return Ok(()) };
        let checked = memory::check(manifest.bytes(), manifest.parameters(), room);
        if checked.is_err() {
            self.cancel();
        }
        Ok(checked?)
    }

    /// Requests the rest of a download that has ended early. Returns whether the server sends the rest.
    async fn resume(&mut self) -> bool {
        let (Some(address), Some(length)) = (&self.address, self.length) else { return false };
        if self.resumed == TRIES || self.done >= length {
            return false;
        }
        self.resumed += 1;
        let rest = Download::ask(address, Some(self.done..length)).await;
        // Status 206 means that the server sends the requested part, and not the whole file.
        let rest = rest.ok().filter(|rest| rest.response.status() == 206);
        let Some(body) = rest.and_then(|rest| rest.response.body()) else { return false };
        self.reader = body.get_reader().unchecked_into();
        true
    }

    /// Ends the download of the rest.
    fn cancel(&self) {
        let _cancelled = self.reader.cancel();
    }
}
