//! That no lie costs memory: the largest single allocation of a test.

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;

/// Far more than any of these tests' files is long, and far less than what they claim.
const MODEST: usize = 64 << 20;

thread_local! {
    /// Each test runs on a thread of its own.
    static LARGEST: Cell<usize> = const { Cell::new(0) };
}

fn note(size: usize) {
    LARGEST.with(|largest| largest.set(largest.get().max(size)));
}

/// The system's allocator, which notes what it is asked for.
struct Noting;

// SAFETY: every call is the system allocator's own.
unsafe impl GlobalAlloc for Noting {
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
static ALLOCATOR: Noting = Noting;

/// That nothing in this test so far asked for much memory at once.
pub fn assert_modest() {
    let largest = LARGEST.get();
    assert!(largest < MODEST, "{largest} bytes were asked for at once");
}
