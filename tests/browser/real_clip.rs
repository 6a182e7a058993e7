//! A CLIP in full size, 605 MB of seeded weights in Hugging Face's layout, which the page opens from a hub that
//! behaves like real hubs: it has another origin, refuses preflights, and breaks off.

use std::fs::File;
use std::io::{BufRead as _, BufReader, Read as _, Seek as _, SeekFrom, Write as _};
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use serde_json::json;
use test_support::{TemporaryFolder, clip_b32};

use crate::driver::{Graphics, wait};
use crate::page::Page;

const REPOSITORY: &str = "openai/clip-vit-base-patch32";
/// The most memory that the page may use while it opens the model.
const MEMORY: u64 = 1_500_000_000;

/// A hub with the weights of one model and without configs.
struct Hub {
    url: String,
    parts: Arc<AtomicUsize>,
    preflights: Arc<AtomicUsize>,
}

impl Hub {
    fn new(weights: PathBuf) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        // Another name is another origin.
        let url = format!("http://localhost:{}", listener.local_addr().unwrap().port());
        let (parts, preflights) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
        let (counted, asked) = (Arc::clone(&parts), Arc::clone(&preflights));
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let (weights, parts, preflights) = (weights.clone(), Arc::clone(&counted), Arc::clone(&asked));
                // A browser that closes the connection early is not an error.
                std::thread::spawn(move || answer(&stream, &weights, &parts, &preflights));
            }
        });
        Self { url, parts, preflights }
    }
}

fn answer(
    mut stream: &TcpStream,
    weights: &Path,
    parts: &AtomicUsize,
    preflights: &AtomicUsize,
) -> std::io::Result<()> {
    let mut head = String::new();
    let mut lines = BufReader::new(stream);
    while lines.read_line(&mut head)? > 2 {}
    let close = "Access-Control-Allow-Origin: *\r\nConnection: close\r\n";
    if head.starts_with("OPTIONS") {
        preflights.fetch_add(1, Ordering::Relaxed);
        return stream.write_all(b"HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\nConnection: close\r\n\r\n");
    }
    let address = format!("/{REPOSITORY}/resolve/main/model.safetensors ");
    if !head.contains(&address) {
        return stream.write_all(format!("HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n{close}\r\n").as_bytes());
    }
    let mut file = File::open(weights)?;
    let length = file.metadata()?.len();
    if head.starts_with("HEAD") {
        return stream.write_all(format!("HTTP/1.1 200 OK\r\nContent-Length: {length}\r\n{close}\r\n").as_bytes());
    }
    let lower = head.to_ascii_lowercase();
    let range = lower.lines().find_map(|line| line.strip_prefix("range: bytes=")?.split_once('-'));
    let (start, last) = range.expect("the page must request ranges");
    let (start, last): (u64, u64) = (start.parse().unwrap(), last.trim().parse().unwrap());
    let count = last.min(length - 1) + 1 - start;
    let head = format!("HTTP/1.1 206 Partial Content\r\nContent-Length: {count}\r\n{close}\r\n");
    stream.write_all(head.as_bytes())?;
    file.seek(SeekFrom::Start(start))?;
    // Every seventh part breaks off half-way.
    let sent = if parts.fetch_add(1, Ordering::Relaxed) % 7 == 6 { count / 2 } else { count };
    std::io::copy(&mut file.take(sent), &mut stream).map(|_count| ())
}

#[test]
#[ignore = "needs the set-up of `cargo xtask test browser`"]
fn a_full_size_clip_is_opened_from_a_hub() {
    let scratch = TemporaryFolder::new("browser-b32");
    let weights = scratch.path().join("model.safetensors");
    clip_b32::write(&weights);
    let hub = Hub::new(weights);
    let page = Page::open("real-clip", Graphics::None, "?device=cpu&pack=packs/tiny/");
    page.choose_sample("coffee");
    the_known_models_are_listed(&page);
    page.window
        .script("document.querySelector('#load-model input[name=hub]').value = arguments[0]", &json!([hub.url]));
    page.window.click(&format!(".card[data-repository='{REPOSITORY}'] button"));
    wait("the CLIP to be open", Duration::from_secs(280), || {
        assert_eq!(page.message(), "", "no message");
        (page.field("name").contains("B/32") && page.phase() == "ready").then_some(())
    });
    page.settle();
    assert_eq!((page.field("layers"), page.field("width")), ("12".to_owned(), "768".to_owned()));
    assert!(page.photo().starts_with("coffee"), "the photo was lost: {}", page.photo());
    assert!(page.residual() < 1e-4, "sum check: {}", page.residual());
    let found = page.attribution();
    assert_eq!(found.heads.iter().map(Vec::len).collect::<Vec<_>>(), [12; 12]);
    let chosen = found.top().to_owned();
    page.choose_phrase(&chosen);
    let found = page.attribution();
    assert!((found.sum() - found.score(&chosen)).abs() < 1e-4, "{} {}", found.sum(), found.score(&chosen));
    assert_eq!(hub.preflights.load(Ordering::Relaxed), 0, "a range was requested with a preflight");
    assert!(hub.parts.load(Ordering::Relaxed) > 14, "no part broke off and was requested again");
    let peak = page.window.renderer_peak();
    println!(
        "{} parts, {:.2} GB of memory at most for the page",
        hub.parts.load(Ordering::Relaxed),
        peak as f64 / 1e9
    );
    assert!((1..MEMORY).contains(&peak), "the page took {peak} bytes");
    a_stored_clip_opens_again(&page);
}

/// The model's name in an address opens the stored model. The usual hub, which does not exist here, is not
/// contacted.
fn a_stored_clip_opens_again(page: &Page) {
    page.load(&format!("?device=cpu&model={REPOSITORY}"));
    page.wait_until_ready();
    page.settle();
    let time =
        format!("return document.querySelector(`.card[data-repository='{REPOSITORY}'] [data-time]`).textContent");
    wait("the stored model", Duration::from_secs(10), || {
        (page.window.script(&time, &json!([])) == "stored on this machine, no download").then_some(())
    });
    assert!(page.field("name").contains("B/32"), "{}", page.field("name"));
    assert!(page.residual() < 1e-4, "sum check: {}", page.residual());
}

/// The list has a card with a link for every model, and the search field leaves those with the typed words.
fn the_known_models_are_listed(page: &Page) {
    page.window.click("#known-models summary");
    let listed = || {
        let script =
            "return [...document.querySelectorAll('.card a[href^=https]')].map((link) => link.textContent)";
        let names: Vec<String> = serde_json::from_value(page.window.script(script, &json!([]))).unwrap();
        names
    };
    assert_eq!(listed().len(), 19);
    let search = "const input = document.querySelector('#known-models input[type=search]');
        input.value = arguments[0];
        input.dispatchEvent(new Event('input', { bubbles: true }));";
    page.window.script(search, &json!(["openai b/32"]));
    wait("the card", Duration::from_secs(10), || (listed() == ["OpenAI CLIP ViT-B/32"]).then_some(()));
    let time = "return document.querySelector('.card [data-time]').textContent";
    assert_eq!(page.window.script(time, &json!([])), "50 s at 100 Mbit/s");
}

#[test]
#[ignore = "needs the set-up of `cargo xtask test browser`"]
fn unsuitable_weights_are_refused_and_the_model_stays() {
    let page = Page::open("no-clip", Graphics::None, "?device=cpu&pack=packs/tiny/");
    page.choose_sample("coffee");
    let before = page.attribution();
    let file = crate::page::packs().join("tiny/weights.safetensors");
    page.window.choose_file("input[name=weights]", &file);
    let message = page.wait_for_message();
    assert!(message.contains("weights.safetensors"), "the message does not name the file: {message:?}");
    page.settle();
    assert_eq!(page.phase(), "ready");
    page.choose_sample("china");
    assert_ne!(page.attribution().phrases, before.phrases, "the old model no longer works");
}
