//! What makes `dist/` ready to be hosted: no inline script, a content security policy, and a service worker that
//! knows every file.

use std::path::{Path, PathBuf};

use anyhow::{Context as _, bail};
use sha2::{Digest as _, Sha256};
use xtask::places;

/// Hosts that models are fetched from unless the build names others: the usual hub, and where it redirects to.
pub const MODEL_HOSTS: [&str; 3] = ["https://huggingface.co", "https://*.huggingface.co", "https://*.hf.co"];

/// What Trunk's inline script becomes.
const START: &str = "start.js";

/// Hosts of packs change apart from the page, and large ones are for the shelf.
const PACKS: &str = "packs/";

/// Finishes a fresh `dist/`: the page may fetch from its own server and `hosts` alone.
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

/// The page without Trunk's inline module, and that module.
fn without_inline_script(html: &str) -> anyhow::Result<(String, String)> {
    const OPEN: &str = "<script type=\"module\">";
    const CLOSE: &str = "</script>";
    let Some((before, rest)) = html.split_once(OPEN) else { bail!("Trunk's page does not start the wasm") };
    let Some((script, after)) = rest.split_once(CLOSE) else { bail!("Trunk's page is cut off") };
    let page = format!("{before}<script type=\"module\" src=\"{START}\"></script>{after}");
    Ok((page, format!("{}\n", script.trim())))
}

/// Scripts and wasm of our own only, pictures and videos of the user's, requests to ourselves and `hosts`.
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
        // The examples of embedding frame the page itself.
        "frame-src 'self'",
        "manifest-src 'self'",
        "base-uri 'none'",
        "form-action 'none'",
    ]
    .join("; ")
}

fn with_policy(html: &str, policy: &str) -> anyhow::Result<String> {
    let charset = "<meta charset=\"utf-8\" />";
    let Some((before, after)) = html.split_once(charset) else { bail!("a page has no charset") };
    let meta = format!("<meta http-equiv=\"Content-Security-Policy\" content=\"{policy}\" />");
    Ok(format!("{before}{charset}\n    {meta}{after}"))
}

/// `_headers`, as several hosts of static pages read it; others have it as an example. A worker goes by the
/// headers of its own script, not by the page's.
fn headers(policy: &str) -> String {
    format!(
        "/*\n  Content-Security-Policy: {policy}\n  Referrer-Policy: no-referrer\n  X-Content-Type-Options: nosniff\n  \
         Permissions-Policy: camera=(self), microphone=(), geolocation=(), display-capture=()\n  \
         Cache-Control: no-cache\n"
    )
}

/// Puts the list of files into the service worker, and a name that changes with any of them.
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

/// A name for what was hashed.
pub fn short(hash: Sha256) -> String {
    hash.finalize().iter().take(6).map(|byte| format!("{byte:02x}")).collect()
}

/// Packs every file that is worth it once for all, for servers that hand out `file.br` or `file.gz` where the browser
/// takes it; as small as either format gets, since many will download what is packed once.
pub fn compress(dist: &Path) -> anyhow::Result<()> {
    const WORTH_IT: [&str; 8] = ["html", "js", "css", "wasm", "json", "svg", "webmanifest", "txt"];
    for file in files(dist)? {
        let extension = file.extension().and_then(|extension| extension.to_str()).unwrap_or_default();
        if !WORTH_IT.contains(&extension) {
            continue;
        }
        let bytes = std::fs::read(&file).with_context(|| format!("cannot read {}", file.display()))?;
        let mut gzip = Vec::new();
        zopfli::compress(zopfli::Options::default(), zopfli::Format::Gzip, &bytes[..], &mut gzip)?;
        write(&beside(&file, "gz"), &gzip)?;
        let mut brotli = Vec::new();
        brotli::BrotliCompress(&mut &bytes[..], &mut brotli, &brotli::enc::BrotliEncoderParams::default())?;
        write(&beside(&file, "br"), &brotli)?;
    }
    Ok(())
}

/// "page.wasm.gz" beside "page.wasm".
fn beside(file: &Path, ending: &str) -> PathBuf {
    PathBuf::from(format!("{}.{ending}", file.display()))
}

/// All files below a folder, in the order of their names.
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

/// A file's name in the folder, as an address has it.
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
    fn trunks_script_gets_a_file_of_its_own() {
        let (html, script) = without_inline_script(PAGE).unwrap();
        assert_eq!(script, "import init from './page.js';\n");
        assert!(html.contains("<script type=\"module\" src=\"start.js\"></script><body>"), "{html}");
        assert!(without_inline_script("<body>").is_err());
    }

    #[test]
    fn the_policy_lets_in_what_the_build_names_and_nothing_else() {
        let policy = policy(&["https://models.example".to_owned()]);
        assert!(policy.contains("connect-src 'self' blob: data: https://models.example;"), "{policy}");
        assert!(policy.contains("script-src 'self' 'wasm-unsafe-eval';") && !policy.contains("'unsafe-eval'"));
        // Whoever wants the page in a frame may have it there.
        assert!(!policy.contains("frame-ancestors") && !headers(&policy).contains("X-Frame-Options"));
        let html = with_policy(PAGE, &policy).unwrap();
        assert!(html.find(&policy).unwrap() < html.find("<script").unwrap(), "the policy comes first");
    }

    #[test]
    fn the_service_worker_knows_every_file_but_the_packs_and_changes_with_each() {
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
    fn what_is_worth_it_is_packed_both_ways() {
        let folder = std::env::temp_dir().join(format!("headlamp-packed-{}", std::process::id()));
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
