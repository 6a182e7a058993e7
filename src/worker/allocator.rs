//! The worker's allocator, which reports when memory runs out.
//!
//! A browser gives a worker at most 4 GB, and on some machines less. When an allocation fails, Rust stops with the error
//! "unreachable". So the allocator remembers the failed allocation, and the page receives the true reason.

use std::alloc::{GlobalAlloc, Layout, System};
use std::sync::atomic::{AtomicUsize, Ordering};

use js_sys::Error;
use wasm_bindgen::prelude::wasm_bindgen;
use wasm_bindgen::{JsCast as _, JsValue, closure::Closure};
use web_sys::Event;

use super::progress::scope;

/// The system's allocator, which remembers the last allocation that failed.
pub struct ReportingAllocator;

/// The size of the last allocation that failed, in bytes; 0 if none has failed.
static FAILED: AtomicUsize = AtomicUsize::new(0);

fn remember(start: *mut u8, bytes: usize) -> *mut u8 {
    if start.is_null() {
        FAILED.store(bytes, Ordering::Relaxed);
    }
    start
}

// SAFETY: every call is the system allocator's own.
unsafe impl GlobalAlloc for ReportingAllocator {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        // SAFETY: the caller guarantees the conditions of the system's allocator.
        remember(unsafe { System.alloc(layout) }, layout.size())
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        // SAFETY: as above.
        remember(unsafe { System.alloc_zeroed(layout) }, layout.size())
    }

    unsafe fn realloc(&self, start: *mut u8, layout: Layout, bytes: usize) -> *mut u8 {
        // SAFETY: as above.
        remember(unsafe { System.realloc(start, layout, bytes) }, bytes)
    }

    unsafe fn dealloc(&self, start: *mut u8, layout: Layout) {
        // SAFETY: as above.
        unsafe { System.dealloc(start, layout) }
    }
}

/// Forgets a failed allocation that the caller handled.
pub(super) fn forget_failure() {
    FAILED.store(0, Ordering::Relaxed);
}

/// From now on, an error event of the worker names memory as the reason if an allocation has failed.
pub(super) fn explain_end() {
    let on_error = Closure::<dyn Fn(Event)>::new(|event: Event| {
        let bytes = FAILED.swap(0, Ordering::Relaxed);
        if bytes != 0 {
            // Replaces the error that has no reason.
            event.prevent_default();
            report_error(&Error::new(&format!("out of memory: there are no {bytes} bytes left")));
        }
    });
    let _listens = scope().add_event_listener_with_callback("error", on_error.as_ref().unchecked_ref());
    on_error.forget();
}

#[wasm_bindgen]
extern "C" {
    /// Sends an uncaught error to the page.
    #[wasm_bindgen(js_name = reportError)]
    fn report_error(error: &JsValue);
}
