//! The current time of a playing video, frame by frame.

use std::cell::{Cell, RefCell};
use std::rc::Rc;

use leptos::prelude::*;
use leptos::web_sys::HtmlVideoElement;
use wasm_bindgen::prelude::*;

use super::state::VideoState;

#[wasm_bindgen]
extern "C" {
    /// A video element with frame callbacks, which browsers have since 2020 (Firefox since 2024).
    #[derive(Clone)]
    #[wasm_bindgen(extends = HtmlVideoElement)]
    type FrameTeller;

    #[wasm_bindgen(method, js_name = requestVideoFrameCallback)]
    fn request_video_frame_callback(this: &FrameTeller, callback: &js_sys::Function) -> u32;

    #[wasm_bindgen(method, js_name = cancelVideoFrameCallback)]
    fn cancel_video_frame_callback(this: &FrameTeller, number: u32);

    /// The data of a frame on screen.
    type FrameTold;

    #[wasm_bindgen(method, getter, js_name = mediaTime)]
    fn media_time(this: &FrameTold) -> f64;
}

type Ticking = Rc<RefCell<Option<Closure<dyn FnMut(JsValue, FrameTold)>>>>;

/// Follows a video element until this value is dropped. The callback owns itself and the element, and an element that
/// has left the page reports no more frames. Without the drop, nothing would free them.
pub struct Follower {
    teller: FrameTeller,
    ticking: Ticking,
    /// The number of the request for the next frame.
    asked: Rc<Cell<u32>>,
}

impl Drop for Follower {
    fn drop(&mut self) {
        self.teller.cancel_video_frame_callback(self.asked.get());
        drop(self.ticking.borrow_mut().take());
    }
}

/// Sets the time to the time of every frame that the element shows. Returns `None` if the browser reports no frames.
/// Then the element is followed until it leaves the page.
pub fn follow(element: HtmlVideoElement, video: VideoState) -> Option<Follower> {
    let can_tell = js_sys::Reflect::has(&element, &"requestVideoFrameCallback".into()).unwrap_or(false);
    if !can_tell {
        follow_by_display(element, video);
        return None;
    }
    let teller: FrameTeller = element.unchecked_into();
    let follower = Follower { teller, ticking: Rc::default(), asked: Rc::default() };
    let (next, again, asked) = (follower.teller.clone(), follower.ticking.clone(), follower.asked.clone());
    *follower.ticking.borrow_mut() = Some(Closure::new(move |_now, told: FrameTold| {
        video.player.time.set(told.media_time());
        ask(&next, &again, &asked);
    }));
    ask(&follower.teller, &follower.ticking, &follower.asked);
    Some(follower)
}

/// Requests a callback for the next frame.
fn ask(teller: &FrameTeller, ticking: &Ticking, asked: &Cell<u32>) {
    if let Some(callback) = ticking.borrow().as_ref() {
        asked.set(teller.request_video_frame_callback(callback.as_ref().unchecked_ref()));
    }
}

/// Follows the element in browsers that report no frames: reads the element's clock at every repaint.
fn follow_by_display(element: HtmlVideoElement, video: VideoState) {
    request_animation_frame(move || {
        if !element.is_connected() {
            return;
        }
        if !element.paused() {
            video.player.time.set(element.current_time());
        }
        follow_by_display(element, video);
    });
}

/// Advances the time of a row of pictures while it plays, and stops at the end.
pub fn tick(video: VideoState, is_alive: impl Fn() -> bool + 'static) {
    let last = Rc::new(RefCell::new(None::<f64>));
    tick_on(video, Rc::new(is_alive), last);
}

fn tick_on(video: VideoState, is_alive: Rc<dyn Fn() -> bool>, last: Rc<RefCell<Option<f64>>>) {
    request_animation_frame(move || {
        if !is_alive() {
            return;
        }
        let now = js_sys::Date::now() / 1000.0;
        let before = last.borrow_mut().replace(now);
        if let Some(before) = before.filter(|_| video.player.is_playing.get_untracked()) {
            let time = video.player.time.get_untracked() + (now - before).min(0.25);
            let end =
                video.player.summary.with_untracked(|summary| summary.as_ref().map_or(0.0, |at| at.duration));
            if time >= end {
                video.player.is_playing.set(false);
            }
            video.player.time.set(time.min(end));
        }
        tick_on(video, is_alive, last);
    });
}
