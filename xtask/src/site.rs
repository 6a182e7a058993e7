//! A static server for the built page: some folders, each mounted at a path.

use std::net::SocketAddr;
use std::path::PathBuf;

use anyhow::Context as _;
use axum::Router;
use axum::http::{HeaderValue, header};
use tokio::net::TcpListener;
use tokio::runtime::{Builder, Runtime};
use tower_http::services::ServeDir;
use tower_http::set_header::SetResponseHeaderLayer;

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
        self.mounts.push((format!("/{}", path.trim_matches('/')), folder.into()));
        self
    }

    /// Serves on this machine only, on `port` or, if that is 0, on a free one, until the answer is dropped.
    ///
    /// # Errors
    /// The port cannot be had.
    pub fn serve(self, port: u16) -> anyhow::Result<Serving> {
        let runtime = Builder::new_multi_thread().worker_threads(2).enable_io().build()?;
        let listener = runtime.block_on(TcpListener::bind(("127.0.0.1", port)));
        let listener = listener.with_context(|| format!("port {port} cannot be used"))?;
        let address = listener.local_addr().context("the server has no address")?;
        let router = self.router();
        runtime.spawn(async move { axum::serve(listener, router).await });
        Ok(Serving { address, runtime: Some(runtime) })
    }

    fn router(&self) -> Router {
        let mounted = self.mounts.iter().fold(Router::new(), |router, (path, folder)| {
            router.nest_service(path, ServeDir::new(folder))
        });
        // A page that was built anew is shown anew.
        let no_cache = HeaderValue::from_static("no-cache");
        mounted
            .fallback_service(ServeDir::new(&self.root))
            .layer(SetResponseHeaderLayer::overriding(header::CACHE_CONTROL, no_cache))
    }
}

/// A [`Site`] being served.
pub struct Serving {
    address: SocketAddr,
    runtime: Option<Runtime>,
}

impl Serving {
    /// "http://127.0.0.1:8080/"
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
    fn drop(&mut self) {
        // Without waiting for downloads that a browser has left half-way.
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_background();
        }
    }
}

#[cfg(test)]
mod tests {
    use std::io::{Read as _, Write as _};
    use std::net::TcpStream;
    use std::path::Path;

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
        for hostile in ["/../secret", "/packs/default/../../secret", "/%2e%2e/secret", "/packs/default/%2e%2e/secret"] {
            let answer = ask(&serving, hostile);
            assert!(!answer.ends_with(b"secret") && head(&answer).starts_with("http/1.1 404"), "{hostile}");
        }
        assert!(Path::new(&scratch.0).join("secret").is_file());
    }

    #[test]
    fn a_file_is_served_whole_with_its_type_and_not_kept() {
        let scratch = Scratch::new("site-files");
        scratch.write("dist/worker.wasm", &[7_u8; 100_000]);
        scratch.write("dist/index.html", b"<!doctype html>");
        let serving = scratch.site().serve(0).unwrap();
        let answer = ask(&serving, "/worker.wasm");
        let head_of = head(&answer);
        assert!(head_of.starts_with("http/1.1 200") && head_of.contains("content-type: application/wasm"), "{head_of}");
        assert!(head_of.contains("cache-control: no-cache"), "{head_of}");
        assert_eq!(answer.iter().filter(|byte| **byte == 7).count(), 100_000);
        assert!(ask(&serving, "/?pack=packs/tiny/").ends_with(b"<!doctype html>"));
        assert!(head(&ask(&serving, "/nothing")).starts_with("http/1.1 404"));
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
