//! A static server for the built page: some folders, each mounted at a path.

use std::fs::File;
use std::io::{self, BufRead as _, BufReader, Read as _, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;

use anyhow::Context as _;

/// No request's head is longer than this.
const LONGEST_HEAD: u64 = 64 << 10;

/// Hears of a request's address.
type Listener = dyn Fn(&str) + Send + Sync;

/// Folders, and the paths that they are served at.
#[derive(Clone)]
pub struct Site {
    root: PathBuf,
    mounts: Vec<(String, PathBuf)>,
    is_isolated: bool,
    hides_endings: bool,
    listener: Option<Arc<Listener>>,
}

impl Site {
    /// `root` is served at `/`.
    pub fn new(root: impl Into<PathBuf>) -> Self {
        Self { root: root.into(), mounts: Vec::new(), is_isolated: false, hides_endings: false, listener: None }
    }

    /// Serves `folder` at `/path/` instead of what `root` has there.
    #[must_use]
    pub fn mount(mut self, path: &str, folder: impl Into<PathBuf>) -> Self {
        self.mounts.push((format!("/{}/", path.trim_matches('/')), folder.into()));
        self
    }

    /// With the headers that let a page share memory between threads; headlamp itself needs none.
    #[must_use]
    pub fn isolated(mut self) -> Self {
        self.is_isolated = true;
        self
    }

    /// Redirects a page's address to the one without its ending, index.html to its folder, as Cloudflare Pages does.
    #[must_use]
    pub fn without_endings(mut self) -> Self {
        self.hides_endings = true;
        self
    }

    /// Tells `listener` of every request, and answers when it is back.
    #[must_use]
    pub fn heard_by(mut self, listener: impl Fn(&str) + Send + Sync + 'static) -> Self {
        self.listener = Some(Arc::new(listener));
        self
    }

    /// Serves on this machine only, on `port` or, if that is 0, on a free one, until the answer is dropped.
    ///
    /// Each connection has a thread of its own: browsers open some ahead and leave them idle, and a pool of
    /// threads lets those starve the others.
    ///
    /// # Errors
    /// The port cannot be had.
    pub fn serve(self, port: u16) -> anyhow::Result<Serving> {
        let listener =
            TcpListener::bind(("127.0.0.1", port)).with_context(|| format!("port {port} cannot be used"))?;
        let address = listener.local_addr().context("the server has no address")?;
        let (site, is_over) = (Arc::new(self), Arc::new(AtomicBool::new(false)));
        let over = Arc::clone(&is_over);
        let accepting = std::thread::spawn(move || {
            for stream in listener.incoming() {
                if over.load(Ordering::Relaxed) {
                    break;
                }
                let (Ok(stream), site, over) = (stream, Arc::clone(&site), Arc::clone(&over)) else { continue };
                // A browser that goes away in the middle of an answer is no failure of ours.
                std::thread::spawn(move || site.converse(&stream, &over));
            }
        });
        Ok(Serving { address, is_over, accepting: Some(accepting) })
    }

    /// Answers one request after another on a connection, until the serving is over.
    fn converse(&self, stream: &TcpStream, is_over: &AtomicBool) -> io::Result<()> {
        stream.set_nodelay(true)?;
        let mut reader = BufReader::new(stream);
        while let Some(Asked { method, url, goes_on }) = Asked::read(&mut reader)? {
            if is_over.load(Ordering::Relaxed) {
                break;
            }
            if let Some(listener) = &self.listener {
                listener(&url);
            }
            let with_body = method != "HEAD";
            if !matches!(method.as_str(), "GET" | "HEAD") {
                // It may have a body, which we do not read.
                return answer(stream, "405 Method Not Allowed", "text/plain", 0, io::empty());
            }
            if let Some(to) = self.redirection(&url) {
                let kind = format!("text/plain\r\nLocation: {to}");
                answer(stream, "308 Permanent Redirect", &kind, 0, io::empty())?;
                if !goes_on {
                    break;
                }
                continue;
            }
            match self.open(&url) {
                Some((file, path)) => {
                    let length = file.metadata()?.len();
                    let body = file.take(if with_body { length } else { 0 });
                    answer(stream, "200 OK", &self.kind(&path), length, body)?;
                }
                None => {
                    let body: &[u8] = b"There is no such file.\n";
                    let shown = if with_body { body } else { &[] };
                    answer(stream, "404 Not Found", "text/plain; charset=utf-8", body.len() as u64, shown)?;
                }
            }
            if !goes_on {
                break;
            }
        }
        Ok(())
    }

    /// Where a page's address leads, on a site that hides endings.
    fn redirection(&self, url: &str) -> Option<String> {
        let (path, query) = url.split_at(url.find('?').unwrap_or(url.len()));
        let plain = path.strip_suffix("index.html").or_else(|| path.strip_suffix(".html"))?;
        self.hides_endings.then(|| format!("{plain}{query}"))
    }

    /// The content type, and whatever headers go with it.
    fn kind(&self, path: &Path) -> String {
        let isolation = match self.is_isolated {
            true => "\r\nCross-Origin-Opener-Policy: same-origin\r\nCross-Origin-Embedder-Policy: require-corp",
            false => "",
        };
        format!("{}{isolation}", mime(path))
    }

    fn open(&self, url: &str) -> Option<(File, PathBuf)> {
        let mut file = self.file_of(url)?;
        if file.is_dir() {
            file.push("index.html");
        } else if self.hides_endings && !file.exists() {
            file.set_extension("html");
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

/// The head of a request.
struct Asked {
    method: String,
    url: String,
    /// Whether the connection is to be kept for the next one.
    goes_on: bool,
}

impl Asked {
    /// None where the other side has ended the connection.
    fn read(reader: &mut BufReader<&TcpStream>) -> io::Result<Option<Self>> {
        let mut lines = reader.take(LONGEST_HEAD).lines();
        let Some(first) = lines.next().transpose()? else { return Ok(None) };
        let mut words = first.split(' ').map(str::to_owned);
        let (Some(method), Some(url)) = (words.next(), words.next()) else { return Ok(None) };
        let mut goes_on = true;
        for line in lines {
            let line = line?.to_ascii_lowercase();
            if line.is_empty() {
                break;
            }
            goes_on &= line != "connection: close";
        }
        Ok(Some(Self { method, url, goes_on }))
    }
}

fn answer(mut to: &TcpStream, status: &str, kind: &str, length: u64, mut body: impl io::Read) -> io::Result<()> {
    // A page that was built anew is shown anew.
    let head = format!(
        "HTTP/1.1 {status}\r\nContent-Type: {kind}\r\nContent-Length: {length}\r\nCache-Control: no-cache\r\n\r\n"
    );
    to.write_all(head.as_bytes())?;
    io::copy(&mut body, &mut to)?;
    Ok(())
}

/// A [`Site`] being served.
pub struct Serving {
    address: SocketAddr,
    is_over: Arc<AtomicBool>,
    accepting: Option<JoinHandle<()>>,
}

impl Serving {
    /// "http://127.0.0.1:8080/"
    pub fn url(&self) -> String {
        format!("http://{}/", self.address)
    }

    /// Serves until the process ends.
    pub fn forever(mut self) {
        if let Some(accepting) = self.accepting.take() {
            let _panicked = accepting.join();
        }
    }
}

impl Drop for Serving {
    fn drop(&mut self) {
        self.is_over.store(true, Ordering::Relaxed);
        // Wakes the thread that waits for connections; it ends, and the port is free again.
        let _woken = TcpStream::connect(self.address);
        if let Some(accepting) = self.accepting.take() {
            let _panicked = accepting.join();
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

    /// A folder of this test, removed at the end.
    struct Scratch(PathBuf);

    impl Scratch {
        fn new(name: &str) -> Self {
            let folder = std::env::temp_dir().join(format!("headlamp-{name}-{}", std::process::id()));
            std::fs::create_dir_all(folder.join("dist/packs/default")).unwrap();
            std::fs::create_dir_all(folder.join("cache")).unwrap();
            Self(folder)
        }

        fn write(&self, name: &str, bytes: &[u8]) {
            std::fs::write(self.0.join(name), bytes).unwrap();
        }

        fn site(&self) -> Site {
            Site::new(self.0.join("dist")).mount("packs/default", self.0.join("cache"))
        }
    }

    impl Drop for Scratch {
        fn drop(&mut self) {
            let _removed = std::fs::remove_dir_all(&self.0);
        }
    }

    fn connect(serving: &Serving, path: &str) -> TcpStream {
        let mut stream = TcpStream::connect(serving.address).unwrap();
        write!(stream, "GET {path} HTTP/1.1\r\nHost: here\r\nConnection: close\r\n\r\n").unwrap();
        stream
    }

    fn ask(serving: &Serving, path: &str) -> Vec<u8> {
        let mut answer = Vec::new();
        connect(serving, path).read_to_end(&mut answer).unwrap();
        answer
    }

    fn head(answer: &[u8]) -> String {
        let text = String::from_utf8_lossy(answer);
        text.split("\r\n\r\n").next().unwrap().to_lowercase()
    }

    #[test]
    fn a_mount_hides_the_root_and_nothing_leads_outside() {
        let scratch = Scratch::new("site-mounts");
        scratch.write("dist/packs/default/pack.json", b"the root's");
        scratch.write("cache/pack.json", b"the mount's");
        scratch.write("secret", b"secret");
        let serving = scratch.site().serve(0).unwrap();
        assert!(ask(&serving, "/packs/default/pack.json").ends_with(b"the mount's"));
        for hostile in
            ["/../secret", "/packs/default/../../secret", "/%2e%2e/secret", "/packs/default/%2e%2e/secret"]
        {
            let answer = ask(&serving, hostile);
            assert!(!answer.ends_with(b"secret") && head(&answer).starts_with("http/1.1 404"), "{hostile}");
        }
        assert!(scratch.0.join("secret").is_file());
        let site = scratch.site();
        for hostile in ["/%2", "/a%00b", "secret", "/a\\b"] {
            assert_eq!(site.file_of(hostile), None, "{hostile}");
        }
    }

    #[test]
    fn a_file_is_served_whole_with_its_type_and_not_kept() {
        let scratch = Scratch::new("site-files");
        scratch.write("dist/worker.wasm", &[7_u8; 100_000]);
        scratch.write("dist/index.html", b"<!doctype html>");
        let serving = scratch.site().serve(0).unwrap();
        let answer = ask(&serving, "/worker.wasm");
        let head_of = head(&answer);
        assert!(
            head_of.starts_with("http/1.1 200") && head_of.contains("content-type: application/wasm"),
            "{head_of}"
        );
        assert!(head_of.contains("cache-control: no-cache"), "{head_of}");
        assert_eq!(answer.iter().filter(|byte| **byte == 7).count(), 100_000);
        assert!(ask(&serving, "/?pack=packs/tiny/").ends_with(b"<!doctype html>"));
        assert!(head(&ask(&serving, "/nothing")).starts_with("http/1.1 404"));
    }

    #[test]
    fn a_site_that_hides_endings_redirects_to_what_it_then_serves() {
        let scratch = Scratch::new("site-endings");
        scratch.write("dist/index.html", b"<!doctype html>");
        scratch.write("dist/about.html", b"<!doctype html>about");
        let serving = scratch.site().without_endings().serve(0).unwrap();
        for (from, to) in [("/index.html?a=b", "/?a=b"), ("/about.html", "/about")] {
            let head = head(&ask(&serving, from));
            assert!(head.starts_with("http/1.1 308") && head.contains(&format!("location: {to}\r\n")), "{head}");
        }
        assert!(ask(&serving, "/?a=b").ends_with(b"<!doctype html>"));
        assert!(ask(&serving, "/about").ends_with(b"about"));
    }

    /// Browsers open some connections ahead and leave them idle; none of them may starve another.
    #[test]
    fn idle_connections_keep_nobody_waiting() {
        let scratch = Scratch::new("site-idle");
        scratch.write("dist/index.html", b"<!doctype html>");
        let serving = scratch.site().serve(0).unwrap();
        let idle: Vec<TcpStream> = (0..40).map(|_index| TcpStream::connect(serving.address).unwrap()).collect();
        assert!(ask(&serving, "/").ends_with(b"<!doctype html>"));
        assert_eq!(idle.len(), 40);
    }
}
