//! The suites of tests, and the benchmarks.

use std::ffi::OsString;
use std::path::PathBuf;
use std::process::Command;

use anyhow::{Context as _, bail};
use clap::ValueEnum;
use xtask::browser::Browser;
use xtask::places;

use crate::page::{self, Finish};
use crate::steps::{run, step};
use crate::{assets, tools};

/// Where tests run.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Suite {
    /// On this machine, against the references.
    Native,
    /// The library compiled to WebAssembly, in Node.js; video decoding in a browser's worker.
    Wasm,
    /// The built page in a headless browser.
    Browser,
    /// The same on what `build` makes, of which much has been taken out; only where it is named.
    Deployed,
}

/// Sets up and runs `suites`, or all but the last; goes on after one has failed, so that one run shows everything.
pub fn test(suites: &[Suite]) -> anyhow::Result<()> {
    let suites = if suites.is_empty() { &[Suite::Native, Suite::Wasm, Suite::Browser][..] } else { suites };
    tools::prepare_target_folder()?;
    let mut failed = Vec::new();
    for suite in suites {
        let outcome = match suite {
            Suite::Native => native(),
            Suite::Wasm => wasm(),
            Suite::Browser => browser(Finish::Quick),
            Suite::Deployed => browser(Finish::Deployable),
        };
        if let Err(error) = outcome {
            eprintln!("✗ {error:#}");
            failed.push(format!("{suite:?}").to_lowercase());
        }
    }
    if !failed.is_empty() {
        bail!("failed: {}", failed.join(", "));
    }
    println!("✓ every test passed");
    Ok(())
}

fn native() -> anyhow::Result<()> {
    step("compiling the native tests", || run(tools::cargo().args(["test", "--workspace", "--no-run"])))?;
    assets::all()?;
    tools::vulkan()?;
    step("native tests", || {
        run(tools::cargo().args(["test", "--workspace", "--no-fail-fast"]).env("HEADLAMP_NEEDS_GPU", "1"))
    })
}

fn wasm() -> anyhow::Result<()> {
    tools::for_page()?;
    tools::node()?;
    let browser = tools::chromium()?;
    step("wasm tests", || run(&mut wasm_tests("worker", "wasm")))?;
    let settings = webdriver_settings(&browser)?;
    for (what, side, name) in [
        ("wasm tests with a browser's video decoders", "worker", "wasm_video"),
        ("wasm tests with a browser's player", "page", "wasm_page"),
    ] {
        step(what, || {
            let mut cargo = wasm_tests(side, name);
            cargo.env("CHROMEDRIVER", &browser.driver).env("WASM_BINDGEN_TEST_WEBDRIVER_JSON", &settings);
            // In seconds: every frame of a dozen clips, several times over.
            run(cargo.env("WASM_BINDGEN_TEST_TIMEOUT", "600"))
        })?;
    }
    Ok(())
}

/// A test of the library in WebAssembly, in the profile and with the features of the worker or the page, so that
/// one build of the dependencies serves both.
fn wasm_tests(side: &str, name: &str) -> Command {
    let mut cargo = tools::cargo();
    cargo.args(["test", "--release", "--target", tools::TARGET, "--package", "headlamp"]);
    cargo.args(["--no-default-features", "--features", side, "--test", name]);
    cargo.env("CARGO_TARGET_WASM32_UNKNOWN_UNKNOWN_RUNNER", "wasm-bindgen-test-runner");
    cargo
}

/// A file that tells wasm-bindgen's test runner which browser the driver is for.
fn webdriver_settings(browser: &Browser) -> anyhow::Result<PathBuf> {
    let file = places::cache().join("webdriver.json");
    let program = browser.program.display().to_string();
    let options = format!("{{\"binary\": {program:?}}}");
    std::fs::write(&file, format!("{{\"goog:chromeOptions\": {options}}}\n"))
        .with_context(|| format!("cannot write {}", file.display()))?;
    Ok(file)
}

fn browser(finish: Finish) -> anyhow::Result<()> {
    let browser = tools::chromium()?;
    tools::axe()?;
    assets::all()?;
    tools::typescript()?;
    step("the package's types", || {
        run(tools::command("tsc").arg("--project").arg(places::checkout().join("www/npm")))
    })?;
    page::build(finish, &page::hosts_of_tests())?;
    step("browser tests", || run(browser_tests(&browser, &[]).args(["--skip", "bench::"])))
}

/// Takes pictures of every view of the real page.
pub fn screens() -> anyhow::Result<()> {
    let browser = tools::chromium()?;
    assets::all()?;
    page::build(Finish::Quick, &[])?;
    // Pictures of views that are gone would stay.
    let (from, to) = (places::cache().join("screens"), places::checkout().join("docs/screens"));
    let _none = std::fs::remove_dir_all(&from);
    step("taking pictures", || run(&mut browser_tests(&browser, &["screenshots"])))?;
    let _none = std::fs::remove_dir_all(&to);
    std::fs::create_dir_all(&to)?;
    let entries = std::fs::read_dir(&from).with_context(|| format!("cannot read {}", from.display()))?;
    for file in entries.flatten().map(|entry| entry.path()) {
        let target = to.join(file.file_name().unwrap_or_default());
        std::fs::copy(&file, &target).with_context(|| format!("cannot write {}", target.display()))?;
    }
    println!("  {}", to.display());
    Ok(())
}

/// `tests/browser/main.rs` is ignored by a plain `cargo test`, as it needs all that is set up here.
fn browser_tests(browser: &Browser, names: &[&str]) -> Command {
    let mut cargo = tools::cargo();
    cargo.args(["test", "--package", "headlamp", "--test", "browser", "--"]).args(names);
    // One at a time: each keeps a whole browser busy.
    cargo.args(["--ignored", "--test-threads=1"]);
    let variables: [(&str, OsString); 4] = [
        ("HEADLAMP_DIST", places::dist().into()),
        ("HEADLAMP_PACKS", places::packs().into()),
        ("CHROME", browser.program.clone().into()),
        ("CHROMEDRIVER", browser.driver.clone().into()),
    ];
    cargo.envs(variables);
    cargo
}

/// Benchmarks in the browser: name, and what the names of its tests in `tests/browser/bench/` begin with.
const BROWSER_BENCHES: [(&str, &str); 9] = [
    ("cpu", "bench_cpu"),
    ("webgpu", "bench_webgpu"),
    ("start", "bench_start"),
    ("growth-tokens", "bench_growth_tokens"),
    ("growth-models", "bench_growth_models"),
    ("growth-gallery", "bench_growth_gallery"),
    ("growth-video", "bench_growth_video"),
    ("redraw", "bench_redraw"),
    ("hands", "bench_hands"),
];

/// Native benchmarks: name, and file of `benches/`.
const NATIVE_BENCHES: [(&str, &str); 3] =
    [("growth-gallery-native", "galleries"), ("native", "beside"), ("native-spine", "spine")];

/// Runs the benchmarks whose names begin with one of `names`, or all.
pub fn bench(names: &[String]) -> anyhow::Result<()> {
    let is_wanted =
        |(bench, _): &&(&str, &str)| names.is_empty() || names.iter().any(|name| bench.starts_with(name.as_str()));
    let in_browser: Vec<_> = BROWSER_BENCHES.iter().filter(is_wanted).collect();
    let native: Vec<_> = NATIVE_BENCHES.iter().filter(is_wanted).collect();
    if in_browser.is_empty() && native.is_empty() {
        let all = [&BROWSER_BENCHES[..], &NATIVE_BENCHES].concat();
        bail!("there are these benchmarks: {}", all.iter().map(|(name, _)| *name).collect::<Vec<_>>().join(", "));
    }
    tools::prepare_target_folder()?;
    let other = tools::other_engine()?;
    assets::all()?;
    let run_one = |name: &str, cargo: &mut Command| {
        step(&format!("benchmark {name}"), || run(cargo.env("HEADLAMP_BENCH", &other)))
    };
    if !in_browser.is_empty() {
        let browser = tools::chromium()?;
        page::build(Finish::Quick, &[])?;
        for (name, tests) in in_browser {
            run_one(name, browser_tests(&browser, &[tests]).arg("--nocapture"))?;
        }
    }
    for (name, file) in native {
        run_one(name, tools::cargo().args(["bench", "--package", "headlamp", "--bench", file]))?;
    }
    Ok(())
}
