//! No data of a person's pictures, videos and phrases leaves the machine. The browser runs behind a proxy that
//! records every request, while the test uses every feature.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use image::{Rgb, RgbImage};
use serde_json::json;
use test_support::TemporaryFolder;
use xtask::places;

use crate::driver::{Graphics, Window, wait};
use crate::page::{Page, site};

/// The largest allowed head of a request. A picture does not fit into one.
const LONGEST: usize = 1500;

/// Hosts that Chromium itself contacts at its start, with any page (Debian's Chromium has another search engine). The
/// proxy refuses all of them. The page does not contact them: its policy names none of them.
const BROWSERS_OWN: [&str; 5] = ["google.com", "googleapis.com", "gvt1.com", "gstatic.com", "duckduckgo.com"];

/// A request as the proxy received it.
#[derive(Clone, Debug)]
struct SeenRequest {
    method: String,
    host: String,
    path: String,
    head: String,
}

/// A proxy that forwards the browser's requests and records them.
struct Proxy {
    address: SocketAddr,
    seen: Arc<Mutex<Vec<SeenRequest>>>,
}

impl Proxy {
    fn new() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let seen = Arc::new(Mutex::new(Vec::new()));
        let written = Arc::clone(&seen);
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let seen = Arc::clone(&written);
                // A browser that closes the connection early is not an error.
                std::thread::spawn(move || forward(&stream, &seen));
            }
        });
        Self { address, seen }
    }

    fn seen(&self) -> Vec<SeenRequest> {
        self.seen.lock().unwrap().clone()
    }
}

fn forward(mut stream: &TcpStream, seen: &Mutex<Vec<SeenRequest>>) -> std::io::Result<()> {
    let mut head = String::new();
    let mut lines = BufReader::new(stream);
    while lines.read_line(&mut head)? > 2 {}
    // The browser opened this connection in advance and did not use it.
    if head.is_empty() {
        return Ok(());
    }
    let mut words = head.split(' ').map(str::to_owned);
    let (method, url) = (words.next().unwrap_or_default(), words.next().unwrap_or_default());
    let whole = url.strip_prefix("http://").unwrap_or(&url);
    let (host, path) = whole.split_once('/').unwrap_or((whole, ""));
    let (host, path) = (host.to_owned(), format!("/{path}"));
    seen.lock().unwrap().push(SeenRequest {
        method: method.clone(),
        host: host.clone(),
        path: path.clone(),
        head,
    });
    if !matches!(method.as_str(), "GET" | "HEAD") || !host.starts_with("127.0.0.1:") {
        return stream.write_all(b"HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\nConnection: close\r\n\r\n");
    }
    let mut server = TcpStream::connect(&host)?;
    server
        .write_all(format!("{method} {path} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n").as_bytes())?;
    let mut answer = Vec::new();
    server.read_to_end(&mut answer)?;
    // The server closes the connection after its answer, and the proxy does the same.
    stream.write_all(&answer)
}

#[test]
#[ignore = "needs the set-up of `cargo xtask test browser`"]
fn no_request_carries_personal_data() {
    let scratch = TemporaryFolder::new("privacy");
    let photo = scratch.path().join("confidential-photo.png");
    let noise = |x: u32, y: u32| Rgb([x.wrapping_mul(y + 7) as u8, (x ^ (y * 3)) as u8, (x + y * y) as u8]);
    RgbImage::from_fn(400, 300, noise).save(&photo).unwrap();
    let proxy = Proxy::new();
    let serving = site().serve(0).unwrap();
    let proxied = [format!("--proxy-server={}", proxy.address), "--proxy-bypass-list=<-loopback>".to_owned()];
    let page = Page::at(serving.url(), Window::open_with("privacy", Graphics::None, &proxied));
    page.load("?device=cpu&pack=packs/tiny/");
    page.wait_until_ready();
    crate::offline::wait_for_service_worker(&page);

    page.window.choose_file("input[type=file][name=photo]", &photo);
    wait("the photo", Duration::from_secs(60), || page.photo().starts_with("confidential").then_some(()));
    page.set_phrases(&["a confidential phrase", "something else"]);
    page.choose_phrase("a confidential phrase");
    page.window.choose_files("#gallery input[name=gallery]", std::slice::from_ref(&photo));
    wait("the gallery", Duration::from_secs(60), || {
        let script = "return +document.querySelector('#gallery').dataset.pictures";
        (page.window.script(script, &json!([])) == 1).then_some(())
    });
    page.open_video(&places::checkout().join("tests/reference/fixtures/video/vp9.webm"));
    page.wait_for_rest();
    // Requests may also be sent later, when the visitor leaves the page or returns.
    page.load("?device=cpu&pack=packs/tiny/");
    page.wait_until_ready();

    let seen = proxy.seen();
    let own = serving.url();
    let own = own.trim_start_matches("http://").trim_end_matches('/');
    assert!(
        seen.iter().any(|request| request.path.ends_with("worker_bg.wasm")),
        "the proxy did not see the worker's requests"
    );
    assert!(
        seen.iter().any(|request| request.path.ends_with("weights.safetensors")),
        "the proxy did not see the packs' requests"
    );
    let is_browsers = |request: &SeenRequest| {
        let host = request.host.split(':').next().unwrap_or_default();
        BROWSERS_OWN.iter().any(|own| host == *own || host.ends_with(&format!(".{own}")))
    };
    for request in seen.iter().filter(|request| !is_browsers(request)) {
        let SeenRequest { method, host, path, head } = request;
        assert!(matches!(method.as_str(), "GET" | "HEAD"), "{request:?}");
        assert_eq!(host, own, "another server than the page's own was contacted: {request:?}");
        let lower = head.to_ascii_lowercase();
        assert!(
            !lower.contains("content-length:") && !lower.contains("transfer-encoding:"),
            "no body: {request:?}"
        );
        assert!(head.len() < LONGEST && path.len() < 200, "{request:?}");
        assert!(!lower.contains("confidential"), "{request:?}");
    }
    println!(
        "{} requests, the longest of {} bytes",
        seen.len(),
        seen.iter().map(|at| at.head.len()).max().unwrap()
    );
}
