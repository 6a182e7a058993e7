//! The client of the package (www/npm) speaks the same messages as the worker. These tests generate
//! `www/npm/wire.d.ts` from the messages, and TypeScript checks the client against that file (`cargo xtask test
//! browser`).
//!
//! After a change of the messages, `HEADLAMP_WRITE=1 cargo test --test messages` writes the file again.
#![cfg(not(target_arch = "wasm32"))]

mod samples;
mod typescript;

use typescript::Declarations;

#[test]
fn the_generated_types_match_the_messages() {
    let file = xtask::places::checkout().join("www/npm/wire.d.ts");
    let expected = declarations();
    if std::env::var_os("HEADLAMP_WRITE").is_some() {
        std::fs::write(&file, &expected).unwrap();
    }
    let found = std::fs::read_to_string(&file).unwrap();
    assert!(
        found == expected,
        "the worker's messages have changed: generate www/npm/wire.d.ts again (HEADLAMP_WRITE=1 cargo test --test \
         messages), and adapt the client\n{expected}"
    );
}

fn declarations() -> String {
    let mut all = Declarations::new(
        "The worker's messages. tests/messages generates this file from the Rust types that send and read them.",
    );
    all.declare("Size", samples::sizes());
    all.declare("Grid", samples::grids());
    all.declare("PhotoRect", samples::rectangles());
    all.declare("Framing", samples::framings());
    all.declare("Ablation", samples::ablations());
    all.declare("Sampling", samples::samplings());
    all.declare("VideoSource", samples::video_sources());
    all.declare("VideoTask", samples::video_tasks());
    all.declare("Task", samples::tasks());
    all.declare("Request", samples::requests());
    all.declare("Progress", samples::progresses());
    all.declare("PackSummary", samples::packs());
    all.declare("PhotoSummary", samples::photos());
    all.declare("Attribution", samples::attributions());
    all.declare("HeadLabel", samples::labels());
    all.declare("NamedHead", samples::named_heads());
    all.declare("HeadNaming", samples::head_namings());
    all.declare("VideoAnswer", samples::video_answers());
    all.declare("Answer", samples::answers());
    all.declare("Response", samples::responses());
    all.text()
}
