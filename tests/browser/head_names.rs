//! The heads' names: the marks in the grid, the differences from an average picture, and the view "What the heads do",
//! with the default pack.

use std::collections::BTreeMap;
use std::time::Duration;

use serde_json::{Value, json};

use crate::driver::{Graphics, wait};
use crate::gallery::{self, Pictures};
use crate::page::Page;

const MINUTES: Duration = Duration::from_secs(300);
const PHRASE: &str = "a photo of a cup of coffee";
const OTHER: &str = "a photo of a cat";

fn open(test: &'static str, query: &str) -> Page {
    let page = Page::open(test, Graphics::None, query);
    page.set_phrases(&[PHRASE, OTHER, "red"]);
    page.choose_sample("coffee");
    page.choose_phrase(PHRASE);
    page
}

/// Waits until the heads have names.
pub fn wait_for_names(page: &Page) {
    wait("the names of the heads", MINUTES, || {
        let script = "return document.querySelectorAll('.property-list > li').length > 0";
        (page.window.script(script, &json!([])) == true).then_some(())
    });
    page.settle();
}

/// Opens the property with the most heads in the view "What the heads do", and returns its name.
pub fn open_largest_property(page: &Page) -> String {
    let (name, _) = properties(page).into_iter().max_by_key(|(_, heads)| heads.len()).expect("no head has a name");
    page.window.click(&format!(".property-list > li[data-property={name:?}] > .open-property"));
    page.settle();
    name
}

/// Returns the heads of each property, as the grid shows them.
fn properties(page: &Page) -> BTreeMap<String, Vec<(usize, usize)>> {
    let script = "return [...document.querySelectorAll('button.head[data-property]')]
        .map(({ dataset }) => [dataset.property, +dataset.layer, +dataset.head])";
    let mut all = BTreeMap::<String, Vec<(usize, usize)>>::new();
    for cell in page.window.script(script, &json!([])).as_array().unwrap() {
        let number = |at: usize| cell[at].as_u64().unwrap() as usize;
        all.entry(cell[0].as_str().unwrap().to_owned()).or_default().push((number(1), number(2)));
    }
    all
}

/// The values of the grid's cells, as they are shown, and the line below the grid's controls.
struct Shown {
    /// The sum over all cells.
    sum: f64,
    /// The number of cells.
    cells: usize,
    average: Option<f64>,
    total: Option<f64>,
}

fn shown(page: &Page) -> Shown {
    let script =
        "const cells = [...document.querySelectorAll('.cells [data-value]')].map((at) => +at.dataset.value);
        const { average, total } = document.querySelector('#grid-sum').dataset;
        return { sum: cells.reduce((sum, value) => sum + value, 0), cells: cells.length,
            average: average === undefined ? null : +average, total: total === undefined ? null : +total };";
    let found = page.window.script(script, &json!([]));
    let cells = found["cells"].as_u64().unwrap() as usize;
    Shown {
        sum: found["sum"].as_f64().unwrap(),
        cells,
        average: found["average"].as_f64(),
        total: found["total"].as_f64(),
    }
}

fn close(a: f64, b: f64) -> bool {
    (a - b).abs() < 1e-5
}

/// Presses "Difference from average" or "Raw contribution".
fn show(page: &Page, label: &str) {
    let script = "[...document.querySelectorAll('input[name=grid-values]')]
        .find((input) => input.parentElement.textContent === arguments[0]).click()";
    page.window.script(script, &json!([label]));
    page.settle();
}

#[test]
#[ignore = "needs the set-up of `cargo xtask test browser`"]
fn differences_and_average_picture_sum_to_the_score() {
    let page = open("average-picture", "?device=cpu");
    let score = page.attribution().score(PHRASE);
    let found = shown(&page);
    let average = found.average.expect("the pack has statistics");
    assert_eq!(found.cells, 12 * 6 + 12 + 1);
    assert!(close(found.sum + average, score), "{} + {average} is not {score}", found.sum);
    assert!(close(found.total.unwrap(), score), "the page shows another score");
    assert!(average.abs() > 1e-3, "an average picture has no score: {average}");

    // The difference of two phrases.
    let script = "const select = document.querySelector('select[name=rather-than]');
        select.value = arguments[0];
        select.dispatchEvent(new Event('change', { bubbles: true }));";
    page.window.script(script, &json!([OTHER]));
    page.settle();
    let (found, all) = (shown(&page), page.attribution());
    let apart = all.score(PHRASE) - all.score(OTHER);
    assert!(close(found.sum + found.average.unwrap(), apart), "{} {:?} {apart}", found.sum, found.average);
    page.window.script(script, &json!([""]));
    page.settle();

    // The raw contributions are one press away, and the address remembers them.
    show(&page, "Raw contribution");
    let found = shown(&page);
    assert_eq!(found.average, None);
    assert!(close(found.sum, score), "the raw contributions sum to {}, not {score}", found.sum);
    wait("the address", MINUTES, || {
        (page.window.script("return location.search.includes('raw=1')", &json!([])) == true).then_some(())
    });
    page.window.refresh();
    page.wait_until_ready();
    page.settle();
    assert_eq!(shown(&page).average, None, "after a reload the grid shows differences");
    show(&page, "Difference from average");
    assert!(close(shown(&page).average.unwrap(), average));
    page.assert_quiet_console();
}

#[test]
#[ignore = "needs the set-up of `cargo xtask test browser`"]
fn the_grid_shows_the_heads_names_and_a_legend() {
    let page = open("head-names", "?device=cpu");
    wait_for_names(&page);
    let script = "const mark = (at) => {
            const mark = at.querySelector('.property');
            return mark && [mark.textContent, mark.style.getPropertyValue('--property'), mark.classList[1]].join();
        };
        const cells = [...document.querySelectorAll('button.head')];
        return {
            legend: [...document.querySelectorAll('.property-legend button')].map((at) => [at.dataset.property, mark(at)]),
            cells: cells.map((at) => [at.dataset.property ?? null, mark(at), at.ariaLabel]),
        };";
    let found = page.window.script(script, &json!([]));
    let legend: BTreeMap<&str, &str> = found["legend"]
        .as_array()
        .unwrap()
        .iter()
        .map(|at| (at[0].as_str().unwrap(), at[1].as_str().unwrap()))
        .collect();
    assert!(legend.len() >= 3, "few properties: {legend:?}");
    let marks: std::collections::BTreeSet<_> = legend.values().collect();
    assert_eq!(marks.len(), legend.len(), "two properties have the same mark: {legend:?}");
    let cells = found["cells"].as_array().unwrap();
    assert_eq!(cells.len(), 72);
    for cell in cells {
        match cell[0].as_str() {
            Some(name) => {
                assert_eq!(
                    cell[1].as_str(),
                    legend.get(name).copied(),
                    "the legend explains another mark: {cell}"
                );
                assert!(cell[2].as_str().unwrap().contains(name), "the label does not have the name: {cell}");
            }
            None => assert_eq!(cell[1], Value::Null, "a mixed head has a mark: {cell}"),
        }
    }
    // In the view, the value of a property is the sum of its heads.
    let script = "return [...document.querySelectorAll('.property-list > li')].map((row) => {
        const heads = [...document.querySelectorAll('button.head')]
            .filter((at) => at.dataset.property === row.dataset.property);
        const sum = heads.reduce((sum, at) => sum + +at.dataset.value, 0);
        return [row.dataset.property, +row.querySelector('.open-property').dataset.value, sum];
    })";
    let rows = page.window.script(script, &json!([]));
    assert_eq!(rows.as_array().unwrap().len(), legend.len());
    for row in rows.as_array().unwrap() {
        assert!(close(row[1].as_f64().unwrap(), row[2].as_f64().unwrap()), "{row}");
    }
    page.assert_quiet_console();
}

#[test]
#[ignore = "needs the set-up of `cargo xtask test browser`"]
fn a_property_is_shown_and_switched_off_and_undone() {
    let page = open("property", "?device=cpu");
    wait_for_names(&page);
    let name = open_largest_property(&page);
    let heads = properties(&page)[&name].clone();
    let before = page.attribution();
    let marked = "return document.querySelectorAll('button.head.of-property').length";
    assert_eq!(page.window.script(marked, &json!([])), json!(heads.len()));

    page.window.click("#show-property");
    page.settle();
    let overlay = "return [document.querySelector('#overlay').dataset.layerKind,
        document.querySelector('#photo').ariaLabel, document.querySelector('#map-of-group')?.textContent ?? '']";
    let overlay = page.window.script(overlay, &json!([]));
    assert_eq!(overlay[0], "head");
    if heads.len() > 1 {
        let says = format!("{} heads together", heads.len());
        assert!(
            overlay[1].as_str().unwrap().contains(&says) && overlay[2].as_str().unwrap().contains(&says),
            "{overlay}"
        );
    }
    page.head_map_colours();

    page.window.click("#switch-property");
    page.settle();
    let off = page.attribution();
    let change: f64 =
        heads.iter().map(|(layer, head)| off.heads[*layer][*head] - before.heads[*layer][*head]).sum();
    let scores = (off.score(PHRASE), before.score(PHRASE));
    assert!(close(scores.0, scores.1 + change) && !close(change, 0.0), "{scores:?} {change}");
    let script =
        "return [...document.querySelectorAll('button.head')].filter((at) => at.dataset.property === arguments[0])
        .every((at) => at.classList.contains('off') && Math.abs(+at.dataset.value) < 1e-6)";
    assert_eq!(page.window.script(script, &json!([name])), true, "the heads are not as in an average picture");
    // One step of undo switches all of them on again.
    page.window.click("#undo");
    page.settle();
    assert_eq!(page.attribution().heads, before.heads);
    page.assert_quiet_console();
}

#[test]
#[ignore = "needs the set-up of `cargo xtask test browser`"]
fn the_gallery_is_ordered_by_a_property() {
    let pictures = Pictures::new("property", 12, 64);
    let page = open("property-gallery", "?device=cpu");
    gallery::add(&page, &pictures.files());
    gallery::wait_for_count(&page, 12);
    wait_for_names(&page);
    let name = open_largest_property(&page);
    let outlying = "return [...document.querySelectorAll('.outlying li')].map((tile) => [
        +tile.dataset.index, parseFloat(tile.querySelector('.score').textContent),
        (tile.querySelector('img')?.naturalWidth ?? 0) > 0])";
    let tiles = wait("the pictures that vary most", MINUTES, || {
        let tiles = page.window.script(outlying, &json!([])).as_array().unwrap().clone();
        (tiles.len() == 8 && tiles.iter().all(|tile| tile[2] == true)).then_some(tiles)
    });
    assert!(tiles.is_sorted_by(|a, b| a[1].as_f64() >= b[1].as_f64()), "{tiles:?}");
    assert!(tiles[0][1].as_f64().unwrap() > 0.0, "{tiles:?}");

    page.window.click("#order-by-property");
    page.settle();
    let script = "return {
        says: [...document.querySelectorAll('#gallery [role=status]')].map((at) => at.textContent).join(),
        chosen: document.querySelector('select[name=gallery-property]').value,
        chips: document.querySelectorAll('#gallery .chips li').length,
        scores: [...document.querySelectorAll('.gallery-grid .score')].map((at) => parseFloat(at.textContent.replace('−', '-'))),
    }";
    let found = page.window.script(script, &json!([]));
    assert!(found["says"].as_str().unwrap().contains(&format!("by the heads of {name}")), "{found}");
    assert_eq!(found["chosen"].as_str(), Some(name.as_str()));
    assert_eq!(found["chips"], json!(properties(&page)[&name].len()));
    let scores: Vec<f64> = found["scores"].as_array().unwrap().iter().filter_map(Value::as_f64).collect();
    assert!(scores.len() == 12 && scores.is_sorted_by(|a, b| a >= b), "{scores:?}");
    page.assert_quiet_console();
}

#[test]
#[ignore = "needs the set-up of `cargo xtask test browser`"]
fn a_property_is_chosen_by_keyboard() {
    let page = open("property-keys", "?device=cpu");
    wait_for_names(&page);
    let focus = |selector: &str| {
        page.window.script("document.querySelector(arguments[0]).focus()", &json!([selector]));
    };
    let state = || {
        let script = "return [document.querySelector('.property-legend button').ariaPressed,
            document.querySelector('.open-property').ariaExpanded,
            document.querySelectorAll('button.head.of-property').length]";
        page.window.script(script, &json!([]))
    };
    focus(".property-legend button");
    page.window.press("Enter", false);
    page.settle();
    let found = state();
    assert_eq!((&found[0], &found[1]), (&json!("true"), &json!("true")));
    assert!(found[2].as_u64().unwrap() > 0, "{found}");
    focus(".open-property");
    page.window.press("Enter", false);
    page.settle();
    assert_eq!(state(), json!(["false", "false", 0]));
    page.assert_quiet_console();
}
