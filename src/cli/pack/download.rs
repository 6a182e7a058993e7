//! Downloads that continue after an interruption.
//!
//! The crate hf-hub is not used: it cannot continue an interrupted download, and it needs headers that mirrors and
//! plain servers do not send.

use std::fs::{File, OpenOptions};
use std::io::{Read as _, Write as _};
use std::path::{Path, PathBuf};
use std::time::Duration;

use ureq::http::Response;
use ureq::{Agent, Body};

/// After this time without a byte from the server, the connection is closed and the rest is requested again.
const TIMEOUT: Duration = Duration::from_secs(30);

/// After this many attempts in a row without a new byte, the download fails.
const MAX_EMPTY_ATTEMPTS: usize = 3;

const BUFFER: usize = 256 << 10;

/// The reason why a download failed.
#[derive(Debug, thiserror::Error)]
pub enum DownloadError {
    #[error("there is nothing at {0}: check the name")]
    Missing(String),
    #[error(
        "the server refuses {url} (status {status}): download a model that asks for consent with a browser, and give the file"
    )]
    Refused { url: String, status: u16 },
    #[error("{url} cannot be reached ({reason}): check the connection, then try again")]
    Unreachable { url: String, reason: String },
    #[error("{url} stopped after {done} of {total} bytes ({reason}): the same command goes on from there")]
    CutOff { url: String, done: u64, total: u64, reason: String },
    #[error("{url} changed during the download ({expected} bytes before, {found} bytes now): try again")]
    Length { url: String, expected: u64, found: u64 },
    #[error("cannot write {}: {reason}", path.display())]
    Write { path: PathBuf, reason: std::io::Error },
}

/// A file on a server, and the path to store it at.
pub struct Download {
    agent: Agent,
    url: String,
    target: PathBuf,
    /// The bytes received so far.
    part: PathBuf,
    /// The ETag of the file that these bytes belong to.
    version: PathBuf,
    /// Whether to download even if the target exists.
    replaces: bool,
}

/// The outcome of one request.
enum AttemptOutcome {
    Complete,
    /// The file on the server is not the file that the download began with: it must begin again.
    Changed,
    CutOff {
        done: u64,
        total: u64,
        reason: String,
    },
}

impl Download {
    pub fn new(url: String, target: PathBuf) -> Self {
        let agent = Agent::config_builder()
            .http_status_as_error(false)
            .timeout_connect(Some(TIMEOUT))
            .timeout_recv_response(Some(TIMEOUT))
            .timeout_per_read(Some(TIMEOUT))
            .build()
            .into();
        let (part, version) = (target.with_added_extension("part"), target.with_added_extension("part.version"));
        Self { agent, url, target, part, version, replaces: false }
    }

    /// Downloads even if the target exists. The old file stays until the new one is complete.
    pub fn replacing(self) -> Self {
        Self { replaces: true, ..self }
    }

    /// Downloads the file, unless it exists. `progress` receives the number of bytes done and in total.
    ///
    /// # Errors
    /// [`DownloadError`]. If the server announced a length, the bytes received so far are kept for the next run.
    pub fn run(&self, mut progress: impl FnMut(u64, u64)) -> Result<(), DownloadError> {
        if self.target.is_file() && !self.replaces {
            return Ok(());
        }
        let mut empty_attempts = 0;
        // The last interruption. It explains the failure better than a connection that is refused after it.
        let mut cut_off = None;
        loop {
            let before = self.done();
            let failure = match self.attempt(&mut progress) {
                Ok(AttemptOutcome::Complete) => {
                    return std::fs::rename(&self.part, &self.target).map_err(self.write(&self.target));
                }
                Ok(AttemptOutcome::Changed) => {
                    let (expected, found) = (before, self.done());
                    self.forget()?;
                    DownloadError::Length { url: self.url.clone(), expected, found }
                }
                Ok(AttemptOutcome::CutOff { done, total, reason }) => {
                    cut_off = Some((done, total, reason.clone()));
                    DownloadError::CutOff { url: self.url.clone(), done, total, reason }
                }
                Err(err @ DownloadError::Unreachable { .. }) => err,
                Err(err) => return Err(err),
            };
            empty_attempts = if self.done() > before { 0 } else { empty_attempts + 1 };
            if empty_attempts == MAX_EMPTY_ATTEMPTS {
                return Err(match cut_off {
                    Some((done, total, reason)) if done == self.done() => {
                        DownloadError::CutOff { url: self.url.clone(), done, total, reason }
                    }
                    _ => failure,
                });
            }
        }
    }

    /// Requests the missing bytes once.
    fn attempt(&self, progress: &mut impl FnMut(u64, u64)) -> Result<AttemptOutcome, DownloadError> {
        let done = self.done();
        let mut request = self.agent.get(&self.url);
        if done > 0 {
            request = request.header("Range", format!("bytes={done}-"));
            if let Ok(version) = std::fs::read_to_string(&self.version) {
                request = request.header("If-Range", version);
            }
        }
        let response = request.call().map_err(|err| self.unreachable(&err))?;
        match response.status().as_u16() {
            // The server sends the whole file, even if a part was requested.
            200 => {
                self.forget()?;
                let total = header(&response, "content-length").and_then(|length| length.parse().ok());
                self.receive(response, 0, total, progress)
            }
            206 => match range_of(&response) {
                Some((start, total)) if start == done => self.receive(response, done, Some(total), progress),
                _ => Ok(AttemptOutcome::Changed),
            },
            // The file is complete already, or it became shorter.
            416 => match range_total(&response) {
                Some(total) if total == done => Ok(AttemptOutcome::Complete),
                _ => Ok(AttemptOutcome::Changed),
            },
            404 | 410 => Err(DownloadError::Missing(self.url.clone())),
            408 | 429 | 500.. => Err(self.unreachable(&format!("status {}", response.status().as_u16()))),
            status => Err(DownloadError::Refused { url: self.url.clone(), status }),
        }
    }

    /// Appends the body of the response to the bytes received so far.
    fn receive(
        &self,
        mut response: Response<Body>,
        start: u64,
        total: Option<u64>,
        progress: &mut impl FnMut(u64, u64),
    ) -> Result<AttemptOutcome, DownloadError> {
        if let Some(version) = header(&response, "etag").filter(|version| version.starts_with('"')) {
            std::fs::write(&self.version, version).map_err(self.write(&self.version))?;
        }
        let mut file = self.open_part()?;
        let mut body = response.body_mut().as_reader();
        let mut buffer = vec![0; BUFFER];
        let mut done = start;
        let end = loop {
            match body.read(&mut buffer) {
                Ok(0) => break None,
                Ok(count) => {
                    file.write_all(&buffer[..count]).map_err(self.write(&self.part))?;
                    done += count as u64;
                    progress(done, total.unwrap_or(done));
                }
                Err(err) => break Some(err.to_string()),
            }
        };
        file.sync_all().map_err(self.write(&self.part))?;
        match (total, end) {
            (Some(total), _) if done > total => Ok(AttemptOutcome::Changed),
            (Some(total), end) if done < total => {
                let reason = end.unwrap_or_else(|| "the connection was closed".to_owned());
                Ok(AttemptOutcome::CutOff { done, total, reason })
            }
            // Without a length, an interrupted body cannot be continued.
            (None, Some(reason)) => {
                self.forget()?;
                Err(self.unreachable(&reason))
            }
            _ => Ok(AttemptOutcome::Complete),
        }
    }

    fn open_part(&self) -> Result<File, DownloadError> {
        OpenOptions::new().create(true).append(true).open(&self.part).map_err(self.write(&self.part))
    }

    /// Returns the number of bytes received so far.
    fn done(&self) -> u64 {
        std::fs::metadata(&self.part).map_or(0, |part| part.len())
    }

    /// Deletes the bytes received so far.
    fn forget(&self) -> Result<(), DownloadError> {
        for path in [&self.part, &self.version] {
            match std::fs::remove_file(path) {
                Err(err) if err.kind() != std::io::ErrorKind::NotFound => return Err(self.write(path)(err)),
                _ => {}
            }
        }
        Ok(())
    }

    fn unreachable(&self, reason: &impl ToString) -> DownloadError {
        DownloadError::Unreachable { url: self.url.clone(), reason: reason.to_string() }
    }

    fn write<'a>(&self, path: &'a Path) -> impl Fn(std::io::Error) -> DownloadError + use<'a> {
        move |reason| DownloadError::Write { path: path.to_owned(), reason }
    }
}

fn header<'a>(response: &'a Response<Body>, name: &str) -> Option<&'a str> {
    response.headers().get(name)?.to_str().ok()
}

/// Reads the start of a partial body and the length of the whole file from `bytes START-END/TOTAL`.
fn range_of(response: &Response<Body>) -> Option<(u64, u64)> {
    let range = header(response, "content-range")?.strip_prefix("bytes ")?;
    Some((range.split('-').next()?.parse().ok()?, range_total(response)?))
}

fn range_total(response: &Response<Body>) -> Option<u64> {
    header(response, "content-range")?.rsplit('/').next()?.parse().ok()
}
