//! False data must not cost memory: records the largest single allocation of a test.

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;

/// Far above the length of any file in these tests, and far below the sizes that the files declare.
const MODEST: usize = 64 << 20;

thread_local! {
    // Each test runs on a thread of its own.
    static LARGEST: Cell<usize> = const { Cell::new(0) };
}

fn note(size: usize) {
    LARGEST.with(|largest| largest.set(largest.get().max(size)));
}

/// The system's allocator, which also records the largest request.
struct PeakAllocator;

// SAFETY: every call is passed to the system's allocator unchanged.
unsafe impl GlobalAlloc for PeakAllocator {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        note(layout.size());
        unsafe { System.alloc(layout) }
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        note(layout.size());
        unsafe { System.alloc_zeroed(layout) }
    }

    unsafe fn realloc(&self, memory: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        note(size);
        unsafe { System.realloc(memory, layout, size) }
    }

    unsafe fn dealloc(&self, memory: *mut u8, layout: Layout) {
        unsafe { System.dealloc(memory, layout) }
    }
}

#[global_allocator]
static ALLOCATOR: PeakAllocator = PeakAllocator;

/// Asserts that no allocation in this test so far was large.
pub fn assert_modest() {
    let largest = LARGEST.get();
    assert!(largest < MODEST, "{largest} bytes were allocated at once");
}
