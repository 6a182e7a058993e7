//! The browser stores headlamp: after one visit the page works without a network, and a new version waits.

use std::path::Path;
use std::time::Duration;

use serde_json::json;
use test_support::TemporaryFolder;
use xtask::site::Site;

use crate::driver::{Graphics, wait};
use crate::page::{Page, TINY, folder, packs, site};

/// Waits until the service worker has stored the page and answers for it.
pub fn wait_for_service_worker(page: &Page) {
    wait("the service worker", Duration::from_secs(240), || {
        let script = "return navigator.serviceWorker.controller?.state === 'activated'";
        (page.window.script(script, &json!([])) == true).then_some(())
    });
}

pub fn stored_packs(page: &Page) -> Vec<String> {
    let script = "return [...document.querySelectorAll('#kept .name')].map((name) => name.textContent)";
    serde_json::from_value(page.window.script(script, &json!([]))).unwrap()
}

#[test]
#[ignore = "needs the set-up of `cargo xtask test browser`"]
fn after_one_visit_everything_works_offline() {
    let mut page = Page::open_unready("offline", site(), Graphics::None, TINY);
    page.wait_until_ready();
    wait_for_service_worker(&page);
    let names = wait("the stored pack", Duration::from_secs(30), || {
        Some(stored_packs(&page)).filter(|all| !all.is_empty())
    });
    assert_eq!(names.len(), 1);
    page.choose_sample("china");
    let online = page.attribution();
    page.lose_network();
    page.load(TINY);
    page.wait_until_ready();
    page.choose_sample("china");
    let offline = page.attribution();
    assert_eq!(offline.phrases, online.phrases, "the figures changed without a network");
    assert_eq!(offline.heads, online.heads);
    // Without its pack the page still opens, and its message says what is missing.
    page.window.click("#kept button[aria-label^=Remove]");
    wait("an empty storage", Duration::from_secs(10), || stored_packs(&page).is_empty().then_some(()));
    page.load(TINY);
    let message = page.wait_for_message();
    assert!(message.contains("could not be reached: check the connection"), "{message}");
}

/// A copy of the built page that a test may change.
struct Build(TemporaryFolder);

impl Build {
    fn copy(test: &str) -> Self {
        let to = TemporaryFolder::new(&format!("build-{test}"));
        copy_folder(&folder("HEADLAMP_DIST"), to.path());
        Self(to)
    }

    fn site(&self) -> Site {
        Site::new(self.0.path()).mount("packs/tiny", packs().join("tiny"))
    }

    /// Makes the next build: another page, and a service worker that knows it.
    fn renew(&self) {
        let change = |file: &str, from: &str, to: &str| {
            let path = self.0.path().join(file);
            let text = std::fs::read_to_string(&path).unwrap();
            assert!(text.contains(from), "{file} has {from}");
            std::fs::write(&path, text.replace(from, to)).unwrap();
        };
        change("index.html", "<title>headlamp</title>", "<title>headlamp, anew</title>");
        change("sw.js", "const BUILD = \"", "const BUILD = \"next-");
    }
}

fn copy_folder(from: &Path, to: &Path) {
    std::fs::create_dir_all(to).unwrap();
    for entry in std::fs::read_dir(from).unwrap() {
        let (path, target) = {
            let entry = entry.unwrap();
            (entry.path(), to.join(entry.file_name()))
        };
        if path.is_dir() {
            copy_folder(&path, &target);
        } else {
            std::fs::copy(&path, &target).unwrap();
        }
    }
}

#[test]
#[ignore = "needs the set-up of `cargo xtask test browser`"]
fn a_new_version_waits_for_the_users_consent() {
    let build = Build::copy("update");
    let page = Page::open_unready("update", build.site(), Graphics::None, TINY);
    page.wait_until_ready();
    wait_for_service_worker(&page);
    build.renew();
    let title = || page.window.script("return document.title", &json!([]));
    page.window.script("navigator.serviceWorker.getRegistration().then((at) => at.update())", &json!([]));
    wait("the offer", Duration::from_secs(60), || {
        let script = "const button = document.querySelector('#take-update');
            return button !== null && button.checkVisibility()";
        (page.window.script(script, &json!([])) == true).then_some(())
    });
    page.load(TINY);
    assert_eq!(title(), "headlamp", "the old version must stay until the user takes the new one");
    page.wait_until_ready();
    wait("the offer again", Duration::from_secs(60), || {
        let script = "return document.querySelector('#take-update').checkVisibility()";
        (page.window.script(script, &json!([])) == true).then_some(())
    });
    page.window.click("#take-update");
    wait("the new version", Duration::from_secs(60), || (title() == "headlamp, anew").then_some(()));
    page.wait_until_ready();
}

#[test]
#[ignore = "needs the set-up of `cargo xtask test browser`"]
fn an_update_in_another_tab_is_reported() {
    let build = Build::copy("two-tabs");
    let page = Page::open_unready("update-two-tabs", build.site(), Graphics::None, TINY);
    page.wait_until_ready();
    wait_for_service_worker(&page);
    let is_true = |script: &str| (page.window.script(script, &json!([])) == true).then_some(());
    build.renew();
    page.window.script("self.other = window.open(location.href)", &json!([]));
    wait("the other tab's offer", Duration::from_secs(120), || {
        is_true("return !!self.other.document.querySelector('#take-update')?.checkVisibility()")
    });
    page.window.script("self.other.document.querySelector('#take-update').click()", &json!([]));
    wait("the message in this tab", Duration::from_secs(60), || {
        is_true(
            "return [...document.querySelectorAll('.notice [role=status]')]
                .some((says) => says.textContent.includes('updated in another tab'))",
        )
    });
    let title = || page.window.script("return document.title", &json!([]));
    assert_eq!(title(), "headlamp", "the page was reloaded without the user's consent");
    page.window.script("document.querySelector('#take-update').click()", &json!([]));
    wait("the new version", Duration::from_secs(60), || (title() == "headlamp, anew").then_some(()));
}

#[test]
#[ignore = "needs the set-up of `cargo xtask test browser`"]
fn a_page_behind_redirects_opens_offline() {
    let mut page = Page::open_unready("redirected", site().without_endings(), Graphics::None, TINY);
    page.wait_until_ready();
    wait_for_service_worker(&page);
    page.lose_network();
    page.load(TINY);
    page.wait_until_ready();
    page.load("embed/index.html");
    let frame = page.window.script("return !!document.querySelector('iframe')", &json!([]));
    assert_eq!(frame, true, "the example of an embedded page has no frame");
}
