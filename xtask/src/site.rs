//! A static server for the built page: some folders, each mounted at a path.

use std::fs::File;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::thread::JoinHandle;

use anyhow::{Context as _, anyhow};
use tiny_http::{Header, Method, Request, Response, Server};

/// Enough for a browser's six connections to a host.
const THREADS: usize = 6;

/// Folders, and the paths that they are served at.
#[derive(Clone, Debug)]
pub struct Site {
    root: PathBuf,
    mounts: Vec<(String, PathBuf)>,
}

impl Site {
    /// `root` is served at `/`.
    pub fn new(root: impl Into<PathBuf>) -> Self {
        Self { root: root.into(), mounts: Vec::new() }
    }

    /// Serves `folder` at `/path/` instead of what `root` has there.
    #[must_use]
    pub fn mount(mut self, path: &str, folder: impl Into<PathBuf>) -> Self {
        self.mounts.push((format!("/{}/", path.trim_matches('/')), folder.into()));
        self
    }

    /// Serves on this machine only, on `port` or, if that is 0, on a free one, until the answer is dropped.
    ///
    /// # Errors
    /// The port cannot be had.
    pub fn serve(self, port: u16) -> anyhow::Result<Serving> {
        let server = Server::http(("127.0.0.1", port)).map_err(|err| anyhow!("{err}"));
        let server = Arc::new(server.with_context(|| format!("port {port} cannot be used"))?);
        let address = server.server_addr().to_ip().context("the server has no address")?;
        let site = Arc::new(self);
        let threads = (0..THREADS).map(|_| {
            let (server, site) = (Arc::clone(&server), Arc::clone(&site));
            std::thread::spawn(move || {
                while let Ok(request) = server.recv() {
                    site.answer(request);
                }
            })
        });
        Ok(Serving { address, threads: threads.collect(), server })
    }

    fn answer(&self, request: Request) {
        // A browser that goes away in the middle of an answer is no failure of ours.
        let _gone = if !matches!(request.method(), Method::Get | Method::Head) {
            request.respond(Response::empty(405))
        } else if let Some((file, path)) = self.open(request.url()) {
            let kind = mime(&path);
            let headers = [("Content-Type", kind), ("Cache-Control", "no-cache")];
            let headers = headers.iter().filter_map(|(name, value)| Header::from_bytes(*name, *value).ok());
            request.respond(headers.fold(Response::from_file(file), Response::with_header))
        } else {
            request.respond(Response::from_string("There is no such file.\n").with_status_code(404))
        };
    }

    fn open(&self, url: &str) -> Option<(File, PathBuf)> {
        let mut file = self.file_of(url)?;
        if file.is_dir() {
            file.push("index.html");
        }
        file.is_file().then(|| File::open(&file).ok()).flatten().map(|open| (open, file))
    }

    /// The file that a URL's path names; none where it would lead out of the mounted folders.
    fn file_of(&self, url: &str) -> Option<PathBuf> {
        let path = decode(url.split(['?', '#']).next()?)?;
        let mount = self.mounts.iter().find_map(|(at, folder)| Some((folder, path.strip_prefix(at.as_str())?)));
        let (folder, rest) = match mount {
            Some(found) => found,
            None => (&self.root, path.strip_prefix('/')?),
        };
        let names: Vec<&str> = rest.split('/').filter(|name| !name.is_empty()).collect();
        let inside = names.iter().all(|name| *name != ".." && *name != "." && !name.contains(['\\', ':', '\0']));
        inside.then(|| names.iter().fold(folder.clone(), |file, name| file.join(name)))
    }
}

/// A [`Site`] being served.
pub struct Serving {
    address: SocketAddr,
    server: Arc<Server>,
    threads: Vec<JoinHandle<()>>,
}

impl Serving {
    /// "http://127.0.0.1:8080/"
    pub fn url(&self) -> String {
        format!("http://{}/", self.address)
    }

    /// Serves until the process ends.
    pub fn forever(mut self) {
        for thread in self.threads.drain(..) {
            let _panicked = thread.join();
        }
    }
}

impl Drop for Serving {
    fn drop(&mut self) {
        for _ in &self.threads {
            self.server.unblock();
        }
    }
}

fn mime(path: &Path) -> &'static str {
    match path.extension().and_then(|extension| extension.to_str()).unwrap_or_default() {
        "html" => "text/html; charset=utf-8",
        "js" | "mjs" => "text/javascript; charset=utf-8",
        "css" => "text/css; charset=utf-8",
        "json" | "webmanifest" => "application/json",
        "wasm" => "application/wasm",
        "txt" | "md" => "text/plain; charset=utf-8",
        "png" => "image/png",
        "jpg" | "jpeg" => "image/jpeg",
        "webp" => "image/webp",
        "gif" => "image/gif",
        "avif" => "image/avif",
        "svg" => "image/svg+xml",
        "ico" => "image/x-icon",
        _ => "application/octet-stream",
    }
}

/// Undoes percent-encoding.
fn decode(path: &str) -> Option<String> {
    let mut bytes = Vec::with_capacity(path.len());
    let mut rest = path.as_bytes();
    while let [first, others @ ..] = rest {
        rest = others;
        if *first != b'%' {
            bytes.push(*first);
            continue;
        }
        let [high, low, others @ ..] = rest else { return None };
        let digit = |byte: u8| char::from(byte).to_digit(16);
        bytes.push(u8::try_from(digit(*high)? * 16 + digit(*low)?).ok()?);
        rest = others;
    }
    String::from_utf8(bytes).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mount_hides_the_root_and_nothing_leads_outside() {
        let site = Site::new("/dist").mount("packs/default", "/cache/default");
        assert_eq!(site.file_of("/app.js?v=1"), Some("/dist/app.js".into()));
        assert_eq!(site.file_of("/packs/default/pack.json"), Some("/cache/default/pack.json".into()));
        assert_eq!(site.file_of("/packs/other/a%20b.json"), Some("/dist/packs/other/a b.json".into()));
        for hostile in ["/../secret", "/packs/default/../../secret", "/%2e%2e/secret", "/%2", "/a%00b", "secret"] {
            assert_eq!(site.file_of(hostile), None, "{hostile}");
        }
    }

    #[test]
    fn a_file_is_served_whole_and_with_its_type() {
        use std::io::{Read as _, Write as _};

        let folder = std::env::temp_dir().join(format!("headlamp-site-{}", std::process::id()));
        std::fs::create_dir_all(&folder).unwrap();
        std::fs::write(folder.join("worker.wasm"), vec![7_u8; 100_000]).unwrap();
        let serving = Site::new(&folder).serve(0).unwrap();
        let ask = |path: &str| {
            let mut stream = std::net::TcpStream::connect(serving.address).unwrap();
            write!(stream, "GET {path} HTTP/1.1\r\nHost: here\r\nConnection: close\r\n\r\n").unwrap();
            let mut answer = Vec::new();
            stream.read_to_end(&mut answer).unwrap();
            answer
        };
        let answer = ask("/worker.wasm");
        let head = String::from_utf8_lossy(&answer[..500]);
        assert!(head.starts_with("HTTP/1.1 200") && head.contains("Content-Type: application/wasm"), "{head}");
        assert_eq!(answer.iter().filter(|byte| **byte == 7).count(), 100_000);
        assert!(ask("/nothing").starts_with(b"HTTP/1.1 404"));
        std::fs::remove_dir_all(folder).unwrap();
    }
}
