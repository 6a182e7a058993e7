//! A server that breaks off once in the middle of one file, and answers requests for ranges.

use std::fs;
use std::io::{BufRead as _, BufReader, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

struct Files {
    dist: PathBuf,
    packs: PathBuf,
    /// The file whose first answer breaks off.
    brittle: &'static str,
    broken: AtomicUsize,
    parts: AtomicUsize,
}

pub struct BreakingServer {
    files: Arc<Files>,
    address: SocketAddr,
}

impl BreakingServer {
    pub fn new(dist: PathBuf, packs: PathBuf, brittle: &'static str) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let (broken, parts) = (AtomicUsize::new(0), AtomicUsize::new(0));
        let files = Arc::new(Files { dist, packs, brittle, broken, parts });
        let shared = Arc::clone(&files);
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let files = Arc::clone(&shared);
                // A browser that closes the connection early is not an error.
                std::thread::spawn(move || files.answer(&stream));
            }
        });
        Self { files, address }
    }

    pub fn address(&self) -> String {
        format!("http://{}/", self.address)
    }

    /// Returns how often the file broke off.
    pub fn broken(&self) -> usize {
        self.files.broken.load(Ordering::Relaxed)
    }

    /// Returns how many ranges of files were requested.
    pub fn parts(&self) -> usize {
        self.files.parts.load(Ordering::Relaxed)
    }
}

impl Files {
    fn answer(&self, mut stream: &TcpStream) -> std::io::Result<()> {
        let mut head = String::new();
        let mut lines = BufReader::new(stream);
        while lines.read_line(&mut head)? > 2 {}
        let path = head.split(' ').nth(1).unwrap_or_default();
        let path = path.split(['?', '#']).next().unwrap_or_default().trim_start_matches('/');
        let path = if path.is_empty() { "index.html" } else { path };
        let file = match path.strip_prefix("packs/") {
            Some(path) => self.packs.join(path),
            None => self.dist.join(path),
        };
        let Ok(bytes) = fs::read(&file) else {
            return stream.write_all(b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\nConnection: close\r\n\r\n");
        };
        let kind = match file.extension().and_then(|extension| extension.to_str()) {
            Some("html") => "text/html",
            Some("js") => "text/javascript",
            Some("css") => "text/css",
            Some("wasm") => "application/wasm",
            _ => "application/octet-stream",
        };
        let lower = head.to_ascii_lowercase();
        let start =
            lower.lines().find_map(|line| line.strip_prefix("range: bytes=")?.split('-').next()?.parse().ok());
        let (status, body) = match start {
            Some(start) => {
                self.parts.fetch_add(1, Ordering::Relaxed);
                let start: usize = start;
                ("206 Partial Content", &bytes[start..])
            }
            None => ("200 OK", &bytes[..]),
        };
        let length = body.len();
        let breaks = path == self.brittle && start.is_none() && self.broken.fetch_add(1, Ordering::Relaxed) == 0;
        let body = if breaks { &body[..length / 2] } else { body };
        let head = format!(
            "HTTP/1.1 {status}\r\nContent-Type: {kind}\r\nContent-Length: {length}\r\nConnection: close\r\n\r\n"
        );
        stream.write_all(head.as_bytes())?;
        stream.write_all(body)
    }
}
