//! Downloads that go on where they were cut off.

use std::fs::{File, OpenOptions};
use std::io::{Read as _, Write as _};
use std::path::{Path, PathBuf};
use std::time::Duration;

use ureq::http::Response;
use ureq::{Agent, Body};

use super::output::beside;

/// A server that sends nothing for so long is given up, and asked again for the rest.
const PATIENCE: Duration = Duration::from_secs(30);

/// Attempts in a row that bring nothing.
const FRUITLESS: usize = 3;

const BUFFER: usize = 256 << 10;

/// A file that could not be had.
#[derive(Debug, thiserror::Error)]
pub enum DownloadError {
    #[error("there is nothing at {0}: check the name")]
    Missing(String),
    #[error(
        "the server refuses {url} (status {status}): a model that asks for consent must be fetched with a browser and given as a file"
    )]
    Refused { url: String, status: u16 },
    #[error("{url} cannot be reached ({reason}): check the connection, then try again")]
    Unreachable { url: String, reason: String },
    #[error("{url} stopped after {done} of {total} bytes ({reason}): the same command goes on from there")]
    CutOff { url: String, done: u64, total: u64, reason: String },
    #[error("{url} is {found} bytes long where {expected} were promised: it changed meanwhile, try again")]
    Length { url: String, expected: u64, found: u64 },
    #[error("cannot write {}: {reason}", path.display())]
    Write { path: PathBuf, reason: std::io::Error },
}

/// A file at a server, and where it goes.
pub struct Download {
    agent: Agent,
    url: String,
    target: PathBuf,
    /// What has come so far, and which version of the file it is of.
    part: PathBuf,
    version: PathBuf,
    /// Whether a file that is there is fetched all the same.
    replaces: bool,
}

/// What an attempt came to.
enum Attempt {
    Whole,
    /// The file has another length, or is another, than when it was begun.
    Anew,
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
            .timeout_connect(Some(PATIENCE))
            .timeout_recv_response(Some(PATIENCE))
            .timeout_per_read(Some(PATIENCE))
            .build()
            .into();
        let (part, version) = (beside(&target, ".part"), beside(&target, ".part.version"));
        Self { agent, url, target, part, version, replaces: false }
    }

    /// The same, of a file that is there and no good: it stays until another has come whole.
    pub fn replacing(self) -> Self {
        Self { replaces: true, ..self }
    }

    /// Fetches the file, unless it is there; `progress` hears the bytes done and the bytes in all.
    ///
    /// # Errors
    /// [`DownloadError`]. What has come so far, of a length that the server told, is kept for the next time.
    pub fn run(&self, mut progress: impl FnMut(u64, u64)) -> Result<(), DownloadError> {
        if self.target.is_file() && !self.replaces {
            return Ok(());
        }
        let mut fruitless = 0;
        // The last time that something came and then no more: worth more to the reader than a refused connection.
        let mut cut_off = None;
        loop {
            let before = self.done();
            let failure = match self.attempt(&mut progress) {
                Ok(Attempt::Whole) => {
                    return std::fs::rename(&self.part, &self.target).map_err(self.write(&self.target));
                }
                Ok(Attempt::Anew) => {
                    let (expected, found) = (before, self.done());
                    self.forget()?;
                    DownloadError::Length { url: self.url.clone(), expected, found }
                }
                Ok(Attempt::CutOff { done, total, reason }) => {
                    cut_off = Some((done, total, reason.clone()));
                    DownloadError::CutOff { url: self.url.clone(), done, total, reason }
                }
                Err(err @ DownloadError::Unreachable { .. }) => err,
                Err(err) => return Err(err),
            };
            fruitless = if self.done() > before { 0 } else { fruitless + 1 };
            if fruitless == FRUITLESS {
                return Err(match cut_off {
                    Some((done, total, reason)) if done == self.done() => {
                        DownloadError::CutOff { url: self.url.clone(), done, total, reason }
                    }
                    _ => failure,
                });
            }
        }
    }

    /// Asks once for what is still missing.
    fn attempt(&self, progress: &mut impl FnMut(u64, u64)) -> Result<Attempt, DownloadError> {
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
            // The whole of it, whatever was asked for.
            200 => {
                self.forget()?;
                let total = header(&response, "content-length").and_then(|length| length.parse().ok());
                self.receive(response, 0, total, progress)
            }
            206 => match range_of(&response) {
                Some((start, total)) if start == done => self.receive(response, done, Some(total), progress),
                _ => Ok(Attempt::Anew),
            },
            // Nothing is left of it, or it has become shorter.
            416 => match range_total(&response) {
                Some(total) if total == done => Ok(Attempt::Whole),
                _ => Ok(Attempt::Anew),
            },
            404 | 410 => Err(DownloadError::Missing(self.url.clone())),
            408 | 429 | 500.. => Err(self.unreachable(&format!("status {}", response.status().as_u16()))),
            status => Err(DownloadError::Refused { url: self.url.clone(), status }),
        }
    }

    /// Appends the body to what has come.
    fn receive(
        &self,
        mut response: Response<Body>,
        start: u64,
        total: Option<u64>,
        progress: &mut impl FnMut(u64, u64),
    ) -> Result<Attempt, DownloadError> {
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
            (Some(total), _) if done > total => Ok(Attempt::Anew),
            (Some(total), end) if done < total => {
                let reason = end.unwrap_or_else(|| "the connection was closed".to_owned());
                Ok(Attempt::CutOff { done, total, reason })
            }
            // Without a length nothing but the body's own end says that it is whole, and nothing how far it came.
            (None, Some(reason)) => {
                self.forget()?;
                Err(self.unreachable(&reason))
            }
            _ => Ok(Attempt::Whole),
        }
    }

    fn open_part(&self) -> Result<File, DownloadError> {
        OpenOptions::new().create(true).append(true).open(&self.part).map_err(self.write(&self.part))
    }

    /// Bytes that have come.
    fn done(&self) -> u64 {
        std::fs::metadata(&self.part).map_or(0, |part| part.len())
    }

    /// Throws away what has come.
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

/// Where a partial body begins, and how long the whole is: `bytes START-END/TOTAL`.
fn range_of(response: &Response<Body>) -> Option<(u64, u64)> {
    let range = header(response, "content-range")?.strip_prefix("bytes ")?;
    Some((range.split('-').next()?.parse().ok()?, range_total(response)?))
}

fn range_total(response: &Response<Body>) -> Option<u64> {
    header(response, "content-range")?.rsplit('/').next()?.parse().ok()
}
