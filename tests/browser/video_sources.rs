//! Videos that are not files for the worker's decoder: from the camera, and files that only the browser's player
//! can play.

use std::time::Duration;

use serde_json::json;
use test_support::TemporaryFolder;
use xtask::places;

use crate::driver::{Graphics, wait};
use crate::page::{Page, TINY};
use crate::video::PATIENCE;

#[test]
#[ignore = "needs the set-up of `cargo xtask test browser`"]
fn the_camera_is_recorded_and_tracked() {
    let page = Page::open("video-camera", Graphics::None, TINY);
    page.window.click("fieldset:has(input[name=mode]) label:nth-of-type(2)");
    page.window.click("#camera");
    wait("the recording", Duration::from_secs(30), || {
        let text = page.window.script("return document.querySelector('#camera').textContent", &json!([]));
        // "Stop at 0:02.3"
        let text = text.as_str().unwrap().to_owned();
        assert_eq!(page.message(), "");
        text.contains(":02").then_some(())
    });
    page.window.click("#camera");
    page.wait_for_rest();
    let sampled: usize = page.player("sampled").parse().unwrap();
    assert!((3..=8).contains(&sampled), "about two seconds at two frames a second do not give {sampled} frames");
    assert_eq!(page.done(), sampled);
    let heading = page.window.script("return document.querySelector('#player .name').textContent", &json!([]));
    assert!(heading.as_str().unwrap().starts_with("camera.webm"), "{heading}");
    page.seek(0.6);
    assert!(page.overlay_of("tracks", 1)["ink"].as_str().unwrap().contains('#'));
    page.assert_quiet_console();
}

/// Returns a clip with a compact table of sample sizes (`stz2`), which players can read and the worker cannot.
fn compact() -> Vec<u8> {
    let clip = places::checkout().join("tests/reference/fixtures/video/vp9.mp4");
    let mut clip = std::fs::read(&clip).unwrap();
    let word = |bytes: &[u8]| u32::from_be_bytes(bytes[..4].try_into().unwrap());
    let at = clip.windows(4).position(|name| name == b"stsz").unwrap() - 4;
    let (length, fixed, count) = (word(&clip[at..]), word(&clip[at + 12..]), word(&clip[at + 16..]));
    assert_eq!((fixed, length), (0, 20 + 4 * count));
    let sizes: Vec<u16> =
        (0..count as usize).map(|index| word(&clip[at + 20 + 4 * index..]).try_into().unwrap()).collect();
    // The table is half as long. The rest becomes free space, so that nothing moves.
    let mut boxes = (20 + 2 * count).to_be_bytes().to_vec();
    boxes.extend(b"stz2\0\0\0\0\0\0\0\x10");
    boxes.extend(count.to_be_bytes());
    boxes.extend(sizes.iter().flat_map(|size| size.to_be_bytes()));
    boxes.extend((2 * count).to_be_bytes());
    boxes.extend(b"free");
    boxes.resize(length as usize, 0);
    clip[at..at + length as usize].copy_from_slice(&boxes);
    clip
}

/// The page's player shows the frames that the worker cannot decode, also at another rate and for another part.
#[test]
#[ignore = "needs the set-up of `cargo xtask test browser`"]
fn a_video_for_the_player_alone_is_tracked() {
    let scratch = TemporaryFolder::new("video-player");
    let file = scratch.path().join("compact.mp4");
    std::fs::write(&file, compact()).unwrap();
    let page = Page::open("video-player", Graphics::None, TINY);
    page.open_video(&file);
    page.wait_for_rest();
    assert_eq!(page.player("sampled"), "4", "1.6 s at two frames a second give four frames");
    assert_eq!(page.done(), 4);
    let heading = page.window.script("return document.querySelector('#player .name').textContent", &json!([]));
    assert!(
        heading.as_str().unwrap().contains("pictures"),
        "the heading does not show that the player decodes: {heading}"
    );
    page.seek(1.0);
    assert!(page.overlay_of("tracks", 2)["ink"].as_str().unwrap().contains('#'));

    let choose = "const select = document.querySelector('select[name=rate]');
        select.value = [...select.options].find((option) => option.value === arguments[0]).value;
        select.dispatchEvent(new Event('change', { bubbles: true }));";
    page.window.script(choose, &json!(["5"]));
    page.window.click("#resample");
    wait("more frames", PATIENCE, || (page.player("sampled") == "8").then_some(()));
    page.wait_for_rest();
    assert_eq!(page.done(), 8, "1.6 s at five frames a second give eight frames");
    wait("the player with its file", PATIENCE, || {
        let has = "return document.querySelector('#video').readyState > 0";
        (page.window.script(has, &json!([])) == true).then_some(())
    });
    page.seek(0.0);
    page.overlay_of("tracks", 0);
    page.seek(1.5);
    assert!(page.overlay_of("tracks", 7)["ink"].as_str().unwrap().contains('#'));
    page.assert_quiet_console();
}
