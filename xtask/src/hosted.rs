//! Finishes `dist/` after Trunk: no inline script, a content security policy, a service worker with the list of files,
//! and compressed files.

use std::path::{Path, PathBuf};

use anyhow::{Context as _, bail};
use sha2::{Digest as _, Sha256};
use xtask::places;

/// The hosts that models are fetched from, unless the build names others: the usual hub, and the hosts that the hub
/// redirects to.
pub const MODEL_HOSTS: [&str; 3] = ["https://huggingface.co", "https://*.huggingface.co", "https://*.hf.co"];

/// The file that Trunk's inline script is moved to.
const START: &str = "start.js";

/// Packs change independently of the page. The worker stores them, not the service worker.
const PACKS: &str = "packs/";

/// Finishes the `dist/` that Trunk has made. The page may fetch only from its own server and from `hosts`.
pub fn finish(hosts: &[String]) -> anyhow::Result<()> {
    let dist = places::dist();
    let page = dist.join("index.html");
    let html = std::fs::read_to_string(&page).context("Trunk left no index.html")?;
    let (html, start) = without_inline_script(&html)?;
    let policy = policy(hosts);
    write(&dist.join(START), start.as_bytes())?;
    write(&page, html.as_bytes())?;
    for page in files(&dist)?.iter().filter(|file| file.extension().is_some_and(|name| name == "html")) {
        let html = std::fs::read_to_string(page).with_context(|| format!("cannot read {}", page.display()))?;
        write(page, with_policy(&html, &policy)?.as_bytes())?;
    }
    write(&dist.join("_headers"), headers(&policy).as_bytes())?;
    name_files(&dist)
}

/// Returns the page without Trunk's inline script, and the script.
fn without_inline_script(html: &str) -> anyhow::Result<(String, String)> {
    const OPEN: &str = "<script type=\"module\">";
    const CLOSE: &str = "</script>";
    let Some((before, rest)) = html.split_once(OPEN) else { bail!("Trunk's page does not start the wasm") };
    let Some((script, after)) = rest.split_once(CLOSE) else { bail!("Trunk's page is cut off") };
    let page = format!("{before}<script type=\"module\" src=\"{START}\"></script>{after}");
    Ok((page, format!("{}\n", script.trim())))
}

/// Returns the content security policy: allows the page's own scripts and WebAssembly, the user's pictures and videos,
/// and requests to the page's own server and to `hosts`.
fn policy(hosts: &[String]) -> String {
    let connect = std::iter::once("'self' blob: data:").chain(hosts.iter().map(String::as_str));
    let connect = connect.collect::<Vec<_>>().join(" ");
    [
        "default-src 'none'",
        "script-src 'self' 'wasm-unsafe-eval'",
        "worker-src 'self'",
        // Bars and frames have their sizes in style attributes.
        "style-src 'self'; style-src-attr 'unsafe-inline'",
        "img-src 'self' blob: data:",
        "media-src 'self' blob:",
        &format!("connect-src {connect}"),
        // The examples of embedding show the page in a frame.
        "frame-src 'self'",
        "manifest-src 'self'",
        "base-uri 'none'",
        "form-action 'none'",
    ]
    .join("; ")
}

/// Returns the page with the policy in its head.
fn with_policy(html: &str, policy: &str) -> anyhow::Result<String> {
    let charset = "<meta charset=\"utf-8\" />";
    let Some((before, after)) = html.split_once(charset) else { bail!("a page has no charset") };
    let meta = format!("<meta http-equiv=\"Content-Security-Policy\" content=\"{policy}\" />");
    Ok(format!("{before}{charset}\n    {meta}{after}"))
}

/// Returns the file `_headers`, which several hosts of static pages read. For other hosts, the file is an example. A
/// worker obeys the policy in the headers of its script, not the policy of the page.
fn headers(policy: &str) -> String {
    format!(
        "/*\n  Content-Security-Policy: {policy}\n  Referrer-Policy: no-referrer\n  X-Content-Type-Options: nosniff\n  \
         Permissions-Policy: camera=(self), microphone=(), geolocation=(), display-capture=()\n  \
         Cache-Control: no-cache\n"
    )
}

/// Writes the list of files into the service worker, and a name of the build that changes with any file.
fn name_files(dist: &Path) -> anyhow::Result<()> {
    let service_worker = dist.join("sw.js");
    let template = std::fs::read_to_string(&service_worker).context("Trunk left no sw.js")?;
    let mut names = Vec::new();
    let mut hash = Sha256::new();
    hash.update(&template);
    for file in files(dist)? {
        let name = name_in(dist, &file);
        if name == "sw.js" || name == "_headers" || name.starts_with(PACKS) {
            continue;
        }
        hash.update(&name);
        hash.update(std::fs::read(&file).with_context(|| format!("cannot read {name}"))?);
        names.push(name);
    }
    let build = short(hash);
    let list = names.iter().map(|name| format!("\n  {name:?},")).collect::<String>();
    let script = template.replace("%BUILD%", &build).replace("%FILES%", &format!("[{list}\n]"));
    write(&service_worker, script.as_bytes())
}

/// Returns the first 12 digits of a hash.
pub fn short(hash: Sha256) -> String {
    hash.finalize().iter().take(6).map(|byte| format!("{byte:02x}")).collect()
}

/// Writes `file.gz` and `file.br` next to every file that compresses well. A server can send them to browsers that accept
/// them. The compression is slow and strong: files are compressed once and downloaded often.
pub fn compress(dist: &Path) -> anyhow::Result<()> {
    const COMPRESSIBLE: [&str; 8] = ["html", "js", "css", "wasm", "json", "svg", "webmanifest", "txt"];
    for file in files(dist)? {
        let extension = file.extension().and_then(|extension| extension.to_str()).unwrap_or_default();
        if !COMPRESSIBLE.contains(&extension) {
            continue;
        }
        let bytes = std::fs::read(&file).with_context(|| format!("cannot read {}", file.display()))?;
        let mut gzip = Vec::new();
        zopfli::compress(zopfli::Options::default(), zopfli::Format::Gzip, &bytes[..], &mut gzip)?;
        write(&with_ending(&file, "gz"), &gzip)?;
        let mut brotli = Vec::new();
        brotli::BrotliCompress(&mut &bytes[..], &mut brotli, &brotli::enc::BrotliEncoderParams::default())?;
        write(&with_ending(&file, "br"), &brotli)?;
    }
    Ok(())
}

/// Returns "page.wasm.gz" for "page.wasm".
fn with_ending(file: &Path, ending: &str) -> PathBuf {
    PathBuf::from(format!("{}.{ending}", file.display()))
}

/// Returns all files in a folder and below, sorted by name.
fn files(folder: &Path) -> anyhow::Result<Vec<PathBuf>> {
    let mut found = Vec::new();
    let mut folders = vec![folder.to_owned()];
    while let Some(folder) = folders.pop() {
        let entries = std::fs::read_dir(&folder).with_context(|| format!("cannot read {}", folder.display()))?;
        for path in entries.flatten().map(|entry| entry.path()) {
            if path.is_dir() { folders.push(path) } else { found.push(path) }
        }
    }
    found.sort();
    Ok(found)
}

/// Returns a file's path in the folder, in the form of an address.
fn name_in(folder: &Path, file: &Path) -> String {
    let parts = file.strip_prefix(folder).unwrap_or(file).components();
    parts.map(|part| part.as_os_str().to_string_lossy()).collect::<Vec<_>>().join("/")
}

fn write(file: &Path, bytes: &[u8]) -> anyhow::Result<()> {
    std::fs::write(file, bytes).with_context(|| format!("cannot write {}", file.display()))
}

#[cfg(test)]
mod tests {
    use super::*;

    const PAGE: &str = "<meta charset=\"utf-8\" /><script src=\"boot.js\"></script>\
                        <script type=\"module\">\nimport init from './page.js';\n</script><body>";

    #[test]
    fn trunks_inline_script_moves_to_a_file() {
        let (html, script) = without_inline_script(PAGE).unwrap();
        assert_eq!(script, "import init from './page.js';\n");
        assert!(html.contains("<script type=\"module\" src=\"start.js\"></script><body>"), "{html}");
        assert!(without_inline_script("<body>").is_err());
    }

    #[test]
    fn the_policy_allows_only_the_hosts_of_the_build() {
        let policy = policy(&["https://models.example".to_owned()]);
        assert!(policy.contains("connect-src 'self' blob: data: https://models.example;"), "{policy}");
        assert!(policy.contains("script-src 'self' 'wasm-unsafe-eval';") && !policy.contains("'unsafe-eval'"));
        // Other sites may show the page in a frame.
        assert!(!policy.contains("frame-ancestors") && !headers(&policy).contains("X-Frame-Options"));
        let html = with_policy(PAGE, &policy).unwrap();
        assert!(html.find(&policy).unwrap() < html.find("<script").unwrap(), "the policy comes first");
    }

    #[test]
    fn the_service_worker_changes_with_every_file_but_packs() {
        let folder = std::env::temp_dir().join(format!("headlamp-hosted-{}", std::process::id()));
        std::fs::create_dir_all(folder.join("packs/default")).unwrap();
        std::fs::create_dir_all(folder.join("icons")).unwrap();
        let built = |page: &str| {
            write(&folder.join("sw.js"), b"const BUILD = \"%BUILD%\"; const FILES = %FILES%;").unwrap();
            write(&folder.join("page.js"), page.as_bytes()).unwrap();
            write(&folder.join("icons/a.svg"), b"<svg/>").unwrap();
            write(&folder.join("packs/default/pool.txt"), b"a cat").unwrap();
            name_files(&folder).unwrap();
            std::fs::read_to_string(folder.join("sw.js")).unwrap()
        };
        let (first, again, other) = (built("1"), built("1"), built("2"));
        std::fs::remove_dir_all(&folder).unwrap();
        assert!(first.contains("[\n  \"icons/a.svg\",\n  \"page.js\",\n]"), "{first}");
        assert_eq!(first, again);
        assert_ne!(first, other);
    }

    #[test]
    fn text_is_compressed_both_ways_and_photos_are_not() {
        let folder = std::env::temp_dir().join(format!("headlamp-compressed-{}", std::process::id()));
        std::fs::create_dir_all(&folder).unwrap();
        let page = "<p>a page</p>".repeat(100);
        write(&folder.join("index.html"), page.as_bytes()).unwrap();
        write(&folder.join("photo.png"), page.as_bytes()).unwrap();
        compress(&folder).unwrap();
        let read = |name: &str| std::fs::read(folder.join(name));
        let (gzip, brotli) = (read("index.html.gz").unwrap(), read("index.html.br").unwrap());
        let is_left_alone = read("photo.png.gz").is_err() && read("photo.png.br").is_err();
        std::fs::remove_dir_all(&folder).unwrap();
        let mut back = Vec::new();
        brotli::BrotliDecompress(&mut &brotli[..], &mut back).unwrap();
        assert_eq!(back, page.as_bytes());
        assert!(gzip.starts_with(&[0x1f, 0x8b]) && gzip.len() < 200, "{} bytes", gzip.len());
        assert!(is_left_alone);
    }
}
