//! The effect of helper workers: a gallery and a video, with and without them.

use std::time::Instant;

use test_support::TemporaryFolder;

use crate::driver::Graphics;
use crate::gallery::{Pictures, add, wait_for_count};
use crate::helper_workers::{helped, observe, observed};
use crate::page::Page;
use crate::video::Clip;

/// A gallery of sixty pictures and a video of sixty frames on the page itself, in turns with and without helper
/// workers.
#[test]
#[ignore = "needs the set-up of `cargo xtask bench`"]
fn bench_helper_workers() {
    const COUNT: usize = 60;
    const TURNS: usize = 3;
    let (pictures, scratch) = (Pictures::new("bench-helpers", COUNT, 480), TemporaryFolder::new("bench-helpers"));
    let frames = Clip { width: 480, height: 320, frames: COUNT }.write(scratch.path());
    println!("\n| | by helper workers | rate | the page's memory at most |\n|---|---:|---:|---:|");
    for _turn in 0..TURNS {
        for (name, query) in [("alone", "?device=cpu&hands=0"), ("with helpers", "?device=cpu")] {
            let print_row = |what: &str, seconds: f64, page: &Page| {
                let (memory, rate) = (page.window.renderer_peak() / 1_000_000, COUNT as f64 / seconds);
                println!("| {what}, {name} | {} | {rate:.2} a second | {memory} MB |", helped(page));
            };
            let page = Page::open_unready("bench-helpers", observed(&scratch), Graphics::None, query);
            page.wait_until_ready();
            observe(&page);
            page.settle();
            let start = Instant::now();
            add(&page, &pictures.files());
            wait_for_count(&page, COUNT as u64);
            print_row("gallery", start.elapsed().as_secs_f64(), &page);
            drop(page);
            let page = Page::open_unready("bench-helpers", observed(&scratch), Graphics::None, query);
            page.wait_until_ready();
            observe(&page);
            page.settle();
            let start = Instant::now();
            page.open_frames(&frames);
            page.wait_for_frames(COUNT);
            print_row("video", start.elapsed().as_secs_f64(), &page);
        }
    }
}
