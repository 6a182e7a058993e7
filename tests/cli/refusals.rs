//! Wrong usage and missing files: one line of error each, and the correct exit status.

use test_support::tool::{error_of, folder, headlamp, on_pack, output_of, photo};

#[test]
fn wrong_usage_exits_with_status_2_and_one_line() {
    let png = photo("chelsea.png");
    let png = png.to_str().unwrap();
    let cases: [&[&str]; 16] = [
        &[],
        &["shine"],
        &["explain"],
        &["explain", png],
        &["explain", "--text", "a cat"],
        &["explain", png, "--text", ""],
        &["explain", png, "--text", "a cat", "--device", "abacus"],
        &["explain", png, "--txt", "a cat"],
        &["segment", png, "--text", "a cat"],
        &["segment", png, "--text", "a cat", "--out", "mask.png", "--threshold", "1.5"],
        &["segment", png, "--text", "a cat", "--out", "mask.png", "--threshold", "NaN"],
        &["heads", "--head", "3"],
        &["heads", "--top", "0"],
        &["stats", "folder"],
        &["stats", "folder", "--out", "stats", "--part", "3/2"],
        &["pack", "random"],
    ];
    for case in cases {
        error_of(headlamp().args(case), 2);
    }
    for out_of_range in [["--layer", "3", "--head", "0"], ["--layer", "0", "--head", "3"]] {
        assert!(error_of(on_pack(&["heads"]).args(out_of_range), 2).contains("there is no head"));
    }
}

#[test]
fn a_missing_pack_names_the_command_that_makes_it() {
    let commands: [&[&str]; 3] = [
        &["explain", "photo.png", "--text", "a cat"],
        &["heads"],
        &["segment", "photo.png", "--text", "x", "--out", "x"],
    ];
    for command in commands {
        let refused = error_of(headlamp().args(command), 1);
        assert!(refused.contains("cargo xtask assets") && refused.contains("no-pack"), "{refused}");
    }
}

#[test]
fn unwritable_paths_are_named_before_the_work() {
    let mut segment = on_pack(&["segment", "--text", "a cat", "--out", "/no/such/folder/mask.png"]);
    assert!(error_of(segment.arg(photo("chelsea.png")), 1).contains("/no/such/folder"));
    let mut stats = on_pack(&["stats", "--out", "/no/such/folder/stats"]);
    assert!(error_of(stats.arg(folder("unwritable")), 1).contains("/no/such/folder"));
}

#[test]
fn a_text_that_is_too_long_is_named() {
    let text = "antidisestablishmentarianism ".repeat(20);
    let mut explain = on_pack(&["explain", "--text", &text]);
    assert!(error_of(explain.arg(photo("chelsea.png")), 1).contains("antidisestablishmentarianism"));
}

#[test]
fn help_exits_with_success() {
    for command in ["", "explain", "segment", "heads", "stats", "decompose", "inspect", "pack"] {
        let words = command.split_whitespace();
        assert!(output_of(headlamp().args(words).arg("--help")).contains("Usage: headlamp"));
    }
    assert!(output_of(headlamp().arg("--version")).starts_with("headlamp "));
}
