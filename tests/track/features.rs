//! The features of a crop's patches, compared with a tower in NumPy (`tests/reference/features.py`).

use burn::tensor::Device;
use headlamp::checkpoint::Pack;
use headlamp::geometry::{Grid, Size};
use headlamp::model::Crop;
use headlamp::session::Session;

use crate::{narrow, wide};
use test_support::reference::{Fixture, largest_difference};
use test_support::tool::pack;

/// The values are of the order of 1 and go through three layers in f32.
const TOLERANCE: f64 = 2e-4;

#[test]
fn features_match_the_reference_with_and_without_a_trace() {
    let fixture = Fixture::open("features");
    let session = Session::open(Pack::read(pack()).unwrap(), Device::flex()).unwrap();
    let vision = &session.model().vision;
    let patch = session.model().config.vision.patch;
    let size = Size { width: 3 * patch, height: 2 * patch };
    let crop = Crop { size, values: narrow(&fixture.values("crop")) };
    let alone = pollster::block_on(vision.features(&crop)).unwrap();
    assert_eq!(alone.grid, Grid { rows: 2, columns: 3 });
    let parts = [
        ("attention", &alone.cls_attention),
        ("queries", &alone.queries),
        ("keys", &alone.keys),
        ("tokens", &alone.tokens),
    ];
    for (name, found) in parts {
        let off = largest_difference(&wide(found), &fixture.values(name));
        assert!(off < TOLERANCE, "{name}: {off}");
    }
    for layer in [0, 1] {
        let tokens = pollster::block_on(vision.tokens_after(&crop, layer)).unwrap();
        let off = largest_difference(&wide(&tokens.tokens), &fixture.values(&format!("tokens_after_{layer}")));
        assert!(off < TOLERANCE, "tokens after layer {layer}: {off}");
    }
    let (trace, beside) = pollster::block_on(vision.trace_with_features(&crop)).unwrap();
    assert_eq!(alone, beside);
    // The trace is the same as without features.
    let plain = pollster::block_on(vision.trace(&crop)).unwrap();
    assert_eq!((&trace.embedding, &trace.final_cls), (&plain.embedding, &plain.final_cls));
    let last = &trace.layers.last().unwrap().attention;
    for (head, of_all) in last.chunks(trace.tokens).enumerate() {
        assert_eq!(&of_all[trace.leading_tokens..], alone.attention(head));
    }
}

#[test]
fn tokens_after_the_last_layer_are_those_of_features() {
    let session = Session::open(Pack::read(pack()).unwrap(), Device::flex()).unwrap();
    let vision = &session.model().vision;
    let config = &session.model().config.vision;
    let size = Size { width: 2 * config.patch, height: 2 * config.patch };
    let values = (0..3 * size.width * size.height).map(|at| (at % 7) as f32 - 3.0).collect();
    let crop = Crop { size, values };
    let tokens = pollster::block_on(vision.tokens_after(&crop, config.layers - 1)).unwrap();
    let features = pollster::block_on(vision.features(&crop)).unwrap();
    assert_eq!((&tokens.tokens, tokens.grid, tokens.width), (&features.tokens, features.grid, features.width));
    let refusal = pollster::block_on(vision.tokens_after(&crop, config.layers)).unwrap_err().to_string();
    assert!(refusal.contains(&format!("no layer {}", config.layers)), "{refusal}");
}
