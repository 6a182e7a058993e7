//! The compact page inside another page: what it shows, which page may control it, and its answers.

use std::time::Duration;

use serde_json::{Value, json};
use test_support::TemporaryFolder;
use xtask::site::{Serving, Site};

use crate::driver::{Graphics, wait};
use crate::page::{Page, site};

const SETTINGS: &str = "?device=cpu&pack=packs/tiny/";

/// A page that embeds headlamp in a frame, sends requests to it, and records its messages.
const HOST: &str = "<!doctype html><meta charset='utf-8'><title>host</title><body><script>
    const heard = [];
    const waiting = new Map();
    addEventListener('message', ({ source, origin, data }) => {
      heard.push({ ...data, origin, isFrame: source === document.querySelector('iframe').contentWindow });
      waiting.get(data.id)?.(data);
    });
    function frame(url) {
      const frame = document.createElement('iframe');
      frame.style = 'width: 60rem; height: 40rem';
      frame.src = url;
      document.body.replaceChildren(frame);
    }
    function ask(message) {
      const id = waiting.size + 1;
      return new Promise((resolve) => {
        waiting.set(id, resolve);
        document.querySelector('iframe').contentWindow.postMessage({ headlamp: 1, id, ...message }, '*');
      });
    }
  </script>";

/// The host's page. Its origin is not headlamp's.
struct Host {
    page: Page,
    headlamp: String,
    host: Serving,
    _scratch: TemporaryFolder,
}

impl Host {
    fn open(test: &'static str) -> Self {
        let page = Page::open_unready(test, site(), Graphics::None, "embed/example.css");
        let headlamp = page.window.script("return location.origin", &json!([])).as_str().unwrap().to_owned();
        let scratch = TemporaryFolder::new(test);
        std::fs::write(scratch.path().join("index.html"), HOST).unwrap();
        let host = Site::new(scratch.path()).serve(0).unwrap();
        page.window.go(&host.url());
        Self { page, headlamp, host, _scratch: scratch }
    }

    fn origin(&self) -> String {
        self.host.url().trim_end_matches('/').to_owned()
    }

    /// Embeds headlamp in a frame, and does not wait.
    fn frame(&self, query: &str) {
        self.page.window.script("frame(arguments[0])", &json!([format!("{}/{query}", self.headlamp)]));
    }

    fn received(&self, event: &str) -> Vec<Value> {
        let script = "return heard.filter((message) => message.event === arguments[0])";
        self.page.window.script(script, &json!([event])).as_array().cloned().unwrap()
    }

    fn wait_until_ready(&self) {
        wait("the ready event", Duration::from_secs(120), || self.received("ready").pop());
    }

    /// Sends a request. `message` is JavaScript; `then` makes JSON from the answer.
    fn ask(&self, message: &str, then: &str) -> Value {
        // In a list, because the driver takes an object with an `error` for its own error.
        let script = format!("return (async () => {{ const answer = await ask({message}); return [{then}]; }})()");
        self.page.window.script(&script, &json!([]))[0].take()
    }
}

fn numbers(list: &Value) -> Vec<f64> {
    list.as_array()
        .unwrap()
        .iter()
        .flat_map(|at| if at.is_array() { numbers(at) } else { vec![at.as_f64().unwrap()] })
        .collect()
}

#[test]
#[ignore = "needs the set-up of `cargo xtask test browser`"]
fn the_named_origin_controls_the_frame() {
    let host = Host::open("embed");
    let query = format!(
        "{SETTINGS}&embed=1&image=samples/coffee.png&text=a+cat&text=a+cup&head=1.2&origin={}",
        host.origin()
    );
    host.frame(&query);
    host.wait_until_ready();
    let ready = host.received("ready").pop().unwrap();
    assert_eq!((&ready["isFrame"], &ready["origin"]), (&json!(true), &json!(host.headlamp)));
    assert_eq!((&ready["model"]["layers"], &ready["model"]["heads"]), (&json!(3), &json!(3)));
    let answer = host.ask("{ do: 'result' }", "answer");
    assert_eq!(answer["ok"], true, "{answer}");
    let result = &answer["result"];
    assert_eq!((&result["image"]["name"], &result["head"]), (&json!("coffee.png"), &json!([1, 2])));
    assert_eq!(result["texts"], json!(["a cat", "a cup"]));
    assert!(result["image"]["residual"].as_f64().unwrap() < 1e-5, "{result}");
    // The parts sum to the score of the phrase that the answer names.
    let index = usize::from(result["phrase"] == "a cup");
    let sum = numbers(&result["heads"]).iter().sum::<f64>()
        + numbers(&result["mlps"]).iter().sum::<f64>()
        + result["embedding"].as_f64().unwrap();
    assert!((sum - result["scores"][index].as_f64().unwrap()).abs() < 1e-5, "{sum} in {result}");
    assert!(!result["headTexts"].as_array().unwrap().is_empty());
    // Another photo, which the host draws, with the mask of a chosen phrase.
    let drawing = "{ do: 'load', name: 'drawn', image: await (async () => {
        const canvas = new OffscreenCanvas(320, 200);
        canvas.getContext('2d').fillRect(100, 50, 100, 100);
        return canvas.transferToImageBitmap();
    })() }";
    let drawn = host.ask(drawing, "answer.result.image");
    assert_eq!((&drawn["name"], &drawn["width"], &drawn["height"]), (&json!("drawn"), &json!(320), &json!(200)));
    let prompts = "{ do: 'prompts', texts: ['red', 'many small things'], phrase: 'red' }";
    assert_eq!(
        host.ask(prompts, "[answer.result.texts, answer.result.phrase]"),
        json!([["red", "many small things"], "red"])
    );
    assert_eq!(host.ask("{ do: 'choose', head: '0.1' }", "answer.result.head"), json!([0, 1]));
    let mask = "await createImageBitmap(answer.result.mask).then(({ width, height }) => [answer.result.mask.type, width, height])";
    assert_eq!(host.ask("{ do: 'result', mask: true }", mask), json!(["image/png", 320, 200]));
    // The frame reported its size and its own choices.
    let sizes = host.received("resize");
    assert!(sizes.iter().any(|size| size["height"].as_f64().unwrap() > 300.0), "{sizes:?}");
    assert!(!host.received("progress").is_empty());
    // The frame added nothing to the host's history: the blank page, headlamp's style sheet, the host's page.
    assert_eq!(host.page.window.script("return history.length", &json!([])), 3);
    host.page.assert_quiet_console();
}

#[test]
#[ignore = "needs the set-up of `cargo xtask test browser`"]
fn the_frame_refuses_with_an_error_message() {
    let host = Host::open("embed-refusals");
    host.frame(&format!("{SETTINGS}&embed=1&text=a+cat&origin={}", host.origin()));
    host.wait_until_ready();
    for (message, sentence) in [
        ("{ do: 'fly' }", "one of load, prompts, choose and result"),
        ("{ headlamp: 2, do: 'result' }", "speaks version 1"),
        ("{ do: 'load' }", "needs an image"),
        ("{ do: 'load', image: {} }", "cannot be read"),
        ("{ do: 'load', image: new Uint8Array([1, 2, 3]), name: 'three bytes' }", "“three bytes”"),
        ("{ do: 'load', image: 'samples/nowhere.png' }", "nowhere.png is not on the server"),
        ("{ do: 'prompts', texts: 'a cat' }", "a list of phrases"),
        ("{ do: 'prompts', texts: [1n] }", "a list of phrases"),
        ("{ do: 'choose', head: '9.9' }", "no head 9.9"),
        ("{ do: 'choose', phrase: 'a dog' }", "not one of the prompts"),
        ("{ do: 'result', mask: true }", "There is no mask yet"),
    ] {
        let answer = host.ask(message, "answer");
        let error = answer["error"].as_str().unwrap_or_default();
        assert!(answer["ok"] == false && error.contains(sentence) && error.ends_with('.'), "{message}: {answer}");
    }
    // The frame still works.
    let photo = "{ do: 'load', image: 'samples/rocket.jpg' }";
    assert_eq!(host.ask(photo, "answer.result.image.name"), "rocket.jpg");
}

#[test]
#[ignore = "needs the set-up of `cargo xtask test browser`"]
fn other_origins_are_neither_heard_nor_answered() {
    let host = Host::open("embed-strangers");
    let strangers = [
        "",
        "&origin=https://somebody.example",
        "&origin=*",
        "&origin=null",
        &format!("&origin={}x", host.origin()),
    ];
    for origin in strangers {
        host.frame(&format!("{SETTINGS}&embed=1&image=samples/coffee.png&text=a+cat{origin}"));
        let silence = "return (async () => {
            heard.length = 0;
            await new Promise((resolve) => setTimeout(resolve, 6000));
            const answer = ask({ do: 'result' });
            const patience = new Promise((resolve) => setTimeout(() => resolve('silence'), 2000));
            return [await Promise.race([answer, patience]), heard.length];
        })()";
        assert_eq!(host.page.window.script(silence, &json!([])), json!(["silence", 0]), "{origin:?}");
    }
    // With a page between host and frame, the frame hears its direct parent only.
    host.frame(&format!("{SETTINGS}&embed=1&text=a+cat&origin={}", host.origin()));
    host.wait_until_ready();
    let sibling = "return (async () => {
        const other = document.createElement('iframe');
        document.body.append(other);
        heard.length = 0;
        const frame = document.querySelector('iframe').contentWindow;
        other.contentWindow.eval(`parent.frames[0].postMessage({ headlamp: 1, id: 'x', do: 'result' }, '*')`);
        await new Promise((resolve) => setTimeout(resolve, 2000));
        return heard.length;
    })()";
    assert_eq!(
        host.page.window.script(sibling, &json!([])),
        0,
        "another frame of the same origin must not be heard, because it is not the parent"
    );
}

#[test]
#[ignore = "needs the set-up of `cargo xtask test browser`"]
fn the_embed_example_controls_its_frame() {
    let page = Page::open_unready("embed-example", site(), Graphics::None, &format!("embed/index.html{SETTINGS}"));
    let says = || page.window.script("return document.querySelector('#status').textContent", &json!([]));
    let until = |start: &str| {
        wait(&format!("{start:?}"), Duration::from_secs(120), || {
            says().as_str().unwrap().starts_with(start).then_some(())
        });
    };
    wait("the ready event", Duration::from_secs(120), || {
        (page.window.script("return document.querySelector('fieldset').disabled", &json!([])) == false)
            .then_some(())
    });
    page.window.click("button[type=submit]");
    until("coffee.png:");
    let lines = page.window.script("return document.querySelectorAll('#scores li').length", &json!([]));
    assert_eq!(lines, 3);
    page.window.click("#drawn");
    until("drawing:");
    page.window.click("#mask");
    wait("the mask", Duration::from_secs(60), || {
        let width = page.window.script("return document.querySelector('#mask-picture').naturalWidth", &json!([]));
        (width == 320).then_some(())
    });
    page.assert_quiet_console();
}
