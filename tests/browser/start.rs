//! The start of the page: which files it requests from the server, and when.

use std::sync::{Arc, Condvar, Mutex};
use std::time::Duration;

use crate::driver::Graphics;
use crate::offline::wait_for_service_worker;
use crate::page::{Page, TINY, site};

const WORKER: &str = "/worker_bg.wasm";
const MANIFEST: &str = "/packs/tiny/pack.json";
const WEIGHTS: &str = "/packs/tiny/weights.safetensors";
const DEFAULT_MANIFEST: &str = "/packs/default/pack.json";
const DEFAULT_POOL: &str = "/packs/default/pool.safetensors";
const DEFAULT_WEIGHTS: &str = "/packs/default/weights.safetensors";

/// The requested files in their order. The first request for the worker waits until the weights are requested.
#[derive(Default)]
struct Requests {
    asked: Mutex<Vec<String>>,
    another: Condvar,
}

impl Requests {
    fn record(&self, path: &str) {
        let mut asked = self.asked.lock().unwrap();
        asked.push(path.to_owned());
        self.another.notify_all();
        if path.starts_with(WORKER) {
            let lacks_weights = |asked: &mut Vec<String>| !asked.iter().any(|path| path == WEIGHTS);
            // If the page requests one file after the other, the wait ends without the weights. The order of the
            // requests then shows the fault.
            drop(self.another.wait_timeout_while(asked, Duration::from_secs(20), lacks_weights).unwrap());
            self.asked.lock().unwrap().push("the worker goes out".to_owned());
        }
    }

    fn times(&self, wanted: &str) -> usize {
        self.asked.lock().unwrap().iter().filter(|path| *path == wanted).count()
    }

    fn first(&self, wanted: &str) -> Option<usize> {
        self.asked.lock().unwrap().iter().position(|path| path == wanted)
    }
}

#[test]
#[ignore = "needs the set-up of `cargo xtask test browser`"]
fn the_pack_downloads_while_the_worker_compiles() {
    let requests = Arc::new(Requests::default());
    let hearing = Arc::clone(&requests);
    let site = site().observed_by(move |path| hearing.record(path));
    let page = Page::open_unready("start", site, Graphics::None, TINY);
    page.wait_until_ready();
    let weights = requests.first(WEIGHTS).unwrap();
    assert!(
        weights < requests.first("the worker goes out").unwrap(),
        "the weights were requested after the worker"
    );
    for file in [MANIFEST, WEIGHTS] {
        assert_eq!(requests.times(file), 1, "{file} was not requested exactly once");
    }
    // From here on a service worker answers for the page's own files.
    wait_for_service_worker(&page);
    page.load(TINY);
    page.wait_until_ready();
    assert_eq!(requests.times(MANIFEST), 2, "the manifest was not checked for a newer pack");
    assert_eq!(requests.times(WEIGHTS), 1, "the stored weights were requested again");
    page.load("?device=cpu");
    page.wait_until_ready();
    // The page asks for the default pack's name too: the precomputed results belong to one pack.
    assert_eq!(requests.times(DEFAULT_MANIFEST), 2);
    assert_eq!(requests.times(DEFAULT_WEIGHTS), 1, "{DEFAULT_WEIGHTS} was not requested exactly once");
    // The worker requests files in the manifest's order, which has the weights last.
    assert!(
        requests.first(DEFAULT_WEIGHTS) < requests.first(DEFAULT_POOL),
        "the loader did not request the weights"
    );
    page.assert_quiet_console();
}
