//! The package's client (www/npm) speaks the worker's messages as they are: `www/npm/wire.d.ts` is made of them
//! here, and TypeScript holds the client against it (`cargo xtask test browser`).
//!
//! After a change of the messages, `HEADLAMP_WRITE=1 cargo test --test messages` writes it anew.
#![cfg(not(target_arch = "wasm32"))]

mod samples;
mod typescript;

use typescript::Declarations;

#[test]
fn the_client_is_told_of_the_messages_as_they_are() {
    let file = xtask::places::checkout().join("www/npm/wire.d.ts");
    let expected = declarations();
    if std::env::var_os("HEADLAMP_WRITE").is_some() {
        std::fs::write(&file, &expected).unwrap();
    }
    let found = std::fs::read_to_string(&file).unwrap();
    assert!(
        found == expected,
        "the worker's messages have changed: write www/npm/wire.d.ts anew (HEADLAMP_WRITE=1 cargo test --test \
         messages), and see to the client\n{expected}"
    );
}

fn declarations() -> String {
    let mut all = Declarations::new(
        "The worker's messages, made of the Rust that sends and reads them by tests/messages.rs.",
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
    all.declare("VideoAnswer", samples::video_answers());
    all.declare("Answer", samples::answers());
    all.declare("Response", samples::responses());
    all.text()
}
