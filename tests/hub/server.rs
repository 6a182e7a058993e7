//! A model hub on this machine that behaves like real hubs, good and bad.
//!
//! The server writes raw HTTP: a server library would not send the broken answers that the tests need.

use std::io::{BufRead as _, BufReader, Write as _};
use std::net::{TcpListener, TcpStream};
use std::path::PathBuf;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

/// The hub's behaviour for a request for weights. Configs are always served normally.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum HubBehaviour {
    Plain,
    /// Redirects to another address.
    Redirect,
    /// Closes the connection in the middle of the first answer.
    BreaksOff,
    /// As `BreaksOff`, without a length in the header.
    NoLength,
    /// Sends a thousand bytes in the first answer, and nothing in later ones.
    BreaksOffAlways,
    /// Breaks off once, and then ignores ranges: always sends the whole file.
    NoRanges,
    /// Sends a small part at a time.
    Slow,
    /// Breaks off, and has another version of the file when the client asks for the rest.
    Changes,
    /// Declares a hundred bytes more than the file has.
    WrongLength,
    Missing,
    Refuses,
    /// Serves a web page instead, as a captive portal does.
    WebPage,
}

pub struct Hub {
    pub url: String,
    asked: Arc<Mutex<Vec<String>>>,
    configs: Arc<AtomicUsize>,
}

struct Request {
    file: String,
    moved: bool,
    start: Option<usize>,
    version: Option<String>,
}

impl Hub {
    /// Serves `folder` as the model `small/clip`. The thread ends with the process.
    pub fn new(folder: PathBuf, behaviour: HubBehaviour) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let asked = Arc::new(Mutex::new(Vec::new()));
        let log = Arc::clone(&asked);
        let configs = Arc::new(AtomicUsize::new(0));
        let count = Arc::clone(&configs);
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                // A client that closes the connection early is not an error.
                let _gone = answer(stream, &folder, behaviour, &log, &count);
            }
        });
        Self { url, asked, configs }
    }

    /// Returns the requests for weights so far.
    pub fn asked(&self) -> Vec<String> {
        self.asked.lock().unwrap().clone()
    }

    /// Returns the number of requests for configs so far.
    pub fn configs(&self) -> usize {
        self.configs.load(Ordering::Relaxed)
    }
}

/// Reads the head of a request.
fn head(stream: &TcpStream) -> std::io::Result<String> {
    let mut head = String::new();
    let mut lines = BufReader::new(stream);
    while lines.read_line(&mut head)? > 2 {}
    Ok(head)
}

impl Request {
    fn parse(head: &str) -> Self {
        let path = head.split(' ').nth(1).unwrap_or_default();
        let header = |name: &str| {
            let line = head.lines().find(|line| line.to_ascii_lowercase().starts_with(name))?;
            Some(line.split_once(": ")?.1.to_owned())
        };
        let range =
            header("range:").and_then(|range| range.strip_prefix("bytes=")?.strip_suffix('-')?.parse().ok());
        Self {
            file: path.rsplit('/').next().unwrap_or_default().to_owned(),
            moved: path.starts_with("/elsewhere/"),
            start: range,
            version: header("if-range:"),
        }
    }
}

fn answer(
    mut stream: TcpStream,
    folder: &std::path::Path,
    behaviour: HubBehaviour,
    log: &Mutex<Vec<String>>,
    configs: &AtomicUsize,
) -> std::io::Result<()> {
    let head = head(&stream)?;
    let request = Request::parse(&head);
    let nothing = b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\nConnection: close\r\n\r\n";
    if request.file.ends_with("config.json") {
        configs.fetch_add(1, Ordering::Relaxed);
    }
    if request.file == "tokenizer.json" {
        let tokenizer = std::fs::read(folder.join(&request.file)).unwrap_or_else(|_none| b"{}".to_vec());
        return send(&mut stream, &tokenizer, &Request { start: None, ..request }, "\"1\"");
    }
    let Ok(bytes) = std::fs::read(folder.join(&request.file)) else { return stream.write_all(nothing) };
    if !request.file.ends_with(".safetensors") {
        return send(&mut stream, &bytes, &request, "\"1\"");
    }
    let first = {
        let mut log = log.lock().unwrap();
        log.push(head);
        log.len() == 1
    };
    let promise = |length: usize| format!("HTTP/1.1 200 OK\r\nContent-Length: {length}\r\nETag: \"1\"\r\n\r\n");
    match behaviour {
        HubBehaviour::Redirect if !request.moved => {
            let to = format!("Location: /elsewhere/{}\r\n", request.file);
            stream.write_all(
                format!("HTTP/1.1 302 Found\r\n{to}Content-Length: 0\r\nConnection: close\r\n\r\n").as_bytes(),
            )
        }
        HubBehaviour::Plain | HubBehaviour::Redirect => send(&mut stream, &bytes, &request, "\"1\""),
        HubBehaviour::BreaksOff | HubBehaviour::Changes | HubBehaviour::NoRanges if first => {
            stream.write_all(promise(bytes.len()).as_bytes())?;
            stream.write_all(&bytes[..bytes.len() / 2])
        }
        HubBehaviour::NoLength if first => {
            let head = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nConnection: close\r\n\r\n";
            stream.write_all(format!("{head}{:x}\r\n", bytes.len()).as_bytes())?;
            stream.write_all(&bytes[..bytes.len() / 2])
        }
        HubBehaviour::BreaksOff | HubBehaviour::NoLength => send(&mut stream, &bytes, &request, "\"1\""),
        HubBehaviour::Changes => send(&mut stream, &bytes, &request, "\"2\""),
        HubBehaviour::NoRanges => send(&mut stream, &bytes, &Request { start: None, ..request }, "\"1\""),
        HubBehaviour::BreaksOffAlways if first => {
            stream.write_all(promise(bytes.len()).as_bytes())?;
            stream.write_all(&bytes[..1000])
        }
        HubBehaviour::BreaksOffAlways => Ok(()),
        HubBehaviour::Slow => {
            stream.write_all(promise(bytes.len()).as_bytes())?;
            for part in bytes.chunks(bytes.len() / 10) {
                stream.write_all(part)?;
                std::thread::sleep(Duration::from_millis(50));
            }
            Ok(())
        }
        HubBehaviour::WrongLength => match request.start {
            None => {
                stream.write_all(promise(bytes.len() + 100).as_bytes())?;
                stream.write_all(&bytes)
            }
            Some(_) => Ok(()),
        },
        HubBehaviour::Missing => stream.write_all(nothing),
        HubBehaviour::Refuses => {
            stream.write_all(b"HTTP/1.1 401 Unauthorized\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")
        }
        HubBehaviour::WebPage => {
            send(&mut stream, b"<html>log in</html>", &Request { start: None, ..request }, "\"1\"")
        }
    }
}

/// Sends the whole file, or the rest if the client asked for the rest of this version.
fn send(stream: &mut TcpStream, bytes: &[u8], request: &Request, version: &str) -> std::io::Result<()> {
    let same = request.version.as_deref().is_none_or(|asked| asked == version);
    let (status, start) = match request.start {
        Some(start) if same => ("206 Partial Content", start.min(bytes.len())),
        _ => ("200 OK", 0),
    };
    let (last, total) = (bytes.len().saturating_sub(1), bytes.len());
    let range = match status {
        "200 OK" => String::new(),
        _ => format!("Content-Range: bytes {start}-{last}/{total}\r\n"),
    };
    let length = total - start;
    let head = format!(
        "HTTP/1.1 {status}\r\nContent-Length: {length}\r\n{range}ETag: {version}\r\nConnection: close\r\n\r\n"
    );
    stream.write_all(head.as_bytes())?;
    stream.write_all(&bytes[start..])
}
