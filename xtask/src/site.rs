//! A static web server for the built page: one root folder, and other folders mounted at paths.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context as _;
use axum::Router;
use axum::extract::{Request, State};
use axum::http::{HeaderValue, StatusCode, Uri, header};
use axum::middleware::{self, Next};
use axum::response::{IntoResponse as _, Response};
use axum::serve::ListenerExt as _;
use tokio::net::TcpListener;
use tokio::runtime::Runtime;
use tower_http::services::ServeDir;

/// A function that is called with the path and query of each request.
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
    /// Serves `root` at `/`.
    pub fn new(root: impl Into<PathBuf>) -> Self {
        Self { root: root.into(), mounts: Vec::new(), is_isolated: false, hides_endings: false, listener: None }
    }

    /// Serves `folder` at `/path/` instead of the root's own folder of that name.
    #[must_use]
    pub fn mount(mut self, path: &str, folder: impl Into<PathBuf>) -> Self {
        self.mounts.push((format!("/{}", path.trim_matches('/')), folder.into()));
        self
    }

    /// Adds the headers that let a page share memory between threads. headlamp itself does not need them.
    #[must_use]
    pub fn isolated(mut self) -> Self {
        self.is_isolated = true;
        self
    }

    /// Redirects `page.html` to `page`, and `index.html` to its folder, as Cloudflare Pages does.
    #[must_use]
    pub fn without_endings(mut self) -> Self {
        self.hides_endings = true;
        self
    }

    /// Calls `listener` with the path and query of each request. The response waits until `listener` returns.
    #[must_use]
    pub fn observed_by(mut self, listener: impl Fn(&str) + Send + Sync + 'static) -> Self {
        self.listener = Some(Arc::new(listener));
        self
    }

    /// Serves on this machine only, until the result is dropped. Port 0 means any free port.
    ///
    /// # Errors If the port is in use or not allowed.
    pub fn serve(self, port: u16) -> anyhow::Result<Serving> {
        let runtime = Runtime::new().context("cannot start the server's threads")?;
        let listener = runtime
            .block_on(TcpListener::bind(("127.0.0.1", port)))
            .with_context(|| format!("port {port} cannot be used"))?;
        let address = listener.local_addr().context("the server has no address")?;
        let listener = listener.tap_io(|stream| {
            // If the browser has already closed the connection, this is not an error of the server.
            let _gone = stream.set_nodelay(true);
        });
        runtime.spawn(axum::serve(listener, self.router()).into_future());
        Ok(Serving { address, runtime: Some(runtime) })
    }

    fn router(self) -> Router {
        let mut router = Router::new().fallback_service(ServeDir::new(&self.root));
        for (path, folder) in &self.mounts {
            router = router.nest_service(path, ServeDir::new(folder));
        }
        router.layer(middleware::from_fn_with_state(Arc::new(self), respond))
    }

    /// Returns the address that a page's address redirects to, on a site without endings.
    fn redirection(&self, uri: &Uri) -> Option<String> {
        let path = uri.path();
        let plain = path.strip_suffix("index.html").or_else(|| path.strip_suffix(".html"))?;
        let query = uri.query().map_or_else(String::new, |query| format!("?{query}"));
        self.hides_endings.then(|| format!("{plain}{query}"))
    }

    /// Returns the address of `page.html` for `page`, on a site without endings.
    fn with_ending(&self, uri: &Uri) -> Option<Uri> {
        let name = uri.path().trim_start_matches('/');
        let is_page = self.hides_endings && self.root.join(format!("{name}.html")).is_file();
        is_page.then(|| format!("/{name}.html").parse().ok()).flatten()
    }
}

/// Answers one request. The folder's service finds the file, and this function handles redirects and headers.
async fn respond(State(site): State<Arc<Site>>, mut request: Request, next: Next) -> Response {
    if let Some(listener) = site.listener.clone() {
        let url = request.uri().to_string();
        // A test's listener may wait for another request.
        let _panicked = tokio::task::spawn_blocking(move || listener(&url)).await;
    }
    if let Some(to) = site.redirection(request.uri()) {
        return (StatusCode::PERMANENT_REDIRECT, [(header::LOCATION, to)]).into_response();
    }
    if let Some(uri) = site.with_ending(request.uri()) {
        *request.uri_mut() = uri;
    }
    // The time of a file has whole seconds, and a test may change a file twice in one second. Therefore every response
    // is complete.
    request.headers_mut().remove(header::IF_MODIFIED_SINCE);
    let mut response = next.run(request).await;
    if response.status() == StatusCode::NOT_FOUND {
        *response.body_mut() = "There is no such file.\n".into();
    }
    let headers = response.headers_mut();
    headers.remove(header::LAST_MODIFIED);
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-cache"));
    if site.is_isolated {
        headers.insert("cross-origin-opener-policy", HeaderValue::from_static("same-origin"));
        headers.insert("cross-origin-embedder-policy", HeaderValue::from_static("require-corp"));
    }
    response
}

/// A [`Site`] that is being served.
pub struct Serving {
    address: SocketAddr,
    /// `None` after the server has ended.
    runtime: Option<Runtime>,
}

impl Serving {
    /// Returns the address of the site: "http://127.0.0.1:8080/".
    pub fn url(&self) -> String {
        format!("http://{}/", self.address)
    }

    /// Serves until the process ends.
    pub fn forever(self) {
        if let Some(runtime) = &self.runtime {
            runtime.block_on(std::future::pending::<()>());
        }
    }
}

impl Drop for Serving {
    /// Closes the port and all connections.
    fn drop(&mut self) {
        if let Some(runtime) = self.runtime.take() {
            // A listener that still waits must not delay the test.
            runtime.shutdown_timeout(Duration::from_secs(1));
        }
    }
}

#[cfg(test)]
mod tests {
    use std::io::{Read as _, Write as _};
    use std::net::TcpStream;

    use super::*;

    /// The folder of one test. It is removed at the end.
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
    fn a_mount_hides_the_root_and_no_path_leads_outside() {
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
        for hostile in ["/%2", "/a%00b", "secret", "/a\\b"] {
            let answer = ask(&serving, hostile);
            assert!(!answer.ends_with(b"secret") && !head(&answer).starts_with("http/1.1 2"), "{hostile}");
        }
    }

    #[test]
    fn a_mount_may_contain_another_mount() {
        let scratch = Scratch::new("site-nested");
        scratch.write("dist/packs/pool.txt", b"outer");
        scratch.write("cache/pool.txt", b"inner");
        let site = scratch.site().mount("packs", scratch.0.join("dist/packs"));
        let serving = site.serve(0).unwrap();
        assert!(ask(&serving, "/packs/pool.txt").ends_with(b"outer"));
        assert!(ask(&serving, "/packs/default/pool.txt").ends_with(b"inner"));
        assert!(ask(&serving, "/packs/none.txt").ends_with(b"There is no such file.\n"));
    }

    #[test]
    fn a_file_is_served_whole_with_its_type_and_no_cache() {
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
    fn a_site_without_endings_serves_the_redirects_target() {
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

    /// Browsers open connections in advance and leave them idle.
    #[test]
    fn idle_connections_do_not_block_others() {
        let scratch = Scratch::new("site-idle");
        scratch.write("dist/index.html", b"<!doctype html>");
        let serving = scratch.site().serve(0).unwrap();
        let idle: Vec<TcpStream> = (0..40).map(|_index| TcpStream::connect(serving.address).unwrap()).collect();
        assert!(ask(&serving, "/").ends_with(b"<!doctype html>"));
        assert_eq!(idle.len(), 40);
    }
}
