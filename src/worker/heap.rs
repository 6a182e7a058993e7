//! The worker's memory, and what is told when there is none left.
//!
//! A browser gives a worker at most 4 GB, and less where it has less. Rust then stops with nothing but "unreachable",
//! which helps nobody; so the allocator remembers, and the page hears why.

use std::alloc::{GlobalAlloc, Layout, System};
use std::sync::atomic::{AtomicUsize, Ordering};

use js_sys::Error;
use wasm_bindgen::prelude::wasm_bindgen;
use wasm_bindgen::{JsCast as _, JsValue, closure::Closure};
use web_sys::Event;

use super::report::scope;

/// The system's allocator, which remembers what it had no room for.
pub struct Heap;

/// Bytes that were asked for last, and not to be had.
static REFUSED: AtomicUsize = AtomicUsize::new(0);

fn remember(start: *mut u8, bytes: usize) -> *mut u8 {
    if start.is_null() {
        REFUSED.store(bytes, Ordering::Relaxed);
    }
    start
}

// SAFETY: every call is the system allocator's own.
unsafe impl GlobalAlloc for Heap {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        // SAFETY: the caller's, as for the others.
        remember(unsafe { System.alloc(layout) }, layout.size())
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        // SAFETY: as above
        remember(unsafe { System.alloc_zeroed(layout) }, layout.size())
    }

    unsafe fn realloc(&self, start: *mut u8, layout: Layout, bytes: usize) -> *mut u8 {
        // SAFETY: as above
        remember(unsafe { System.realloc(start, layout, bytes) }, bytes)
    }

    unsafe fn dealloc(&self, start: *mut u8, layout: Layout) {
        // SAFETY: as above
        unsafe { System.dealloc(start, layout) }
    }
}

/// Forgets a refusal that somebody knew to live with.
pub(super) fn forget_refusal() {
    REFUSED.store(0, Ordering::Relaxed);
}

/// Says that memory was the reason when the worker stops for want of it.
pub(super) fn explain_end() {
    let on_error = Closure::<dyn Fn(Event)>::new(|event: Event| {
        let bytes = REFUSED.swap(0, Ordering::Relaxed);
        if bytes != 0 {
            // In place of the error without a reason.
            event.prevent_default();
            report_error(&Error::new(&format!("out of memory: there are no {bytes} bytes left")));
        }
    });
    let _listens = scope().add_event_listener_with_callback("error", on_error.as_ref().unchecked_ref());
    on_error.forget();
}

#[wasm_bindgen]
extern "C" {
    /// Lets the page hear of an error that nobody caught.
    #[wasm_bindgen(js_name = reportError)]
    fn report_error(error: &JsValue);
}
