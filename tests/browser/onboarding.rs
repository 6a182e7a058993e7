//! The first minute of a visit: results before the model is ready, and a tour.

use std::time::Duration;

use serde_json::{Value, json};

use crate::driver::{Graphics, wait};
use crate::page::{Page, site};

const SOON: Duration = Duration::from_secs(60);

impl Page {
    fn has(&self, selector: &str) -> bool {
        self.window.script("return !!document.querySelector(arguments[0])", &json!([selector])) == true
    }
}

/// The first results are marked as precomputed. They equal the results that this machine then computes.
#[test]
#[ignore = "needs the set-up of `cargo xtask test browser`"]
fn live_results_replace_precomputed_ones() {
    let page = Page::open_unready("beforehand", site(), Graphics::None, "?device=cpu");
    wait("precomputed results", SOON, || page.has("#beforehand").then_some(()));
    let before = page.attribution();
    let mask = page.mask();
    assert_ne!(page.phase(), "ready", "the model was ready too early for this test");
    page.wait_until_ready();
    wait("live results", SOON, || (!page.has("#beforehand")).then_some(()));
    page.settle();
    let live = page.attribution();
    for (phrase, score, _) in &before.phrases {
        let now = live.score(phrase);
        assert!((now - score).abs() < 2e-4, "{phrase}: {score} beforehand, {now} live");
    }
    for (before, live) in before.heads.concat().iter().zip(live.heads.concat()) {
        assert!((before - live).abs() < 1e-4, "{before} beforehand, {live} live");
    }
    let now = page.mask();
    let apart = mask.foreground.iter().zip(&now.foreground).filter(|(before, live)| before != live).count();
    let share = apart as f64 / mask.foreground.len() as f64;
    println!("masks differ in {:.2} % of the pixels", share * 100.0);
    assert!(share < 0.02, "the segmentations differ: {share}");
    page.assert_quiet_console();
}

/// Another model has other results. No precomputed ones are shown for it.
#[test]
#[ignore = "needs the set-up of `cargo xtask test browser`"]
fn another_model_has_no_precomputed_results() {
    let page = Page::open_unready("not-beforehand", site(), Graphics::None, "?device=cpu&pack=packs/tiny/");
    while page.phase() != "ready" {
        assert!(!page.has("#beforehand"));
        std::thread::sleep(Duration::from_millis(50));
    }
    assert_eq!(
        page.window.script(
            "return performance.getEntriesByType('resource')
        .filter(({ name }) => name.includes('computed')).length",
            &json!([])
        ),
        Value::from(0)
    );
}

/// The five steps of the tour control the page. The last step switches a head off, and on again.
#[test]
#[ignore = "needs the set-up of `cargo xtask test browser`"]
fn the_tour_is_offered_once_and_drives_the_page() {
    let page = Page::open("tour", Graphics::None, "?device=cpu");
    page.settle();
    page.window.click("#start-tour");
    let step = || page.window.script("return +document.querySelector('#tour')?.dataset.step", &json!([]));
    let says = || page.window.script("return document.querySelector('#tour-says').textContent", &json!([]));
    let shown = |number: u64| format!("{:+.3}", number as f64 / 1000.0).replace('-', "−");
    wait("the tour's photo", SOON, || page.photo().starts_with("coffee").then_some(()));
    page.settle();
    let intact = page.attribution();
    let phrase = "a photo of a cup of coffee";
    let score = (intact.score(phrase) * 1000.0).round() as u64;
    assert!(
        says().as_str().unwrap().contains(&shown(score)),
        "the tour does not show the page's score: {}",
        says()
    );
    for number in 2..=5 {
        page.window.press("ArrowRight", false);
        wait("the next step", SOON, || (step() == number).then_some(()));
        page.settle();
        let target = "const at = document.querySelector('.toured')?.getBoundingClientRect();
            return !!at && at.top < innerHeight && at.bottom > 0";
        assert_eq!(page.window.script(target, &json!([])), true, "the target of step {number} is not visible");
    }
    let off = page.attribution();
    let change = intact.score(phrase) - off.score(phrase);
    assert!(change > 0.01, "without its strongest head the score must fall; it fell by {change}");
    let now = (off.score(phrase) * 1000.0).round() as u64;
    let told = format!("from {} to {}", shown(score), shown(now));
    assert!(says().as_str().unwrap().contains(&told), "{told}: {}", says());
    page.window.click("#tour-switch");
    page.settle();
    assert_eq!(page.attribution().heads, intact.heads, "switching on again did not restore every figure");
    page.window.click("#tour-switch");
    page.settle();
    // If the tour starts again in the middle, it does not take its own switched-off head for the visitor's.
    let again = "for (const button of ['#help-button', '#tour-again']) document.querySelector(button).click()";
    page.window.script(again, &json!([]));
    wait("the first step again", SOON, || (step() == 1).then_some(()));
    page.settle();
    page.window.press("Escape", false);
    wait("the tour's end", SOON, || (!page.has("#tour")).then_some(()));
    page.settle();
    assert_eq!(page.attribution().heads, intact.heads, "ending the tour left a head switched off");
    assert!(!page.has(".toured") && !page.has(".offer"));
    page.load("?device=cpu");
    page.wait_until_ready();
    assert!(!page.has(".offer"), "the tour was offered again");
    page.assert_quiet_console();
}

#[test]
#[ignore = "needs the set-up of `cargo xtask test browser`"]
fn every_view_explains_its_computation() {
    let page = Page::open("how", Graphics::None, "?device=cpu&pack=packs/tiny/");
    for topic in ["differences", "names"] {
        wait(topic, SOON, || page.has(&format!("details.how[data-topic={topic}]")).then_some(()));
    }
    let script = "const found = [];
        for (const at of document.querySelectorAll('details.how')) {
            at.open = true;
            const box = at.querySelector('math').getBoundingClientRect();
            found.push([at.dataset.topic, box.width > 40 && box.height > 10, at.querySelector('a').href]);
        }
        return found;";
    let found = page.window.script(script, &json!([]));
    let topics: Vec<&str> = found.as_array().unwrap().iter().map(|at| at[0].as_str().unwrap()).collect();
    assert_eq!(
        topics,
        ["segmentation", "scores", "contributions", "differences", "headmap", "textspan", "ablation", "names"]
    );
    for at in found.as_array().unwrap() {
        assert_eq!(at[1], true, "the browser does not draw the formula of {}", at[0]);
        assert!(at[2].as_str().unwrap().starts_with("https://arxiv.org/abs/"));
    }
}
